"""Figures as a run's page writes them."""

import math


def number(value: float) -> str:
    """Four digits, and two of what is very small or large: "0.5857", "12,930", "3.1e-5"."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    size = abs(value)
    if size >= 1e7 or size < 1e-3:
        digits, power = f"{value:.1e}".split("e")
        return f"{digits.removesuffix('.0')}e{int(power)}"
    return f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"


def percent(share: float) -> str:
    """99.17 %, to a hundredth."""
    return f"{100 * share:.2f} %"


def duration(seconds: float) -> str:
    """In the two largest units: "1 h 12 min", "3 min 20 s", "8.2 s"."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
