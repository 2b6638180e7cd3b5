"""The pictures of a run that has come to its end."""

from jaxcnn.report import curves, predictions, style
from jaxcnn.train.run import Result


def draw(result: Result) -> None:
    """Draw curves.png and predictions.png into the run folder; a warning where one can't be drawn."""
    run, dataset = result.run, result.experiment.dataset
    title = f"{run.config.title} on {dataset.name}"
    with style.or_warn(path := run.path / "curves.png"):
        if not (epochs := run.metrics()):
            raise ValueError(f"{run.path / 'metrics.jsonl'} holds no epochs any more")
        curves.save(epochs, path, title=title, steps=run.steps())
    if result.evaluation is not None:
        with style.or_warn(path := run.path / "predictions.png"):
            predictions.save(dataset, result.evaluation, path, title=title)
