"""`jaxcnn eval`: what a trained network gets right on the test images."""

from dataclasses import dataclass

from jaxcnn.cli.evaluated import Evaluated


@dataclass(frozen=True)
class EvalOptions(Evaluated):
    """Evaluate a run's network on the test images, class by class."""


def run(options: EvalOptions) -> int:
    """Print the table and the totals; returns 0."""
    import numpy as np
    from rich.table import Table

    from jaxcnn.cli.console import Console
    from jaxcnn.train.evaluate import evaluate, examples_of

    model = options.model()
    images, labels = examples_of(model, options.dataset(model))
    evaluation = evaluate(model, images, labels)
    said = evaluation.probabilities.argmax(-1)
    table = Table("class", title=f"{options.run}, checkpoint {model.card.checkpoint}, step {model.card.step}")
    for heading in ("images", "right", "accuracy", "most often taken for"):
        table.add_column(heading, justify="right")
    for label, name in enumerate(model.classes):
        of_class = said[labels == label]
        right, count = int(np.sum(of_class == label)), len(of_class)
        mistakes = np.bincount(of_class[of_class != label], minlength=len(model.classes))
        worst = int(mistakes.argmax())
        taken_for = f"{model.classes[worst]} ({mistakes[worst]})" if mistakes.any() else ""
        accuracy = f"{right / count:.4f}" if count else ""
        table.add_row(name, str(count), str(right), accuracy, taken_for)
    Console().print_table(table)
    smoothing = model.card.label_smoothing
    print(f"test loss {evaluation.loss:.4f}" + (f" (with label smoothing {smoothing})" if smoothing else ""))
    recalls = [np.mean(said[labels == label] == label) for label in np.unique(labels)]
    print(f"balanced accuracy {np.mean(recalls):.4f}, the mean of the classes' accuracies")
    print(f"test accuracy {evaluation.accuracy:.4f}")
    return 0
