"""A grid of test images with what the network said about them, its mistakes first."""

from pathlib import Path

import numpy as np

from jaxcnn.data import Dataset
from jaxcnn.report import style
from jaxcnn.train.experiment import Evaluation

ROWS, COLUMNS = 5, 8
WIDTH, GAP, TEXT = 1.25, 0.12, 0.42  # inches: an image's width, the gap beside it, the room for text above it


def save(dataset: Dataset, evaluation: Evaluation, path: Path, *, title: str) -> None:
    """Draw up to 40 test images, the hardest first, into the PNG `path`.

    Over each stands what the network says and how probable it holds that, over a mistake the true class, too.
    """
    images, labels = dataset.test_images, dataset.test_labels
    names = [name if len(name) <= 16 else name[:15] + "…" for name in dataset.classes]
    said = evaluation.probabilities.argmax(-1)
    title = f"{title}: {np.sum(said != labels)} of {len(labels)} test images wrong (red), then the least certain"

    rows = min(ROWS, -(-len(images) // COLUMNS))
    height = WIDTH * images.shape[1] / images.shape[2]
    page = (COLUMNS * (WIDTH + GAP) + GAP, rows * (height + TEXT) + 1.2 * TEXT)
    figure = style.figure(*page, title, layout=None)
    # One axes for the whole page, in inches from its top left: forty of them would take seconds to draw.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, page[0]), ylim=(page[1], 0))
    axes.set_axis_off()
    for place, i in enumerate(evaluation.hardest(labels)[: rows * COLUMNS]):
        left = GAP + (place % COLUMNS) * (WIDTH + GAP)
        bottom = (place // COLUMNS + 1) * (height + TEXT) + 0.9 * TEXT
        # Grayscale is (h, w) to matplotlib, and colour (h, w, 3).
        pixels = images[i].squeeze(-1) if images.shape[-1] == 1 else images[i]
        extent = (left, left + WIDTH, bottom, bottom - height)
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", interpolation="nearest")
        text, color = f"{names[said[i]]} ({evaluation.probabilities[i, said[i]]:.0%})", style.INK
        if said[i] != labels[i]:
            text, color = f"{text}\ntrue: {names[labels[i]]}", style.WRONG
        centre, above = left + WIDTH / 2, bottom - height - 0.04
        made = axes.text(centre, above, text, fontsize=8, color=color, ha="center", va="bottom", linespacing=1.05)
        made.set(**style.PLAIN)
    style.save(figure, path)
