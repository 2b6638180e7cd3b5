"""A grid of test images with what the network said about them, its mistakes first."""

from pathlib import Path

import numpy as np

from jaxcnn.data import Dataset
from jaxcnn.report import grid, style
from jaxcnn.train.evaluation import Evaluation


def save(dataset: Dataset, evaluation: Evaluation, path: Path, *, title: str) -> None:
    """Draw up to 40 test images, the hardest first, into the PNG `path`.

    Over each stands what the network says and how probable it holds that, over a mistake the true class, too.
    """
    labels, names = dataset.test_labels, [grid.short(name) for name in dataset.classes]
    said = evaluation.probabilities.argmax(-1)
    title = f"{title}: {np.sum(said != labels)} of {len(labels)} test images wrong (red), then the least certain"

    hardest = evaluation.hardest(labels)[: grid.ROWS * grid.COLUMNS]
    words = []
    for i in hardest:
        text, color = f"{names[said[i]]} ({evaluation.probabilities[i, said[i]]:.0%})", style.INK
        if said[i] != labels[i]:
            text, color = f"{text}\ntrue: {names[labels[i]]}", style.WRONG
        words.append((text, color))
    grid.save(dataset.test_images[hardest], words, path, title=title)
