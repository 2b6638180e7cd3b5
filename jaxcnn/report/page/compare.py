"""The page of several runs: what they differ in, how they ended, and their curves over one another."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from jaxcnn.report.page.chart import Chart, Kind, Line, chart
from jaxcnn.report.page.configuration import text
from jaxcnn.report.page.curves import steps_per_epoch
from jaxcnn.report.page.numbers import duration, number, percent
from jaxcnn.report.page.page import written
from jaxcnn.report.page.section import Section
from jaxcnn.report.page.verdict import PARTS
from jaxcnn.train.run_folder import RunFolder, options_of
from jaxcnn.train.sweep import recipe_of
from jaxcnn.train.watch import Epoch


@dataclass(frozen=True)
class Compared:
    """A run beside others: its folder, below the one that all lie in, and its epochs."""

    run: RunFolder
    name: str
    epochs: list[Epoch]


@dataclass(frozen=True)
class Group:
    """Runs that differ in their seeds alone, or a single one; `tone` is the colour of their curves."""

    name: str
    runs: list[Compared]
    tone: int


@dataclass(frozen=True)
class Cell:
    """What a table shows, and what it is sorted by."""

    text: str
    key: float | str


@dataclass(frozen=True)
class Table:
    """Headings, and for each row the group whose colour it has, its own name and its cells."""

    title: str
    first: str
    headings: list[str]
    rows: list[tuple[Group, str, list[Cell]]]


def comparison(runs: Sequence[RunFolder]) -> str:
    """One HTML file that shows several runs, each of which has epochs; it needs no network, and no other file.

    Raises: OSError if metrics can't be read.
    """
    groups = grouped(runs)
    differing = differences(runs)
    compared = [run for group in groups for run in group.runs]
    parts = {PARTS[run.epochs[-1]["part"]] for run in compared}
    part = parts.pop() if len(parts) == 1 else "evaluation"
    tables = [by_run(groups, differing, part)]
    if any(len(group.runs) > 1 for group in groups):
        tables.insert(0, by_recipe(groups, differing, part))
    names = {run.facts.name for run in runs}
    about = {"differing": differing, "datasets": sorted(names) if len(names) > 1 else [], "part": part}
    sections = [
        Section("differences", "What differs, and how it ended", about | {"tables": tables}),
        Section("overlaid", "Curves", {"groups": groups, "charts": overlaid(groups, part)}),
    ]
    titles = dict.fromkeys(f"{run.config.title} on {run.facts.name}" for run in runs)
    title = f"{len(runs)} runs" + (f": {next(iter(titles))}" if len(titles) == 1 else "")
    return written(title, sections, above(runs))


def above(runs: Sequence[RunFolder]) -> Path:
    """The folder that all lie in."""
    return Path(os.path.commonpath([run.path.resolve().parent for run in runs]))


def grouped(runs: Sequence[RunFolder]) -> list[Group]:
    """The runs by recipe, in their order."""
    top = above(runs)
    found: dict[tuple[str, str], list[Compared]] = {}
    for run in runs:
        name = run.path.resolve().relative_to(top).as_posix()
        found.setdefault((recipe_of(run.config), run.facts.name), []).append(Compared(run, name, run.metrics()))
    return [Group(_name(of), of, tone) for tone, of in enumerate(found.values())]


def _name(runs: Sequence[Compared]) -> str:
    """That of the folder that runs of several seeds lie in, where they do."""
    if len(runs) == 1:
        return runs[0].name
    shared = os.path.commonpath([run.name for run in runs])
    return shared or f"{runs[0].name} and {len(runs) - 1} more"


def differences(runs: Sequence[RunFolder]) -> list[str]:
    """The options in which the runs differ, but for their folders and seeds."""
    options = [options_of(run.config) for run in runs]
    return [name for name in options[0] if name not in ("out", "seed") and len({repr(of[name]) for of in options}) > 1]


def by_recipe(groups: Sequence[Group], differing: Sequence[str], part: str) -> Table:
    """A row for each recipe: means over its runs, and their standard deviations."""
    figures = _figures(part)
    rows = [
        (
            group,
            group.name,
            [
                *_options(group.runs[0].run, differing),
                Cell(str(len(group.runs)), len(group.runs)),
                *(_mean([read(run) for run in group.runs], write) for _, read, write in figures),
            ],
        )
        for group in groups
    ]
    return Table("By recipe", "recipe", [*differing, "runs", *(heading for heading, _, _ in figures)], rows)


def by_run(groups: Sequence[Group], differing: Sequence[str], part: str) -> Table:
    """A row for each run."""
    figures = _figures(part)
    rows = [
        (
            group,
            run.name,
            [
                *_options(run.run, [*differing, "seed"]),
                *(Cell(write(value), value) for value, write in ((read(run), write) for _, read, write in figures)),
            ],
        )
        for group in groups
        for run in group.runs
    ]
    return Table("Every run", "run", [*differing, "seed", *(heading for heading, _, _ in figures)], rows)


Figure = tuple[str, Callable[[Compared], float], Callable[[float], str]]


def _figures(part: str) -> list[Figure]:
    """Heading, the figure of a run, and how it is written."""

    def last(field: str) -> Callable[[Compared], float]:
        return lambda run: run.epochs[-1][field]  # type: ignore[literal-required]

    return [
        (f"{part} accuracy", last("eval_accuracy"), percent),
        ("best accuracy", lambda run: max(record["eval_accuracy"] for record in run.epochs), percent),
        (f"{part} loss", last("eval_loss"), number),
        ("training accuracy", last("train_accuracy"), percent),
        ("training loss", last("train_loss"), number),
        ("epochs", last("epoch"), number),
        ("time", lambda run: sum(record["seconds"] for record in run.epochs), duration),
    ]


def _options(run: RunFolder, names: Sequence[str]) -> list[Cell]:
    options = options_of(run.config)
    return [Cell(text(options[name]), _key(options[name])) for name in names]


def _key(value: Any) -> float | str:
    """None comes before all numbers, among which it leaves a column of numbers one."""
    if value is None:
        return -1.0
    return float(value) if isinstance(value, int | float) else str(value)


def _mean(values: Sequence[float], write: Callable[[float], str]) -> Cell:
    if len(values) == 1:
        return Cell(write(values[0]), values[0])
    return Cell(f"{write(mean(values))} ± {write(stdev(values))}", mean(values))


def overlaid(groups: Sequence[Group], part: str) -> list[Chart]:
    """Each figure's curves: of several seeds the mean, and the standard deviation (n - 1) about it."""

    def drawn(field: str, title: str, kind: Kind = "number", log: bool = False) -> Chart | None:
        return chart(field, title, [_line(group, field) for group in groups], kind=kind, log=log)

    charts = [
        drawn("eval_accuracy", f"{part.capitalize()} accuracy", "percent"),
        drawn("eval_loss", f"{part.capitalize()} loss", log=True),
        drawn("train_accuracy", "Training accuracy", "percent"),
        drawn("train_loss", "Training loss", log=True),
        drawn("learning_rate", "Learning rate"),
        drawn("gradient_norm", "Gradient norm", log=True),
        drawn("images_per_second", "Images per second"),
    ]
    return [one for one in charts if one is not None]


def _line(group: Group, field: str) -> Line:
    """Over the epochs that all of the group's runs have."""
    by_epoch = [{record["epoch"]: record for record in run.epochs} for run in group.runs]
    shared = sorted(set.intersection(*(set(of) for of in by_epoch)))
    per_epoch = steps_per_epoch(group.runs[0].epochs)
    values: list[list[Any]] = [[of[epoch].get(field) for of in by_epoch] for epoch in shared]
    known = [None if None in of else of for of in values]
    deviation = [None if of is None else stdev(of) for of in known] if len(group.runs) > 1 else None
    return Line(
        group.name,
        [by_epoch[0][epoch]["step"] / per_epoch for epoch in shared],
        [None if of is None else mean(of) for of in known],
        group.tone,
        deviation=deviation,
        run=str(group.tone),
    )
