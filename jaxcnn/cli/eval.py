"""`jaxcnn eval`: what a trained network gets right on the test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxcnn.cli.evaluated import Evaluated

if TYPE_CHECKING:
    import numpy as np
    from rich.table import Table


@dataclass(frozen=True)
class EvalOptions(Evaluated):
    """Evaluate a run's network on the test images, class by class.
    $ jaxcnn eval runs/digits-lenet5
    """


def run(options: EvalOptions) -> int:
    """Print the tables and the totals; returns 0."""
    from jaxcnn.cli.console import NARROWEST, Console
    from jaxcnn.train import measures
    from jaxcnn.train.evaluate import evaluate, examples_of

    model = options.model()
    images, labels = examples_of(model, options.dataset(model))
    evaluation = evaluate(model, images, labels)
    confusion = measures.confusion_matrix(evaluation.probabilities, labels)

    console = Console()
    title = f"{options.run}, checkpoint {model.card.checkpoint}, step {model.card.step}"
    console.print_table(by_class(confusion, model.classes, title))
    matrix, pairs = as_matrix(confusion, model.classes), as_pairs(confusion, model.classes)
    if console.width_of(matrix) <= NARROWEST:
        console.print_table(matrix)
    elif pairs.row_count:
        console.print_table(pairs)

    smoothing = model.card.label_smoothing
    print(f"test loss {evaluation.loss:.4f}" + (f" (with label smoothing {smoothing})" if smoothing else ""))
    bins = f"confidence against accuracy in {measures.BINS} bins"
    print(f"expected calibration error {evaluation.calibration_error:.4f}, {bins}")
    print(f"balanced accuracy {evaluation.balanced_accuracy:.4f}, the mean of the classes' recalls")
    if len(model.classes) > 5:
        print(f"top-5 accuracy {evaluation.top5:.4f}")
    print(f"test accuracy {evaluation.accuracy:.4f}")
    return 0


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
