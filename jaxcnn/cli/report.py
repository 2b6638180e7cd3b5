"""`jaxcnn report`: a run's page, or several runs beside one another."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from jaxcnn.cli import pages
from jaxcnn.train.recipe.option import unset

if TYPE_CHECKING:
    from jaxcnn.train.run_folder import RunFolder


@dataclass(frozen=True)
class ReportOptions:
    """Write a page that shows a run, or compares several.
    $ jaxcnn report runs/digits-lenet5
    $ jaxcnn report runs/sweep

    Several are compared: what they differ in, how they ended, their curves.
    """

    runs: tyro.conf.Positional[Annotated[tuple[Path, ...], tyro.conf.arg(metavar="RUN ...", help_behavior_hint="")]]
    """Run folders. The folder of a sweep stands for the runs in it."""
    out: Annotated[Path | None, unset("PATH", "RUN/report.html; of several runs report.html")] = None
    """The HTML file to write. An older page is written over, another file is not."""


def run(options: ReportOptions) -> int:
    """Write the page; returns 0. Raises ValueError or OSError where there is no run, or --out can't be written."""
    from jaxcnn.report.page import GENERATOR, comparison, of_run, page
    from jaxcnn.train.run_folder import REPORT

    runs = _opened(options.runs)
    out = options.out or (runs[0].path / REPORT if len(runs) == 1 else Path(REPORT))
    pages.check_out(out, GENERATOR)
    pages.write(page(runs[0], of_run(runs[0])) if len(runs) == 1 else comparison(runs), out)
    return 0


def _opened(paths: Sequence[Path]) -> list["RunFolder"]:
    """The runs, each once; of several those that have epochs."""
    from jaxcnn.train.run_folder import open_run

    if not paths:
        raise ValueError("expected a run folder, as in jaxcnn report runs/digits-lenet5.")
    folders = [folder for path in paths for folder in _folders(path.expanduser())]
    runs = [open_run(folder) for folder in {folder.resolve(): folder for folder in folders}.values()]
    if len(runs) == 1:
        return runs
    known = [run for run in runs if run.metrics()]
    for run in runs:
        if run not in known:
            warnings.warn(f"{run.path} has no whole epoch yet, and is left out.", stacklevel=2)
    return known or runs[:1]


def _folders(path: Path) -> Iterator[Path]:
    """The run folder, or those within the folder of a sweep."""
    from jaxcnn.train.run_folder import CONFIG, runs_in

    if (path / "model.json").is_file():
        raise ValueError(f"{path} is a model without its run, which would tell of its training; take the run folder.")
    yield from [path] if (path / CONFIG).is_file() else runs_in(path) or [path]
