"""Several runs: one recipe from several seeds, a grid of recipes, or both; on data that are loaded once.

Each run has a run folder of its own, as `train` leaves it. Beside them lies results.json: under `runs` how each ended,
and under `points`, best first, each recipe's accuracies, their mean and their sample standard deviation.
"""

import difflib
import functools
import itertools
import json
import math
import re
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any, Literal

from jaxcnn.data import Dataset
from jaxcnn.train import hosts, records
from jaxcnn.train.alone import alone
from jaxcnn.train.experiment import Experiment, prepare
from jaxcnn.train.init_from import Beginning, begun, read
from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.loop import train
from jaxcnn.train.placement import ONE_DEVICE, Placement
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.recipe.data import DataRecipe
from jaxcnn.train.run import Result
from jaxcnn.train.run_folder import CONFIG, MAY_CHANGE, check_out, options_of, source_of, write
from jaxcnn.train.together import small, train_together, why_not
from jaxcnn.train.watch import Watcher

RESULTS = "results.json"
_UNSAFE = re.compile(r"[^\w.,=+()\[\]-]")  # in a folder's name
# Options of which a sweep has one value: they decide how it runs, and not what is trained.
ONE_FOR_ALL = MAY_CHANGE - {"epochs", "max_steps", "patience"}
Part = Literal["valid", "test"]
Watching = Callable[[Sequence[TrainConfig]], AbstractContextManager[Sequence[Watcher]]]


@dataclass(frozen=True)
class Outcome:
    """How a run of a sweep ended.

    `part` is the part of the dataset that epochs are chosen by, "valid" where there is one, else "test". Both
    accuracies are of the last weights, and None unless the run is finished.
    """

    config: TrainConfig
    status: Literal["finished", "diverged", "stopped"]
    step: int | None = None
    part: Part = "test"
    part_accuracy: float | None = None
    test_accuracy: float | None = None
    message: str = ""  # of one that diverged


@dataclass(frozen=True)
class Point:
    """A recipe of a sweep and its runs, one for each seed; `options` are those by which it differs from the others."""

    options: dict[str, Any]
    outcomes: tuple[Outcome, ...]

    def accuracies(self, part: Part) -> list[float]:
        """Those of its finished runs, on the test images or on those of the part that epochs are chosen by."""
        found = [o.test_accuracy if part == "test" else o.part_accuracy for o in self.outcomes]
        return [accuracy for accuracy in found if accuracy is not None]

    def mean(self, part: Part) -> float | None:
        """Over its finished runs, None without one."""
        accuracies = self.accuracies(part)
        return mean(accuracies) if accuracies else None

    def deviation(self, part: Part) -> float | None:
        """The sample standard deviation over its finished runs, None of fewer than two."""
        accuracies = self.accuracies(part)
        return stdev(accuracies) if len(accuracies) > 1 else None


def spread(values: Sequence[float]) -> str:
    """0.9404 ± 0.0013: the mean and, of more than one, the sample standard deviation."""
    return f"{mean(values):.4f}" + (f" ± {stdev(values):.4f}" if len(values) > 1 else "")


def grid(*, seeds: int = 1, **options: Any) -> list[TrainConfig]:
    """The configurations of a sweep: the options of `TrainConfig`, of which some have several values, in a list.

    `grid(data="digits", learning_rate=[0.1, 0.03], optimizer=["adamw", "sgd"], seeds=3)` are twelve. With `seeds`, each
    point is trained from `seed`, `seed` + 1, and so on. The folder of a run tells its values, below `out`:
    OUT/learning_rate=0.1,optimizer=sgd/seed0.

    Raises: ValueError for an option that there is not, for a value that makes no sense, and where two runs would be the
      same.
    """
    known = [field.name for field in fields(TrainConfig)]
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"grid: there is no option {name!r} of training.{hint}")
    several = {name: list(values) for name, values in options.items() if isinstance(values, list | tuple)}
    for name, values in several.items():
        if name in ONE_FOR_ALL:
            raise ValueError(f"{name} is {_listed(values)}; expected one value for all runs.")
        if not values or any(value in values[:i] for i, value in enumerate(values)):
            raise ValueError(f"{name} is {_listed(values)}; expected different values, each once.")
    if seeds < 1:
        raise ValueError(f"seeds is {seeds}; expected 1 or more.")
    if seeds > 1 and "seed" in several:
        raise ValueError(f"seeds is {seeds}, and seed has several values already; expected one of the two.")
    first = TrainConfig(**options | {name: values[0] for name, values in several.items()})
    assert first.out is not None  # the recipe fills it in
    out = (
        Path(first.out)
        if options.get("out") or not {"data", "model"} & several.keys()
        else first.out.with_name("sweep")
    )
    named = [zip(values, _in_paths(name, values), strict=True) for name, values in several.items()]
    configs = []
    for chosen in itertools.product(*named):
        point = {name: value for name, (value, _) in zip(several, chosen, strict=True)}
        folder = out / ",".join(words for _, words in chosen)
        for seed in range(first.seed, first.seed + seeds):
            own = {"out": folder} if seeds == 1 else {"out": folder / f"seed{seed}", "seed": seed}
            configs.append(TrainConfig(**options | point | own))
    return configs


def _listed(values: Iterable[Any]) -> str:
    return ", ".join(map(str, values)) or "empty"


def _in_paths(name: str, values: Sequence[Any]) -> list[str]:
    """An option with each of its values, as part of a folder's name; of a path its last part."""
    words: list[str] = []
    for value in map(str, values):
        short = Path(value).name if ".py:" in value or Path(value).expanduser().exists() else value
        word = f"{name}={_UNSAFE.sub('-', short)[:100]}"
        words.append(word if word not in words else f"{word}-{len(words) + 1}")
    return words


def sweep(
    configs: Sequence[TrainConfig],
    *,
    out: Path | None = None,
    together: Literal["auto", "yes", "no"] = "auto",
    watching: Watching = lambda configs: nullcontext(()),
    done: Callable[[Result], None] = lambda result: None,
) -> list[Outcome]:
    """Train each of the configurations, such as those of `grid`, into its own run folder.

    Datasets are loaded, and all configurations tried on them, before the first run begins. Of configurations that
    differ in their seeds alone the step is compiled once. One that diverges leaves the others alone. With `resume` in
    the configurations, runs that are over are not run again, and the others go on from their last checkpoint.
    `max_time` is that of the whole sweep.

    Args:
      configs: each with an `out` of its own.
      out: a folder for results.json, by which runs that are over are known; None for no such file.
      together: whether configurations that differ in their seeds alone are trained as one program, see `together.py`:
        "auto" is where that is faster, by `together.small`.
      watching: given the configuration of a run, or those that are trained together, a context manager in which that
        happens; its value are those who watch.
      done: called with each `Result`, finished or stopped, when its run ends.

    Returns: an `Outcome` for each run. After Ctrl-C, SIGTERM or the end of `max_time` the last is "stopped", and those
      that were not begun have none.

    Raises: as `train` but for FloatingPointError; ValueError if two runs share a folder, or for `together="yes"`
      where a recipe does not allow it.
    """
    end = time.monotonic() + min((config.seconds("max_time") for config in configs), default=math.inf)
    with on_interrupt(begun=False) as interrupt:
        placement = hosts.place(configs[0]) if configs else ONE_DEVICE  # before JAX starts
        reading = functools.cache(read)  # each file once
        beginnings = [begun(_resumed(config), reading) for config in configs]
        configs = [replace(of.config, resume=config.resume) for of, config in zip(beginnings, configs, strict=True)]
        known = _known(configs, out)
        _check_folders([config for config in configs if config.out not in known], out)
        groups = _prepared([of for of in beginnings if of.config.out not in known], together, placement)
        outcomes = list(known.values())
        with nullcontext() if out is None else alone(out):
            for group in groups:
                _write(out, configs, outcomes)
                if interrupt.requested or time.monotonic() >= end:
                    break
                found = _run(group, end - time.monotonic(), watching, done)
                outcomes += found
                if any(outcome.status == "stopped" for outcome in found):
                    break
            return _write(out, configs, outcomes)


def points(outcomes: Sequence[Outcome]) -> list[Point]:
    """The runs by recipe, best first: the mean accuracy on the part that epochs are chosen by decides."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(recipe_of(outcome.config), []).append(outcome)
    firsts = [group[0].config for group in groups.values()]
    given = {name for config in firsts for name in config.given()} - ONE_FOR_ALL - {"seed"}
    names = [name for name in _OPTIONS if name in given and len({repr(getattr(config, name)) for config in firsts}) > 1]
    found = [Point({name: getattr(group[0].config, name) for name in names}, tuple(group)) for group in groups.values()]
    return sorted(found, key=lambda point: -mean(point.accuracies("valid") or [-math.inf]))


_OPTIONS = [field.name for field in fields(TrainConfig)]


@dataclass(frozen=True)
class _Group:
    """Runs that are trained as one program, or a single one."""

    configs: tuple[TrainConfig, ...]
    experiments: tuple[Experiment, ...]


def _run(group: _Group, seconds: float, watching: Watching, done: Callable[[Result], None]) -> list[Outcome]:
    configs: Sequence[TrainConfig] = group.configs
    if seconds < math.inf:
        configs = [replace(config, max_time=f"{seconds:.3f}s") for config in configs]  # what is left of the sweep's
    results: list[Result | FloatingPointError]
    with watching(configs) as watchers:
        if len(configs) > 1:
            results = train_together(configs, group.experiments, *watchers)
        else:
            try:
                results = [train(configs[0], *watchers, experiment=group.experiments[0])]
            except FloatingPointError as error:
                results = [error]
    outcomes = []
    for config, result in zip(configs, results, strict=True):
        if isinstance(result, Result):
            done(result)
        outcomes.append(_outcome(config, result))
    return outcomes


def _outcome(config: TrainConfig, result: Result | FloatingPointError) -> Outcome:
    if isinstance(result, FloatingPointError):
        return Outcome(config, "diverged", message=str(result))
    step, part, evaluation = int(result.state.step), result.experiment.chosen_by, result.evaluation
    if evaluation is None:
        return Outcome(config, "stopped", step, part)
    chosen = evaluation if part == "test" else result.experiment.evaluate(result.state, part)
    return Outcome(config, "finished", step, part, chosen.accuracy, evaluation.accuracy)


def _prepared(
    beginnings: Sequence[Beginning], together: Literal["auto", "yes", "no"], placement: Placement
) -> list[_Group]:
    """The runs in their order, on shared data; of those that differ in their seeds alone what is compiled is shared."""
    if hosts.several():
        raise ValueError("several processes can't share a sweep; give each a run of its own with num_processes=1.")
    datasets: dict[tuple[Any, ...], Dataset] = {}
    alike: dict[tuple[str, str | None], list[tuple[TrainConfig, Experiment]]] = {}
    for config, statistics, weights in beginnings:
        of_data = tuple(getattr(config, field.name) for field in fields(DataRecipe))
        if of_data not in datasets:
            datasets[of_data] = config.load()
        source = source_of(config)
        same = alike.setdefault((recipe_of(config), None if source is None else source.sha256), [])
        if same:
            experiment = same[0][1].seeded(config, weights)
        else:
            dataset = datasets[of_data]
            experiment = prepare(config, dataset, statistics, source=source, placement=placement, weights=weights)
        same.append((config, experiment))
    groups = []
    for same in alike.values():
        if len(same) > 1 and _as_one(*same[0], together):
            groups.append(_Group(*zip(*same, strict=True)))
        else:
            groups += [_Group((config,), (experiment,)) for config, experiment in same]
    return groups


def _as_one(config: TrainConfig, experiment: Experiment, together: Literal["auto", "yes", "no"]) -> bool:
    if together == "yes" and (reason := why_not(config, experiment)):
        raise ValueError(f"together is 'yes', but {reason}; expected 'auto' or 'no'.")
    return together == "yes" or (together == "auto" and small(experiment) and not why_not(config, experiment))


def recipe_of(config: TrainConfig) -> str:
    """What decides how a run ends, but for its seed."""
    return json.dumps({name: value for name, value in options_of(config, decisive=True).items() if name != "seed"})


def _resumed(config: TrainConfig) -> TrainConfig:
    """Of a sweep that is taken up, a run that was not begun is new."""
    return replace(config, resume=config.resume and _begun(config))


def _begun(config: TrainConfig) -> bool:
    assert config.out is not None
    return (config.out / CONFIG).exists()


def _check_folders(configs: Sequence[TrainConfig], out: Path | None) -> None:
    folders = [config.out for config in configs]
    if twice := [folder for i, folder in enumerate(folders) if folder in folders[:i]]:
        raise ValueError(f"out is {twice[0]} for two runs of the sweep; expected a folder for each.")
    for config in configs:
        if out is not None and (out / CONFIG).exists():
            raise FileExistsError(f"the run folder {out} holds a single run; choose another for a sweep with --out.")
        new = out is not None and not (out / RESULTS).exists() and not any(map(_begun, configs))
        if config.resume and new:
            raise FileNotFoundError(f"{out} holds no {RESULTS} of a sweep. Begin one without --resume.")
        if out is not None and (out / RESULTS).exists() and not (config.resume or config.overwrite):
            raise FileExistsError(
                f"the folder {out} holds a sweep already; choose another with --out, replace its runs with "
                "--overwrite, or go on with --resume."
            )
        check_out(_resumed(config))


def _known(configs: Sequence[TrainConfig], out: Path | None) -> dict[Path | None, Outcome]:
    """Of a sweep that is taken up, the runs that are over; one that is now told otherwise, to go on, is not."""
    if out is None or not any(config.resume for config in configs):
        return {}
    try:
        rows = {row.pop("folder"): row for row in records.unsealed((out / RESULTS).read_bytes())["runs"]}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        warnings.warn(f"{out / RESULTS} can't be read ({error}); runs that are over are evaluated anew.", stacklevel=3)
        return {}
    known = {}
    for config in configs:
        row = rows.get(_folder(config, out), {})
        is_over = row.get("status") == "diverged" or (row.get("status") == "finished" and _begun(config))
        if is_over and row.pop("options") == json.loads(json.dumps(options_of(config, decisive=True))):
            known[config.out] = Outcome(config, **row)
    return known


def _write(out: Path | None, configs: Sequence[TrainConfig], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write results.json; the outcomes in the order of their configurations."""
    places = [config.out for config in configs]
    ordered = sorted(outcomes, key=lambda outcome: places.index(outcome.config.out))
    if out is not None:
        runs = [
            {
                "folder": _folder(outcome.config, out),
                "options": options_of(outcome.config, decisive=True),
                **{name: value for name, value in vars(outcome).items() if name != "config"},
            }
            for outcome in ordered
        ]
        write(out / RESULTS, records.sealed({"runs": runs, "points": [_figures(point) for point in points(ordered)]}))
    return ordered


def _figures(point: Point) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "options": {name: str(v) if isinstance(v, Path) else v for name, v in point.options.items()}
    }
    for part in dict.fromkeys((point.outcomes[0].part, "test")):
        measured = {"accuracies": point.accuracies(part), "mean": point.mean(part), "deviation": point.deviation(part)}
        figures |= {f"{part}_{name}": value for name, value in measured.items()}
    return figures


def _folder(config: TrainConfig, out: Path) -> str:
    assert config.out is not None
    return config.out.relative_to(out).as_posix()
