"""The run folder: everything about a run, and the only place that a run writes to.

config.json       the configuration, and the facts about the dataset that the network depends on, under their hash
network.py        a copy of the user's own file, where the network is built by one
metrics.jsonl     one JSON object per epoch, per some steps, and for the norms of each layer's δ and gradient
tensorboard/      event files, where they are asked for
wandb/            what Weights & Biases keeps, where it is asked for
checkpoints/      last and best, see checkpoint.py
model/            last and best, see model_folder.py: what is needed to use the network, and no more
*.png             learning curves, test predictions, gradients
report.html       the run's page
"""

import contextlib
import dataclasses
import functools
import json
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from jaxcnn.models import custom
from jaxcnn.train import hosts, records
from jaxcnn.train.checkpoint import remove
from jaxcnn.train.facts import DatasetFacts
from jaxcnn.train.recipe import TrainConfig, WatchRecipe
from jaxcnn.train.watch import Epoch, LayerNorms, Steps
from jaxcnn.train.weights import Origin

T = TypeVar("T")
R = TypeVar("R", Steps, LayerNorms)
_Kind = Literal["epoch", "steps", "layers"]  # of a line of metrics.jsonl, in its field "kind"
CONFIG = "config.json"
_SOURCE = "network.py"
REPORT = "report.html"
_PICTURES = ("curves.png", "predictions.png", "gradients.png")
_WRITTEN = (CONFIG, _SOURCE, "metrics.jsonl", "tensorboard", "wandb", "checkpoints", "model", REPORT, *_PICTURES)
_COPY = (
    "Put back a copy of it: the same command with another --out begins by writing one that differs only in the name of "
    "the folder"
)
_SOURCE_AGAIN = "Put back a copy of it, such as the one in model/last, or train again"
# Said to one command, and no part of what the run is.
_OF_ONE_COMMAND: dict[str, Any] = {
    "overwrite": False,
    "resume": False,
    "coordinator": None,
    "num_processes": None,
    "process_id": None,
}
_MAY_CHANGE_ADDED: dict[str, Any] = {
    "max_steps": None,
    "devices": None,
    "shard_params": False,
    "stream": "auto",
    "workers": 0,
    **{field.name: field.default for field in dataclasses.fields(WatchRecipe)},
}
# Options that an earlier version did not have, and what it did.
_ADDED = {
    "warmup_steps": None,
    "remat": False,
    "best_by": "eval_accuracy",
    "crop": 1.0,
    "resample": "bilinear",
    "channels": None,
    "init_from": None,
    "unfreeze_epochs": None,
    **_MAY_CHANGE_ADDED,
}
MAY_CHANGE = {
    "epochs",
    "data_dir",
    "max_time",
    "patience",
    "save_every",
    "keep",
    "out",
    *_OF_ONE_COMMAND,
    *_MAY_CHANGE_ADDED,
}


class _Parts(TypedDict):
    """What config.json holds beside the hash of all.

    `source` is the SHA-256 of network.py, where there is one, and `origin` that of the first weights, unless random.
    """

    config: dict[str, Any]
    dataset: dict[str, Any]
    source: str | None
    origin: dict[str, Any] | None


@dataclass(frozen=True)
class RunFolder:
    """A run on disk; made by `start`, found again by `open_run`."""

    path: Path
    config: TrainConfig
    facts: DatasetFacts
    source_sha256: str | None = None  # of network.py, where there is one
    origin: Origin | None = None

    @functools.cached_property
    def source(self) -> custom.Source | None:
        """The run's copy of the user's own file. Raises ValueError if it is not what was written."""
        if self.source_sha256 is None:
            return None
        _, function = custom.split(self.config.model)
        file = self.path / _SOURCE
        try:
            copy = custom.Source(file, function, file.read_bytes())
        except OSError as error:
            raise ValueError(f"{file} can't be read ({error.strerror}). {_SOURCE_AGAIN}.") from error
        if copy.sha256 != self.source_sha256:
            raise ValueError(f"{file} is damaged: its SHA-256 is not what config.json says. {_SOURCE_AGAIN}.")
        return copy

    def model(self, name: Literal["last", "best"]) -> Path:
        """The folder of that checkpoint's model, for `model_folder.write` and `model_folder.read`."""
        return self.path / "model" / name

    def checkpoint(self, name: Literal["last", "best"]) -> Path:
        """The folder of that checkpoint, for `checkpoint.save` and `checkpoint.restore`."""
        return self.path / "checkpoints" / name

    def metrics(self) -> list[Epoch]:
        """The epochs that metrics.jsonl tells of, first to last; a line that is not whole tells of none.

        Raises OSError if the file can't be read.
        """
        epochs = {record["epoch"]: record for record in self._lines("epoch", Epoch)}
        return [epochs[number] for number in sorted(epochs)]

    def steps(self) -> list[Steps]:
        """What metrics.jsonl tells of some steps each, first to last; as `metrics`."""
        return _by_step(self._lines("steps", Steps))

    def layers(self) -> list[LayerNorms]:
        """What metrics.jsonl tells of the layers, first to last; as `metrics`."""
        return _by_step(self._lines("layers", LayerNorms))

    def append_metrics(self, record: Epoch) -> None:
        """Add the line of an epoch. Raises OSError if the file can't be written."""
        self._append(_line("epoch", record))

    def append_steps(self, record: Steps) -> None:
        """Add the line of some steps. Raises as `append_metrics`."""
        self._append(_line("steps", record))

    def append_layers(self, record: LayerNorms) -> None:
        """Add the line of all layers. Raises as `append_metrics`."""
        self._append(_line("layers", record))

    def keep_metrics(self, epochs: int, step: int) -> list[int]:
        """Drop what comes after `step`, which is at the end of the first `epochs` or in the next one.

        It was written, but is lost with the checkpoint that was to follow it. Returns those of the first `epochs` of
        which metrics.jsonl does not tell.
        """
        first = range(1, epochs + 1)
        kept = [record for record in self.metrics() if record["epoch"] in first]
        lines = [(record["step"], _line("steps", record)) for record in self.steps() if record["step"] <= step]
        lines += [(record["step"], _line("layers", record)) for record in self.layers() if record["step"] <= step]
        lines += [(record["step"], _line("epoch", record)) for record in kept]
        write(self.path / "metrics.jsonl", "".join(line for _, line in sorted(lines, key=lambda line: line[0])))
        there = {record["epoch"] for record in kept}
        return [epoch for epoch in first if epoch not in there]

    def _append(self, line: str) -> None:
        file = self.path / "metrics.jsonl"
        try:
            with file.open("a") as lines:
                lines.write(line)
        except OSError as error:
            raise OSError(f"{file} can't be written ({error.strerror}); --resume goes on when it can.") from error

    def _lines(self, kind: _Kind, fields: Callable[..., T]) -> Iterator[T]:
        file = self.path / "metrics.jsonl"
        try:
            lines = file.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OSError(
                f"{file} can't be read ({error.strerror}). Remove it and go on; only the learning curves need it."
            ) from error
        for line in lines:
            with contextlib.suppress(ValueError):
                record = records.parse(line)
                if isinstance(record, dict) and record.pop("kind", "epoch") == kind:  # an earlier version had one kind
                    yield records.read(fields, record)


def check_out(config: TrainConfig) -> None:
    """Raise early, before data is loaded, if the run may not start in `config.out`; nothing is made there.

    Of several processes the first one looks, and all raise.

    FileExistsError for a folder in use without `overwrite` or `resume`; ValueError if `overwrite` names a folder
    that is no run, or `resume` one whose configuration differs; OSError if it cannot be written.
    """
    hosts.by_first(_check_out, config)


def _check_out(config: TrainConfig) -> None:
    assert config.out is not None  # TrainConfig fills it in
    out = config.out
    if config.resume:
        _check_same(open_run(out).config, config)
    _check_writable(out)
    used = out.exists() and any(out.iterdir()) and not config.resume
    if used and not config.overwrite:
        raise FileExistsError(
            f"the run folder {out} exists already; choose another with --out, replace it with --overwrite, "
            "or go on from its last checkpoint with --resume."
        )
    if used and not _is_run(out):
        raise ValueError(
            f"--overwrite would replace {out}, which is not a run folder (it holds no config.json of a run); "
            "choose another with --out."
        )


def source_of(config: TrainConfig) -> custom.Source | None:
    """The file that the network is built by, None for one of `jaxcnn.models`: of a resumed run its copy.

    Raises ValueError if there is no such file, and as `open_run`. A warning if it is no longer what the copy is of.
    """
    if not custom.is_file(config.model):
        return None
    assert config.out is not None
    if not config.resume:
        return custom.read(config.model)
    copy = open_run(config.out).source
    with contextlib.suppress(ValueError):  # the user's may be gone
        if copy and custom.read(config.model).content != copy.content:
            warnings.warn(
                f"{custom.split(config.model)[0]} has changed since the run began; its copy {copy.path} is used.",
                stacklevel=3,
            )
    return copy


def start(
    config: TrainConfig, facts: DatasetFacts, source: custom.Source | None = None, origin: Origin | None = None
) -> RunFolder:
    """The run folder `config.out` with its config.json and `source` written; raises as `check_out` does.

    With `overwrite`, what the earlier run wrote is removed and nothing else. With `resume`, ValueError if the
    dataset is no longer the one that the run began with, and a warning if the learning rate now takes another course.
    """
    check_out(config)
    assert config.out is not None
    if config.resume and origin is None:  # not read anew
        origin = open_run(config.out).origin
    run = RunFolder(config.out, config, facts, None if source is None else source.sha256, origin)
    vars(run)["source"] = source  # which is at hand, whatever becomes of the file
    hosts.by_first(_begin, run)
    return run


def _begin(run: RunFolder) -> None:
    config, source = run.config, run.source
    if config.resume:
        _check_goes_on(open_run(run.path), run)
    if config.overwrite:
        _remove_written(run.path)
    run.path.mkdir(parents=True, exist_ok=True)
    written: _Parts = {
        "config": options_of(config),
        "dataset": dataclasses.asdict(run.facts),
        "source": run.source_sha256,
        "origin": None if run.origin is None else dataclasses.asdict(run.origin),
    }
    if source is not None:
        (run.path / _SOURCE).write_bytes(source.content)
    write(run.path / CONFIG, records.sealed(written))


def options_of(config: TrainConfig, *, decisive: bool = False) -> dict[str, Any]:
    """The configuration as JSON has it; of it only what decides how the run ends, where that is asked for."""
    left_out = MAY_CHANGE - {"epochs", "max_steps", "patience"} if decisive else _OF_ONE_COMMAND
    fields = {name: value for name, value in dataclasses.asdict(config).items() if name not in left_out}
    return {name: str(value) if isinstance(value, Path) else value for name, value in fields.items()}


def discard(run: RunFolder) -> None:
    """Remove what the run wrote and, if that leaves it empty, its folder."""
    _remove_written(run.path)
    with contextlib.suppress(OSError):  # not empty
        run.path.rmdir()


def open_run(path: Path) -> RunFolder:
    """The run in `path`. Raises FileNotFoundError if there is none, ValueError if its config.json is damaged."""
    file = path / CONFIG
    if not file.is_file():
        lost = f"{_COPY}, or train again" if (path / "checkpoints").exists() else instead_of(path)
        raise FileNotFoundError(f"{path} is not a run folder: it holds no config.json. {lost}.")
    try:
        written = records.unsealed(file.read_bytes())
        if isinstance(written, dict):
            written = {"source": None, "origin": None} | written  # an earlier version wrote none
        parts = records.read(_Parts, written)
        now = _OF_ONE_COMMAND | {"out": str(path)}  # the folder may have been moved
        config = records.read(TrainConfig, _ADDED | parts["config"] | now)
        facts = records.read(DatasetFacts, parts["dataset"])
        origin = None if parts["origin"] is None else records.read(Origin, parts["origin"])
    except ValueError as error:
        what = str(error).rstrip(".")
        raise ValueError(f"{file} is not the config.json of a run, or is damaged: {what}. {_COPY}.") from error
    return RunFolder(path, config, facts, parts["source"], origin)


def instead_of(path: Path) -> str:
    """What to take in the place of a folder that holds no run: the runs within it, of a sweep, or a new one."""
    runs = runs_in(path)
    if not runs:
        return "Make one with jaxcnn train"
    return f"It holds {len(runs)} runs of a sweep, such as {runs[0]}; take one of them"


def runs_in(path: Path) -> list[Path]:
    """The run folders of a sweep whose folder this is."""
    return sorted(file.parent for depth in (1, 2) for file in path.glob("*/" * depth + CONFIG))


def _is_run(path: Path) -> bool:
    try:
        open_run(path)
    except (OSError, ValueError):
        return False
    return True


def _check_writable(out: Path) -> None:
    missing = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise OSError(
            f"the run folder {out} cannot be written ({error.strerror}); choose another with --out."
        ) from error
    finally:
        for folder in missing:
            with contextlib.suppress(OSError):  # it could not be made
                folder.rmdir()


def _remove_written(out: Path) -> None:
    for name in _WRITTEN:
        remove(out / name)


def _check_goes_on(before: RunFolder, now: RunFolder) -> None:
    if before.facts != now.facts:
        raise ValueError(
            f"cannot resume the run in {now.path}: its dataset has changed (classes, image shape or pixel "
            f"statistics). Compare {now.path / 'config.json'} with the data, or start again with --overwrite."
        )
    schedule, length, was = now.config.schedule, _length(now.config), _length(before.config)
    if schedule != "constant" and length != was:
        warnings.warn(
            f"the {schedule} schedule now stretches over {length}, not {was.split()[0]}: the learning rate goes on "
            "from another value than the one that the run stopped at.",
            stacklevel=4,  # of train's caller
        )


def _length(config: TrainConfig) -> str:
    return f"{config.epochs} epochs" if config.max_steps is None else f"{config.max_steps} steps"


def _check_same(before: TrainConfig, now: TrainConfig) -> None:
    different = [
        f"{field.name} was {getattr(before, field.name)!r} and is now {getattr(now, field.name)!r}"
        for field in dataclasses.fields(TrainConfig)
        if field.name not in MAY_CHANGE and getattr(before, field.name) != getattr(now, field.name)
    ]
    assert before.epochs is not None and now.epochs is not None  # filled in
    if now.epochs < before.epochs:
        different.append(f"epochs was {before.epochs} and is now {now.epochs} (it may only grow)")
    if (now.max_steps is None) != (before.max_steps is None) or (now.max_steps or 0) < (before.max_steps or 0):
        different.append(f"max_steps was {before.max_steps} and is now {now.max_steps} (it may only grow)")
    if different:
        raise ValueError(
            f"cannot resume the run in {now.out} with other options: {'; '.join(different)}. "
            f"Go on with: {before.command()} --resume"
        )


def _by_step(records: Iterable[R]) -> list[R]:
    """In order; of several about one step the last that was written."""
    last = {record["step"]: record for record in records}
    return [last[step] for step in sorted(last)]


def _line(kind: _Kind, record: Epoch | Steps | LayerNorms) -> str:
    return json.dumps({"kind": kind, **record}) + "\n"


def write(path: Path, text: str) -> None:
    """Replace the file in one move, so that a killed write leaves the old one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)
