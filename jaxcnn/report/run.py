"""The pictures and the page of a run that has come to its end, and the page of a sweep."""

from collections.abc import Sequence
from pathlib import Path

from jaxcnn.report import curves, predictions, style
from jaxcnn.train.gradients import GradientCheck
from jaxcnn.train.run import Result
from jaxcnn.train.run_folder import REPORT, open_run


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


def write_page(result: Result, gradients: GradientCheck | None) -> Path | None:
    """Write report.html into the run folder; a warning, and None, where it can't be made."""
    from jaxcnn.report.page import of_result, page

    with style.or_warn(path := result.run.path / REPORT):
        path.write_text(page(result.run, of_result(result, gradients)), encoding="utf-8")
        return path
    return None


def write_comparison(folders: Sequence[Path], out: Path) -> Path | None:
    """Write the page of a sweep's runs as `write_page` does; of those that have epochs, and None where none has."""
    from jaxcnn.report.page import comparison

    with style.or_warn(path := out / REPORT):
        if runs := [run for run in map(open_run, folders) if run.metrics()]:
            path.write_text(comparison(runs), encoding="utf-8")
            return path
    return None
