"""What the commands that write a page share."""

from pathlib import Path


def check_out(out: Path, generator: str) -> None:
    """Raises ValueError unless a page can be written there: an older one of the generator's may be, nothing else."""
    folder = out.resolve().parent
    if not folder.is_dir():
        raise ValueError(f"--out is {out}, but its folder {folder} is missing.")
    if out.is_dir() or (out.exists() and generator.encode() not in out.read_bytes()):
        raise ValueError(f"{out} is there already, and is no page of {generator}; choose another --out.")


def write(page: str, out: Path) -> None:
    """Write the page, and say where."""
    from jaxcnn.cli.console import Console

    out.write_text(page, encoding="utf-8")
    Console(soft_wrap=True).print(f"page {out}")
