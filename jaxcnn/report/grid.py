"""A page of small pictures in rows, with words over each."""

from collections.abc import Iterable
from pathlib import Path

from jaxtyping import UInt8
from numpy import ndarray

from jaxcnn.report import style

ROWS, COLUMNS = 5, 8
WIDTH, GAP, TEXT = 1.25, 0.12, 0.42  # inches: an image's width, the gap beside it, the room for text above it


def save(images: UInt8[ndarray, "n h w c"], words: Iterable[tuple[str, str]], path: Path, *, title: str) -> None:
    """Draw the first `ROWS` × `COLUMNS` of the images into the PNG `path`, over each its words in their colour."""
    rows = min(ROWS, -(-len(images) // COLUMNS))
    height = WIDTH * images.shape[1] / images.shape[2]
    page = (COLUMNS * (WIDTH + GAP) + GAP, rows * (height + TEXT) + 1.2 * TEXT)
    figure = style.figure(*page, title, layout=None)
    # One axes for the whole page, in inches from its top left: forty of them would take seconds to draw.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, page[0]), ylim=(page[1], 0))
    axes.set_axis_off()
    for place, (image, (text, color)) in enumerate(zip(images[: rows * COLUMNS], words, strict=False)):
        left = GAP + (place % COLUMNS) * (WIDTH + GAP)
        bottom = (place // COLUMNS + 1) * (height + TEXT) + 0.9 * TEXT
        # Grayscale is (h, w) to matplotlib, and colour (h, w, 3).
        pixels = image.squeeze(-1) if image.shape[-1] == 1 else image
        extent = (left, left + WIDTH, bottom, bottom - height)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
        centre, above = left + WIDTH / 2, bottom - height - 0.04
        made = axes.text(centre, above, text, fontsize=8, color=color, ha="center", va="bottom", linespacing=1.05)
        made.set(**style.PLAIN)
    style.save(figure, path)


def short(name: str) -> str:
    """A class's name as far as there is room for it over an image."""
    return name if len(name) <= 16 else name[:15] + "…"
