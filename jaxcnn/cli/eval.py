"""`jaxcnn eval`: what a trained network gets right on the test images."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True)
class EvalOptions:
    """Evaluate a run's network on the test images, class by class."""

    run: tyro.conf.Positional[Path]
    """The run folder."""
    checkpoint: Literal["last", "best"] = "last"
    """last: after the last epoch or Ctrl-C; best: of the epoch with the highest test accuracy."""


def run(options: EvalOptions) -> int:
    """Print the table and the totals; returns 0."""
    import numpy as np
    from rich.table import Table

    from jaxcnn.cli.console import Console
    from jaxcnn.train.restore import restore

    _, experiment, state = restore(options.run, options.checkpoint)
    evaluation = experiment.evaluate(state)
    labels, said = experiment.dataset.test_labels, evaluation.probabilities.argmax(-1)
    table = Table("class", title=f"{options.run}, checkpoint {options.checkpoint}, step {int(state.step)}")
    for heading in ("images", "right", "accuracy", "most often taken for"):
        table.add_column(heading, justify="right")
    for label, name in enumerate(experiment.dataset.classes):
        of_class = said[labels == label]
        right, images = int(np.sum(of_class == label)), len(of_class)
        mistakes = np.bincount(of_class[of_class != label], minlength=len(experiment.dataset.classes))
        worst = int(mistakes.argmax())
        taken_for = f"{experiment.dataset.classes[worst]} ({mistakes[worst]})" if mistakes.any() else ""
        accuracy = f"{right / images:.4f}" if images else ""
        table.add_row(name, str(images), str(right), accuracy, taken_for)
    Console().print_table(table)
    smoothing = experiment.recipe.label_smoothing
    print(f"test loss {evaluation.loss:.4f}" + (f" (with label smoothing {smoothing})" if smoothing else ""))
    print(f"test accuracy {evaluation.accuracy:.4f}")
    return 0
