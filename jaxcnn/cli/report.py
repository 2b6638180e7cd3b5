"""`jaxcnn report`: a run's page, or several runs beside one another."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from jaxcnn.cli import pages


@dataclass(frozen=True)
class ReportOptions:
    """Write a page that shows a run.
    $ jaxcnn report runs/digits-lenet5
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders."""
    out: Path | None = None
    """The HTML file to write; by default RUN/report.html. An older page is written over, another file is not."""


def run(options: ReportOptions) -> int:
    """Write the page; returns 0."""
    from jaxcnn.report.page import GENERATOR, of_run, page
    from jaxcnn.train.run_folder import open_run

    opened = [open_run(path) for path in options.runs]
    out = options.out or opened[0].path / "report.html"
    pages.check_out(out, GENERATOR)
    pages.write(page(opened[0], of_run(opened[0])), out)
    return 0
