"""`jaxcnn bench --against REV`: what a change does to the speed."""

import json
import signal
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from jaxcnn.train.interrupt import Stopped

if TYPE_CHECKING:
    from rich.table import Table

    from jaxcnn.bench.against.compare import Change
    from jaxcnn.bench.plan import Plan


def run(revision: str, plan: "Plan", file: Path | None) -> int:
    """Time both, print the table, write the report where one is asked for; returns 0."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from jaxcnn.bench import show
    from jaxcnn.bench.against import checkout, compare
    from jaxcnn.bench.against.task import tasks
    from jaxcnn.cli.console import Console
    from jaxcnn.report.machine import machine

    root = checkout.here()
    commit = checkout.commit(root, revision)
    sides = [f"{revision} ({commit[:8]})", f"working tree ({checkout.standing(root)})"]
    console, here = Console(soft_wrap=True), machine()

    def greeted(kernels: Sequence[str]) -> None:
        told = [f"{side}: {kernel}" for side, kernel in zip(sides, kernels, strict=True)]
        if checkout.stale(root):
            told.append("THE WORKING TREE'S HANDLERS ARE OLDER THAN THEIR SOURCES: python setup.py build_ext --inplace")
        console.print("\n".join(show.of_machine(here, *told)))

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with (
        _ended_by_signals(),
        checkout.checked_out(root, commit) as tree,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar,
    ):
        going = bar.add_task("building", total=1.0)
        checkout.build(tree, root)
        changes = compare.compare(
            (tree, root),
            tasks(plan),
            plan.repeats,
            greeted,
            lambda task, done: bar.update(going, description=task, completed=done),
        )
    made = table(changes, revision)
    console.width = max(console.width, console.width_of(made))  # in full, also on a narrow terminal
    console.print(made)
    for change in changes:
        if change.refused:
            console.print(f"no time for {change.title}, {change.task.precision}: {change.refused}")
    if file is not None:
        written = {"machine": asdict(here), "sides": sides, "changes": [change.to_json() for change in changes]}
        file.write_text(json.dumps(written, indent=2))
        print(f"report {file}")
    return 0


def table(changes: "Sequence[Change]", revision: str) -> "Table":
    """A line for each task that has times; ms are medians of all samples, ± half the distance between the quartiles."""
    from rich import box
    from rich.table import Column, Table

    made = Table(Column("", no_wrap=True), box=box.SIMPLE_HEAD)
    for heading in (f"{revision} ms", "here ms", f"{revision} / here", "in rounds"):
        made.add_column(heading, justify="right", no_wrap=True)
    made.add_column("here is", no_wrap=True)
    for change in changes:
        if change.old and not change.refused:
            made.add_row(
                f"{change.title}, {change.task.precision}",
                _milliseconds(change.old),
                _milliseconds(change.new),
                f"{change.ratio:.3f}",
                f"{min(change.ratios):.3f} to {max(change.ratios):.3f}",
                change.standing,
            )
    return made


def _milliseconds(rounds: Sequence[Sequence[float]]) -> str:
    from jaxcnn.bench import show

    samples = [seconds for samples in rounds for seconds in samples]
    low, median, high = statistics.quantiles(samples, n=4, method="inclusive") if len(samples) > 1 else samples * 3
    return show.told(median, (high - low) / 2)


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """While inside, SIGTERM and SIGHUP end the program as Ctrl-C does: the worktree is removed on the way out."""

    def ended(number: int, frame: FrameType | None) -> NoReturn:
        raise Stopped("stopped.", 128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = [(number, signal.signal(number, ended)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)
