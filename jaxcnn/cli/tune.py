"""`jaxcnn tune`: measure which kernel is the fastest for which convolution on this CPU."""

import collections
import operator
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True)
class TuneOptions:
    """Measure which kernels compute convolutions the fastest on this CPU.
    $ jaxcnn tune

    Takes one to two minutes, in which nothing else should run.
    """

    out: Annotated[
        Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="(default: the user's cache, where it is found)")
    ] = None
    """Where to write the table."""


def run(options: TuneOptions) -> int:
    """Measure, write, and say what changes; returns 0."""
    import jax

    from jaxcnn.bench.tune import choices, measure
    from jaxcnn.cli.console import Console
    from jaxcnn.kernels import library, table

    found = library.find()
    if isinstance(found, library.Missing):
        raise ValueError(f"there is nothing to choose from: {found.reason}. `jaxcnn doctor` says how to add it.")
    if jax.default_backend() != "cpu":
        raise ValueError(f"this is for CPUs, and JAX computes on {jax.default_backend()}; set JAX_PLATFORMS=cpu.")
    file = table.user_file() if options.out is None else options.out
    if options.out is not None and not file.resolve().parent.is_dir():
        raise ValueError(f"--out is {file}, but the folder {file.resolve().parent} does not exist.")

    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    console, started = Console(soft_wrap=True), time.perf_counter()
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        going = bar.add_task("measuring", total=1.0)
        measured = measure(lambda share: bar.update(going, completed=share))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(measured.to_json())
    chosen, others = choices(measured), choices(table.shipped(found.instructions))
    counted = collections.Counter(chosen)
    print(f"cpu       {table.cpu_model()}, {found.instructions}")
    print(f"measured  {len(chosen)} convolutions in {time.perf_counter() - started:.0f} s")
    print("fastest   " + ", ".join(f"{kernel} {n}" for kernel, n in counted.most_common()))
    print(f"changed   {sum(map(operator.ne, chosen, others))} of them, beside jaxcnn's own table")
    print(f"table     {file}")
    return 0
