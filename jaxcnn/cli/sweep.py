"""`jaxcnn train` of several runs: from several seeds, and of each combination of options that are given several values.

`--learning-rate 0.1,0.03 --augment none --augment flip` are four points: numbers and words with commas, texts that have
commas themselves by being repeated.
"""

import os
import shlex
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcnn.cli.train import TrainOptions
from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.recipe.option import ALIASES

if TYPE_CHECKING:
    from rich.table import Table

    from jaxcnn.train.run import Result
    from jaxcnn.train.sweep import Outcome, Point
    from jaxcnn.train.watch import Watcher

WITH_COMMAS = ("augment", "freeze")  # options whose values have commas themselves
OF_THE_SWEEP = ("seeds", "together")  # options that are no run's


@dataclass(frozen=True)
class SweepOptions(TrainOptions):
    """The command with the first value of each option; all values of those that have `several`; and as it was typed."""

    several: dict[str, list[Any]] = field(default_factory=dict)
    words: tuple[str, ...] = ()


def parsed(words: Sequence[str], parse: Callable[[Sequence[str]], Any]) -> Any:
    """What `parse` makes of a command; of `train` with several seeds or values `SweepOptions`.

    Each value is parsed as if it were the only one, so that a wrong one gets the same message.
    """
    if words[:1] != ["train"]:
        return parse(words)
    pieces = list(_pieces(words))
    values: dict[str, list[str]] = {}
    for name, value in pieces:
        if name in WITH_COMMAS:
            values.setdefault(name, []).append(value)
        elif name is not None:  # of one that is repeated the last counts, as in every command
            values[name] = _values(name, value)

    def with_one_value(**chosen: str) -> Any:
        command, seen = [], set()
        for name, word in pieces:
            if name is None:
                command.append(word)
            elif name not in seen:
                seen.add(name)
                command += [f"--{name.replace('_', '-')}", chosen.get(name, values[name][0])]
        return parse(command)

    several = {name: some for name, some in values.items() if len(some) > 1}
    options = with_one_value() if several else parse(words)
    if not several and options.seeds == 1:
        return options
    read = {name: [getattr(with_one_value(**{name: v}), name) for v in some] for name, some in several.items()}
    return SweepOptions(**vars(options), several=read, words=tuple(words))


def _pieces(words: Sequence[str]) -> Iterator[tuple[str | None, str]]:
    """Options that take a value, with it; every other word with None."""
    rest = iter(words)
    for word in rest:
        option, given, value = word.partition("=")
        name = ALIASES.get(option, option.removeprefix("--")).replace("-", "_")
        if not option.startswith("--") or _TYPES.get(name, bool) is bool:
            yield None, word
        elif given:
            yield name, value
        elif (following := next(rest, None)) is not None:
            yield name, following
        else:
            yield None, word


_TYPES = typing.get_type_hints(TrainOptions)


def _values(name: str, text: str) -> list[str]:
    """The values that the text of an option has. A path that there is, is one, whatever commas it has."""
    kinds = typing.get_args(_TYPES[name]) if isinstance(_TYPES[name], types.UnionType) else (_TYPES[name],)
    one = name in (*WITH_COMMAS, *OF_THE_SWEEP) or Path in kinds
    if one or (str in kinds and Path(text.rpartition(":")[0] or text).expanduser().exists()):
        return [text]
    return text.split(",")


def run(options: SweepOptions) -> int:
    """Train all; returns 0, 1 if no run is finished or the handwritten gradients are wrong, or what `train` does."""
    with on_interrupt(begun=False) as interrupt:
        from jaxcnn.cli.console import Console
        from jaxcnn.cli.train import check
        from jaxcnn.cli.watchers import watchers
        from jaxcnn.report.run import draw, write_comparison
        from jaxcnn.train import hosts
        from jaxcnn.train.run_folder import CONFIG
        from jaxcnn.train.sweep import grid, points, sweep

        console = Console(soft_wrap=True)
        told = {name: getattr(options, name) for name in TrainConfig.__dataclass_fields__} | options.several
        configs = grid(seeds=options.seeds, **told)
        out = Path(os.path.commonpath([config.out for config in configs if config.out is not None]))
        if options.dry_run:
            from jaxcnn.cli import plan

            console.print(f"the first of {len(configs)} runs:")
            return plan.show(configs[0], hosts.place(configs[0]))
        places = [config.out for config in configs]
        checked: dict[str, bool] = {}  # by network

        @contextmanager
        def watching(runs: Sequence[TrainConfig]) -> Iterator[Sequence["Watcher"]]:
            first, last = (places.index(config.out) + 1 for config in (runs[0], runs[-1]))
            if len(runs) == 1:
                console.print(f"run {first} of {len(configs)}: {runs[0].out}")
            else:
                console.print(f"runs {first} to {last} of {len(configs)}, as one program: {runs[0].out} and so on")
            with watchers(runs[0]) as heard:
                yield heard

        def done(result: "Result") -> None:
            if result.evaluation is None:
                return
            draw(result)
            name = result.run.config.model
            if name not in checked and not interrupt.requested:
                found = check(result, console.print)
                checked[name] = found is None or found.agrees

        outcomes = sweep(configs, out=out, together=options.together, watching=watching, done=done)
        found = points(outcomes)
        if len(found) == 1:
            console.print_table(_by_seed(found[0]))
            if len(accuracies := found[0].accuracies("test")) > 1:
                console.print(f"test accuracy {_cell(found[0], 'test')} over {len(accuracies)} seeds")
        elif found:
            console.print_table(_by_point(found))
        begun = [place for place in places if place is not None and (place / CONFIG).exists()]
        if page := write_comparison(begun, out):
            console.print(f"page {page}")
        console.print(f"results in {out / 'results.json'}")
        if len(outcomes) < len(configs) or any(outcome.status == "stopped" for outcome in outcomes):
            over = sum(outcome.status != "stopped" for outcome in outcomes)
            again = [word for word in options.words if word not in ("--overwrite", "--resume")]
            command = shlex.join(["jaxcnn", *again, "--resume"])
            console.print(f"stopped after {over} of {len(configs)} runs; go on with: {command}")
            return interrupt.exit_code
        if interrupt.requested:
            return interrupt.exit_code
        finished = any(outcome.status == "finished" for outcome in outcomes)
        return 0 if finished and all(checked.values()) else 1


def _by_seed(point: "Point") -> "Table":
    from rich.table import Table

    parts = _parts(point.outcomes)
    table = Table("seed", *(f"{part} accuracy" for part in parts))
    for outcome in point.outcomes:
        accuracies = [outcome.test_accuracy if part == "test" else outcome.part_accuracy for part in parts]
        cells = [outcome.status if accuracy is None else f"{accuracy:.4f}" for accuracy in accuracies]
        table.add_row(str(outcome.config.seed), *cells)
    return table


def _by_point(points: Sequence["Point"]) -> "Table":
    """Best first."""
    from rich.table import Table

    parts = _parts([outcome for point in points for outcome in point.outcomes])
    names = [name.replace("_", "-") for name in points[0].options]
    table = Table(*names, *(f"{part} accuracy" for part in parts))
    for point in points:
        table.add_row(*map(str, point.options.values()), *(_cell(point, part) for part in parts))
    return table


def _parts(outcomes: Sequence["Outcome"]) -> list[Any]:
    """The part that decided first."""
    return list(dict.fromkeys([*(outcome.part for outcome in outcomes if outcome.status == "finished"), "test"]))


def _cell(point: "Point", part: Any) -> str:
    """0.9861 ± 0.0021, and how many of its runs have none."""
    from jaxcnn.train.sweep import spread

    accuracies, runs = point.accuracies(part), len(point.outcomes)
    words = [spread(accuracies)] if accuracies else []
    for status in ("diverged", "stopped"):
        if count := sum(outcome.status == status for outcome in point.outcomes):
            words.append(status if runs == 1 else f"{count} of {runs} {status}")
    return ", ".join(words)
