"""Numbers as a page shows them."""

MINUS = "−"


def number(value: float) -> str:
    """Two decimals at most, from 10 on one: "3", "−0.33", "12.5"; "~0" for what is not 0 but would read so."""
    if abs(value) < 1e-9:
        return "0"
    text = f"{value:.{2 if abs(value) < 10 else 1}f}".rstrip("0").rstrip(".")
    return "~0" if text in ("0", "-0") else text.replace("-", MINUS)
