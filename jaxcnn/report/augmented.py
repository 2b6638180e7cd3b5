"""A grid of training images, each in a row with what an augmentation makes of it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxcnn.report import style

WIDTH, GAP, TEXT = 1.25, 0.12, 0.42  # inches: an image's width, the gap beside it, the room for text above it


def save(images: np.ndarray, captions: Sequence[Sequence[str]], path: Path, *, title: str) -> None:
    """Draw images (rows, columns, h, w, c) of pixels from 0 to 255, c = 1 or 3, with text over each, into the PNG."""
    rows, columns, pixels_high, pixels_wide, channels = images.shape
    height = WIDTH * pixels_high / pixels_wide
    page = (columns * (WIDTH + GAP) + GAP, rows * (height + TEXT) + 1.2 * TEXT)
    figure = style.figure(*page, title, layout=None)
    # One axes for the whole page, in inches from its top left, as in `predictions`.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, page[0]), ylim=(page[1], 0))
    axes.set_axis_off()
    for row, column in np.ndindex(rows, columns):
        left, bottom = GAP + column * (WIDTH + GAP), (row + 1) * (height + TEXT) + 0.9 * TEXT
        shown = images[row, column].squeeze(-1) if channels == 1 else images[row, column]
        extent = (left, left + WIDTH, bottom, bottom - height)
        axes.imshow(shown, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
        color = style.QUIET if column else style.INK
        made = axes.text(left + WIDTH / 2, bottom - height - 0.04, captions[row][column], fontsize=8, color=color)
        made.set(ha="center", va="bottom", linespacing=1.05, **style.PLAIN)
    style.save(figure, path)
