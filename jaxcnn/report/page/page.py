"""The page of one run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from jaxcnn.report.page import within
from jaxcnn.report.page.chart import Chart
from jaxcnn.report.page.configuration import configuration
from jaxcnn.report.page.curves import curves, steps_per_epoch
from jaxcnn.report.page.environment import environment as environment_of
from jaxcnn.report.page.layers import norms
from jaxcnn.report.page.numbers import duration, number, percent
from jaxcnn.report.page.section import Section
from jaxcnn.report.page.trained import Trained
from jaxcnn.report.page.verdict import PARTS, Finding, findings, interval
from jaxcnn.report.templating import environment
from jaxcnn.train import measures
from jaxcnn.train.run_folder import RunFolder
from jaxcnn.train.watch import Epoch

GENERATOR = "jaxcnn report"


@dataclass(frozen=True)
class Verdict:
    """The accuracy, of how many images and how well it is known, and what else is to be said.

    `images` and `interval` are None where the test images are not there; the accuracy is then the last epoch's.
    """

    accuracy: float
    part: str
    images: int | None
    interval: tuple[float, float] | None
    figures: list[tuple[str, str]]
    findings: list[Finding]


@dataclass(frozen=True)
class Curves:
    """Charts, and the epochs as a table."""

    charts: list[Chart]
    epochs: list[Epoch]
    columns: list[str]


def page(run: RunFolder, trained: Trained) -> str:
    """One HTML file that shows a run; it needs no network, and no other file.

    Raises: ValueError for a run without epochs, OSError if its metrics can't be read.
    """
    epochs = run.metrics()
    if not epochs:
        raise ValueError(
            f"{run.path} has no epoch to report: its metrics.jsonl tells of none. Train one first, with: "
            f"{run.config.command()} --resume"
        )
    sections = [
        Section("verdict", "Verdict", verdict(run, trained, epochs)),
        Section("curves", "Curves", _curves(run, epochs)),
        Section("layers", "δ and gradients by layer", norms(run.layers(), steps_per_epoch(epochs))),
        *within.sections(run, trained),
        Section("configuration", "Configuration", configuration(run, trained)),
        Section("environment", "Environment", environment_of(trained)),
    ]
    return written(f"{run.config.title} on {run.facts.name}", sections, run.path, trained.missing)


def verdict(run: RunFolder, trained: Trained, epochs: Sequence[Epoch]) -> Verdict:
    """What is to be said of a run in words."""
    last, tested = epochs[-1], trained.tested
    figures = [
        ("epochs", f"{last['epoch']:,}"),
        ("steps", f"{last['step']:,}"),
        ("time", duration(sum(record["seconds"] for record in epochs))),
    ]
    if trained.model is not None:
        figures.append(("parameters", f"{sum(a.size for a in jax.tree.leaves(trained.model.params)):,}"))
    if tested is None:
        figures.insert(0, (f"{PARTS[last['part']]} loss", number(last["eval_loss"])))
        said = findings(run.config, epochs, run.steps(), run.facts.classes)
        return Verdict(last["eval_accuracy"], PARTS[last["part"]], None, None, figures, said)
    evaluation, images = tested.evaluation, len(tested.labels)
    if last["part"] == "valid":
        figures.insert(0, ("validation accuracy", percent(last["eval_accuracy"])))
    figures.insert(0, ("test loss", number(evaluation.loss)))
    confusion = measures.confusion_matrix(evaluation.probabilities, tested.labels)
    said = findings(run.config, epochs, run.steps(), run.facts.classes, confusion)
    known = interval(int(np.trace(confusion)), images)
    return Verdict(evaluation.accuracy, "test", images, known, figures, said)


def _curves(run: RunFolder, epochs: list[Epoch]) -> Curves:
    columns = list(dict.fromkeys(name for record in epochs for name in record if name != "part"))
    return Curves(curves(epochs, run.steps()), epochs, columns)


def written(title: str, sections: Sequence[Section], folder: Path, missing: Sequence[str] = ()) -> str:
    """The page with these sections, about what lies in `folder`; `missing` says in sentences what could not be had."""
    templates = environment("jaxcnn.report", "templates/run")
    templates.globals |= {"number": number, "percent": percent}
    return templates.get_template("page.html").render(
        generator=GENERATOR, title=title, sections=sections, folder=folder, missing=missing
    )
