"""The page of one run."""

from collections.abc import Sequence
from pathlib import Path

from jaxcnn.report.page import within
from jaxcnn.report.page.chart import look
from jaxcnn.report.page.configuration import configuration
from jaxcnn.report.page.curves import curves, steps_per_epoch
from jaxcnn.report.page.environment import environment as environment_of
from jaxcnn.report.page.layers import layers
from jaxcnn.report.page.numbers import number, percent
from jaxcnn.report.page.section import Section
from jaxcnn.report.page.trained import Trained
from jaxcnn.report.page.verdict import verdict
from jaxcnn.report.templating import environment
from jaxcnn.train.run_folder import RunFolder

GENERATOR = "jaxcnn report"


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
        Section("verdict", "Verdict", verdict(run, epochs, trained)),
        Section("curves", "Curves", curves(epochs, run.steps())),
        layers(run.layers(), steps_per_epoch(epochs)),
        *within.sections(run, trained),
        Section("configuration", "Configuration", configuration(run, trained)),
        Section("environment", "Environment", environment_of(trained)),
    ]
    return written(f"{run.config.title} on {run.facts.name}", sections, run.path, trained.missing)


def written(title: str, sections: Sequence[Section], folder: Path, missing: Sequence[str] = ()) -> str:
    """The page with these sections, about what lies in `folder`; `missing` says in sentences what could not be had."""
    templates = environment("jaxcnn.report", "templates/run")
    templates.globals |= {"number": number, "percent": percent, "look": look}
    return templates.get_template("page.html").render(
        generator=GENERATOR, title=title, sections=sections, folder=folder, missing=missing
    )
