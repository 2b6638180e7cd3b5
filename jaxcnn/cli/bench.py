"""`jaxcnn bench`: how fast, against autodiff and other frameworks doing the same work."""

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import tyro

if TYPE_CHECKING:
    from jaxcnn.bench.networks import Problem
    from jaxcnn.bench.plan import Plan
    from jaxcnn.bench.result import Report
    from jaxcnn.cli.console import Console

SMALL = "lenet5,cifar_small"  # what is timed of networks where nothing is named
T = TypeVar("T", bound=str)


def _names(metavar: str = "NAME,...", default: str = "all, where none of the three is given") -> Any:
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class BenchOptions:
    """Time operations, training steps and inference, here and in other frameworks.
    $ jaxcnn bench --steps cifar_small
    $ jaxcnn bench --quick
    $ jaxcnn bench --against main --steps resnet20

    The others get the same weights and batch, and no time where results differ.
    """

    quick: bool = False
    """In 3 minutes: what is ahead on this machine, what is behind, and by how much. A few tasks of each kind, or those
    that are named; what there is no time for is left out, and said. PyTorch's training steps are not compiled."""
    against: Annotated[str | None, _names("REV", "none")] = None
    """Time this revision of jaxcnn, such as main or HEAD~1, and the working tree in turn, in place of others, to
    see what a change does to the speed. Needs a git checkout."""
    ops: Annotated[str | None, _names()] = None
    """Operations to time, by name, such as conv,max_pool; or all, or none."""
    steps: Annotated[str | None, _names(default=f"{SMALL}, where none of the three is given")] = None
    """Networks whose training step to time, by their names in jaxcnn.models; all is lenet5,cifar_small,resnet20,
    resnet18,resnet50,mobilenet_v2,efficientnet_lite0,convnext_tiny."""
    inference: Annotated[str | None, _names(default=f"{SMALL}, where none of the three is given")] = None
    """Networks to time at answering one image, and 64."""
    data: Annotated[str | None, _names("NAME", "none; nothing else is timed with it")] = None
    """A dataset whose loading alone to time, as jaxcnn train takes it: from memory, where it fits, and streamed."""
    data_dir: Annotated[Path | None, _names("PATH", "TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    workers: str = "0,1,2"
    """Of a streamed dataset, the numbers of processes that decode it; 0 is threads."""
    precision: Annotated[str | None, _names(default="all; float32 with --quick and --against")] = None
    """What numbers are multiplied in: float32,bfloat16, and on a GPU tensorfloat32; or all."""
    peers: Annotated[str | None, _names(default="all; flax,torch with --quick")] = None
    """Whom to compare with, of flax,equinox,keras,torch; or all, or none."""
    batch_size: Annotated[int | None, _names("INT", "128; 16 for networks made for 224×224")] = None
    """Images per training step."""
    image_size: Annotated[int | None, _names("PIXELS", "what each network was made for")] = None
    """Pixels a side of the networks' images."""
    repeats: int = 7
    """Samples of each program; long programs get fewer, but 3."""
    minutes: Annotated[float | None, _names("MINUTES", "no limit; less than 3 with --quick")] = None
    """What all may take: long contests get fewer samples, and what there is no time for is left out, and said."""
    json: Annotated[Path | None, _names("PATH", "none")] = None
    """Write everything that was found to this file."""
    picture: Annotated[Path | None, _names("PATH", "none")] = None
    """Draw the bars into this PNG."""


def run(options: BenchOptions) -> int:
    """Measure, print the tables, write what was asked for; returns 0."""
    for name, minimum in (("repeats", 1), ("batch_size", 1), ("image_size", 1)):
        value = getattr(options, name)
        if value is not None and value < minimum:
            raise ValueError(f"--{name.replace('_', '-')} is {value}; expected {minimum} or more.")
    if options.minutes is not None:
        if not options.minutes > 0:
            raise ValueError(f"--minutes is {options.minutes}; expected more than 0.")
        for flag, value in (("data", options.data), ("against", options.against)):
            if value is not None:
                raise ValueError(f"--minutes is {options.minutes}, but --{flag} has no limit; leave one of them out.")
    for name, path in (("json", options.json), ("picture", options.picture)):
        if path is not None and not path.resolve().parent.is_dir():
            raise ValueError(f"--{name} is {path}, but the folder {path.resolve().parent} does not exist.")
    if options.data is not None:
        return _run_data(options)
    # Others need some of a GPU's memory, too. JAX asks when it starts, as it does where it is asked for its devices.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    if options.against is not None:
        return _run_against(options)
    if options.quick:
        return _run_quick(options)
    from jaxcnn.bench import show
    from jaxcnn.cli.console import Console

    console = Console(soft_wrap=True)
    console.width = max(console.width, show.WIDTH)  # tables in full, also on a narrow terminal
    shown = 0
    for report in _measured(replace(plan(options), budget=60 * (options.minutes or math.inf)), console):
        if len(report.rows) > shown:
            shown = len(report.rows)
            title, rows = report.contests()[-1]
            console.print(show.table(report, title, rows))
            for line in show.refusals(rows):
                console.print(line)
        if options.json is not None:
            options.json.write_text(report.to_json())  # again after each, since the next may take long
    for line in _left_out(report):
        console.print(line)
    _written(options, report)
    return 0


def _run_quick(options: BenchOptions) -> int:
    """The verdict alone."""
    from jaxcnn.bench import quick, show, verdict
    from jaxcnn.cli.console import Console

    budget = 60 * options.minutes if options.minutes else quick.BUDGET
    console = Console(soft_wrap=True)
    limited = replace(plan(options), budget=budget, peak_size=quick.PEAK_SIZE, without=quick.WITHOUT)
    *_, report = _measured(limited, console)
    found = verdict.verdicts(report)
    made = verdict.table(found)
    console.width = max(console.width, console.width_of(made))  # in full, also on a narrow terminal
    console.print(made)
    for line in [*show.refusals([*report.rows]), *_left_out(report)]:
        console.print(line)
    console.print(verdict.in_words(found))
    if options.json is not None:
        options.json.write_text(report.to_json(verdicts=[each.to_json() for each in found]))
    _written(options, report)
    return 0


def _left_out(report: "Report") -> list[str]:
    return [f"left out, for want of time: {task}" for task in report.left_out]


def _run_against(options: BenchOptions) -> int:
    """Beside another revision."""
    from jaxcnn.cli import against

    for name in ("quick", "peers", "picture"):
        value = getattr(options, name)
        if value:
            shown = f"--{name}" if value is True else f"--{name} {value}"
            raise ValueError(f"{shown} compares with others, and --against with another jaxcnn; leave one of them out.")
    return against.run(str(options.against), plan(options), options.json)


def _measured(plan: "Plan", console: "Console") -> "Iterator[Report]":
    """What is found, as it is found, behind a bar on a terminal; the header is printed."""
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from jaxcnn.bench import show

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        going = bar.add_task("compiling", total=1.0)
        for report in plan.measure(lambda task, done: bar.update(going, description=task, completed=done)):
            if not report.rows:
                console.print(show.header(report))
            yield report


def _written(options: BenchOptions, report: "Report") -> None:
    """Say where the report lies, and draw its picture where one is asked for."""
    from jaxcnn.bench import show

    if options.json is not None:
        print(f"report {options.json}")
    if options.picture is not None:
        show.picture(report, options.picture)
        print(f"picture {options.picture}")


def _run_data(options: BenchOptions) -> int:
    """The loader alone."""
    from dataclasses import asdict

    from jaxcnn import data
    from jaxcnn.bench import show
    from jaxcnn.bench.data import speeds, table, to_json
    from jaxcnn.cli.console import Console
    from jaxcnn.report.machine import machine

    assert options.data is not None
    for name in ("ops", "steps", "inference", "picture"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name} is {getattr(options, name)}, but --data is timed alone; leave one of them out.")
    for flag, value in (("quick", options.quick), ("against", options.against is not None)):
        if value:
            raise ValueError(f"--{flag} times networks and operations, and --data neither; leave one of them out.")
    if not all(number.isdecimal() for number in options.workers.split(",")):
        raise ValueError(f"--workers is {options.workers!r}; expected numbers of processes, such as 0,2.")
    workers = [int(number) for number in options.workers.split(",")]
    dataset = data.load(options.data, data_dir=options.data_dir, image_size=options.image_size, stream="auto")
    streamed = data.load(options.data, data_dir=options.data_dir, image_size=options.image_size, stream="always")
    datasets = [streamed] if dataset.workers is not None else [dataset, streamed]
    batch_size = options.batch_size or 128
    if batch_size > len(dataset.train_labels):
        raise ValueError(f"--batch-size is {batch_size}, more than the {len(dataset.train_labels)} training images.")
    console, here = Console(soft_wrap=True), machine()
    console.print("\n".join(show.of_machine(here)))
    console.print(f"images: {dataset.layout}")
    found = speeds(datasets, workers, batch_size, options.repeats)
    title = f"training images of {dataset.name}, {'×'.join(map(str, dataset.image_shape))}, {batch_size} at a time"
    made = table(dataset, found, title)
    console.width = max(console.width, console.width_of(made))  # in full, also on a narrow terminal
    console.print(made)
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": asdict(here), "loading": to_json(found)}, indent=2))
        print(f"report {options.json}")
    return 0


def plan(options: BenchOptions) -> "Plan":
    """What to measure; raises ValueError for a name that is not known."""
    from jaxcnn.bench import quick
    from jaxcnn.bench.networks import NETWORKS, problem
    from jaxcnn.bench.ops import CASES
    from jaxcnn.bench.peers import PACKAGES
    from jaxcnn.bench.plan import Plan
    from jaxcnn.bench.precision import available
    from jaxcnn.models import MODELS

    precisions = options.precision or (quick.PRECISION if options.quick or options.against else "all")
    peers = options.peers or (",".join(quick.PEERS) if options.quick else "all")
    common: dict[str, Any] = {
        "precisions": tuple(_chosen("precision", precisions, available())),
        "peers": tuple(_chosen("peers", peers, PACKAGES)),
        "repeats": options.repeats,
    }
    every = options.ops is options.steps is options.inference is None
    if every and options.quick:
        return replace(quick.tasks(options.batch_size, options.image_size), **common)
    operations = _chosen("ops", options.ops or ("all" if every else "none"), [case.op for case in CASES])

    def problems(option: str) -> "list[Problem]":
        text = getattr(options, option) or (SMALL if every else "none")
        chosen = _chosen(option, ",".join(NETWORKS) if text == "all" else text, MODELS)
        return [problem(name, batch_size=options.batch_size, image_size=options.image_size) for name in chosen]

    made = Plan(
        cases=[case for case in CASES if case.op in operations],
        training=problems("steps"),
        inference=problems("inference"),
        **common,
    )
    if not made.contests():
        raise ValueError("nothing to measure; name some --ops, --steps or --inference, or leave all three out.")
    return made


def _chosen(option: str, text: str, known: Iterable[T]) -> list[T]:
    """Those that are named, in the order in which they are known; ValueError for a name that is not."""
    known = list(dict.fromkeys(known))
    named = {"all": known, "none": []}.get(text, text.split(","))
    unknown = [name for name in named if name not in known]
    if unknown:
        raise ValueError(f"--{option} has {', '.join(unknown)}; expected some of {','.join(known)}, or all, or none.")
    return [name for name in known if name in named]
