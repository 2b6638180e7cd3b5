"""`jaxcnn eval`: what a trained network gets right on the test images."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcnn.cli.evaluated import Evaluated

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table

    from jaxcnn.data import Dataset
    from jaxcnn.train.model import Model


@dataclass(frozen=True)
class EvalOptions(Evaluated):
    """Evaluate a run's network on the test images, class by class.
    $ jaxcnn eval runs/digits-lenet5
    """

    calibrate: bool = False
    """From now on, here and in predict, export and load_model, divide its logits by the temperature at which it is as
    sure as it is often right: by the validation images, or without them by every second test image. It is kept in the
    model.json of this checkpoint, until training goes on."""


def run(options: EvalOptions) -> int:
    """Print the tables and the totals; returns 0."""
    from jaxcnn.cli.console import NARROWEST, Console
    from jaxcnn.train import measures
    from jaxcnn.train.evaluate import evaluate, examples_of

    model = options.model()
    dataset = options.dataset(model)
    images, labels = examples_of(model, dataset)
    said: list[str] = []
    if options.calibrate:
        model, said = _calibrated(options, model, dataset)
    evaluation = evaluate(model, images, labels)
    confusion = measures.confusion_matrix(evaluation.probabilities, labels)

    console = Console(soft_wrap=True)
    title = f"{options.run}, {model.card.title}"
    console.print_table(by_class(confusion, model.classes, title))
    matrix, pairs = as_matrix(confusion, model.classes), as_pairs(confusion, model.classes)
    if console.width_of(matrix) <= NARROWEST:
        console.print_table(matrix)
    elif pairs.row_count:
        console.print_table(pairs)

    smoothing = model.card.label_smoothing
    print(f"test loss {evaluation.loss:.4f}" + (f" (with label smoothing {smoothing})" if smoothing else ""))
    bins = f"confidence against accuracy in {measures.BINS} bins"
    at = "" if model.card.temperature == 1 else f", at temperature {model.card.temperature:.4f}"
    print(f"expected calibration error {evaluation.calibration_error:.4f}, {bins}{at}")
    print(f"balanced accuracy {evaluation.balanced_accuracy:.4f}, the mean of the classes' recalls")
    if len(model.classes) > 5:
        print(f"top-5 accuracy {evaluation.top5:.4f}")
    print(f"test accuracy {evaluation.accuracy:.4f}")
    for line in said:
        console.print(line)
    return 0


def _calibrated(options: EvalOptions, model: "Model", dataset: "Dataset") -> tuple["Model", list[str]]:
    """The model at its best temperature, which is kept, and what there is to say of it."""
    from jaxcnn.train.calibrate import calibrate
    from jaxcnn.train.model_folder import set_temperature

    found = calibrate(model, dataset)
    file = set_temperature(options.run, options.checkpoint, model.card, found.temperature)
    changes = {"negative log-likelihood": found.likelihood, "expected calibration error": found.error}
    on = ", ".join(f"{name} {before:.4f} before and {after:.4f} after" for name, (before, after) in changes.items())
    calibrated = replace(model, card=replace(model.card, temperature=found.temperature))
    return calibrated, [
        f"temperature {found.temperature:.4f} by {found.fitted}; on {found.measured}: {on}",
        f"written to {file}{_taken(options, file)}",
    ]


def _taken(options: EvalOptions, file: Path) -> str:
    """Who takes the checkpoint that the file is of, where it is a run's."""
    if file.parent == options.run.expanduser():
        return ""
    if options.checkpoint == EvalOptions.checkpoint:
        return ", which predict, export and load_model take by default"
    return f", which predict and export take with --checkpoint {options.checkpoint}"


def by_class(confusion: "np.ndarray", classes: Sequence[str], title: str) -> "Table":
    """A row for each class, from the confusion matrix."""
    from rich.table import Table

    from jaxcnn.train import measures

    table = Table("class", title=title)
    for heading in ("images", "right", "recall", "precision", "most often taken for"):
        table.add_column(heading, justify="right")
    recalls, precisions = measures.recall(confusion), measures.precision(confusion)
    for label, name in enumerate(classes):
        others = confusion[label].copy()
        others[label] = 0
        worst = int(others.argmax())
        taken_for = f"{classes[worst]} ({others[worst]})" if others[worst] else ""
        counts = (str(confusion[label].sum()), str(confusion[label, label]))
        table.add_row(name, *counts, _share(recalls[label]), _share(precisions[label]), taken_for)
    return table


def as_matrix(confusion: "np.ndarray", classes: Sequence[str]) -> "Table":
    """The confusion matrix; a 0 is left blank."""
    from rich.table import Table

    table = Table("of class", title="taken for")
    for name in classes:
        table.add_column(name, justify="right")
    for name, row in zip(classes, confusion, strict=True):
        table.add_row(name, *(str(count) if count else "" for count in row))
    return table


def as_pairs(confusion: "np.ndarray", classes: Sequence[str]) -> "Table":
    """The most frequent mistakes."""
    from rich.table import Table

    from jaxcnn.train import measures

    table = Table("of class", "taken for", title="most confused")
    table.add_column("images", justify="right")
    table.add_column("of the class", justify="right")
    for true, said, count in measures.most_confused(confusion):
        table.add_row(classes[true], classes[said], str(count), _share(count / confusion[true].sum()))
    return table


def _share(share: float) -> str:
    return "" if share != share else f"{share:.4f}"  # NaN: of no image
