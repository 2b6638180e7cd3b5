"""The run folder: everything about a run, and the only place that a run writes to.

config.json       the configuration, and the facts about the dataset that the network depends on, under their hash
metrics.jsonl     one JSON object per epoch
checkpoints/      last and best, see checkpoint.py
*.png             learning curves, test predictions, gradients
"""

import contextlib
import dataclasses
import hashlib
import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

from jaxcnn.train import records
from jaxcnn.train.checkpoint import remove
from jaxcnn.train.epochs import Epoch
from jaxcnn.train.recipe import TrainConfig

_WRITTEN = ("config.json", "metrics.jsonl", "checkpoints", "curves.png", "predictions.png", "gradients.png")
_COPY = (
    "Put back a copy of it: the same command with another --out begins by writing one that differs only in the name of "
    "the folder"
)
_CHANGED = "it is not as it was written, by its sha256 (remove that line if you changed it yourself)"
_MAY_CHANGE = ("epochs", "data_dir", "max_time", "patience", "save_every", "keep", "out", "overwrite", "resume")


@dataclass(frozen=True)
class DatasetFacts:
    """What the network's meaning depends on; mean and std are per channel, of pixels scaled to 0..1."""

    name: str
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.image_shape) != 3 or min(self.image_shape) < 1:
            raise ValueError(f"image_shape is {self.image_shape}; expected height, width and channels, 1 or more each.")
        channels = self.image_shape[-1]
        if len(self.mean) != channels or len(self.std) != channels or min(self.std) <= 0:
            raise ValueError(
                f"mean is {self.mean} and std {self.std}; expected one for each channel ({channels}), std above 0."
            )


class _Parts(TypedDict):
    """What config.json holds beside the hash of both."""

    config: dict[str, Any]
    dataset: dict[str, Any]


@dataclass(frozen=True)
class RunFolder:
    """A run on disk; made by `start`, found again by `open_run`."""

    path: Path
    config: TrainConfig
    facts: DatasetFacts

    def checkpoint(self, name: Literal["last", "best"]) -> Path:
        """The folder of that checkpoint, for `checkpoint.save` and `checkpoint.restore`."""
        return self.path / "checkpoints" / name

    def metrics(self) -> list[Epoch]:
        """The epochs that metrics.jsonl tells of, first to last; a line that is not whole tells of none.

        Raises OSError if the file can't be read.
        """
        file = self.path / "metrics.jsonl"
        try:
            lines = file.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OSError(
                f"{file} can't be read ({error.strerror}). Remove it and go on; only the learning curves need it."
            ) from error
        epochs: dict[int, Epoch] = {}
        for line in lines:
            with contextlib.suppress(ValueError):
                record = records.read(Epoch, records.parse(line))
                epochs[record["epoch"]] = record
        return [epochs[number] for number in sorted(epochs)]

    def append_metrics(self, record: Epoch) -> None:
        file = self.path / "metrics.jsonl"
        try:
            with file.open("a") as lines:
                lines.write(json.dumps(record) + "\n")
        except OSError as error:
            raise OSError(f"{file} can't be written ({error.strerror}); --resume goes on when it can.") from error

    def keep_metrics(self, epochs: int) -> list[int]:
        """Drop what comes after the first `epochs`: written, but lost with the checkpoint that was to follow it.

        Returns those of the first `epochs` of which metrics.jsonl does not tell.
        """
        first = range(1, epochs + 1)
        kept = {record["epoch"]: json.dumps(record) + "\n" for record in self.metrics() if record["epoch"] in first}
        _write(self.path / "metrics.jsonl", "".join(kept.values()))
        return [epoch for epoch in first if epoch not in kept]


def check_out(config: TrainConfig) -> None:
    """Raise early, before data is loaded, if the run may not start in `config.out`; nothing is made there.

    FileExistsError for a folder in use without `overwrite` or `resume`; ValueError if `overwrite` names a folder
    that is no run, or `resume` one whose configuration differs; OSError if it cannot be written.
    """
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


def start(config: TrainConfig, facts: DatasetFacts) -> RunFolder:
    """The run folder `config.out` with its config.json written; raises as `check_out` does.

    With `overwrite`, what the earlier run wrote is removed and nothing else. With `resume`, ValueError if the
    dataset is no longer the one that the run began with, and a warning if the learning rate now takes another course.
    """
    check_out(config)
    assert config.out is not None
    run = RunFolder(config.out, config, facts)
    if config.resume:
        _check_goes_on(open_run(config.out), run)
    if config.overwrite:
        _remove_written(config.out)
    run.path.mkdir(parents=True, exist_ok=True)
    options = dataclasses.asdict(config)
    del options["overwrite"], options["resume"]  # said to one command; no part of what the run is
    written: _Parts = {
        "config": {name: str(value) if isinstance(value, Path) else value for name, value in options.items()},
        "dataset": dataclasses.asdict(facts),
    }
    _write(run.path / "config.json", json.dumps({"sha256": _hash(written)} | written, indent=2) + "\n")
    return run


def discard(run: RunFolder) -> None:
    """Remove what the run wrote and, if that leaves it empty, its folder."""
    _remove_written(run.path)
    with contextlib.suppress(OSError):  # not empty
        run.path.rmdir()


def open_run(path: Path) -> RunFolder:
    """The run in `path`. Raises FileNotFoundError if there is none, ValueError if its config.json is damaged."""
    file = path / "config.json"
    if not file.is_file():
        lost = f"{_COPY}, or train again" if (path / "checkpoints").exists() else "Make one with jaxcnn train"
        raise FileNotFoundError(f"{path} is not a run folder: it holds no config.json. {lost}.")
    try:
        written = records.parse(file.read_bytes())
        own = written.pop("sha256", None) if isinstance(written, dict) else None  # an earlier version wrote none
        parts = records.read(_Parts, written)
        now = {"out": str(path), "overwrite": False, "resume": False}  # the folder may have been moved
        config, facts = records.read(TrainConfig, parts["config"] | now), records.read(DatasetFacts, parts["dataset"])
        if own is not None and own != _hash(parts):
            raise ValueError(_CHANGED)
        return RunFolder(path, config, facts)
    except ValueError as error:
        what = str(error).rstrip(".")
        raise ValueError(f"{file} is not the config.json of a run, or is damaged: {what}. {_COPY}.") from error


def _hash(parts: _Parts) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


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
    schedule, epochs = now.config.schedule, now.config.epochs
    if schedule != "constant" and epochs != before.config.epochs:
        warnings.warn(
            f"the {schedule} schedule now stretches over {epochs} epochs, not {before.config.epochs}: the learning "
            "rate goes on from another value than the one that the run stopped at.",
            stacklevel=4,  # of train's caller
        )


def _check_same(before: TrainConfig, now: TrainConfig) -> None:
    different = [
        f"{field.name} was {getattr(before, field.name)!r} and is now {getattr(now, field.name)!r}"
        for field in dataclasses.fields(TrainConfig)
        if field.name not in _MAY_CHANGE and getattr(before, field.name) != getattr(now, field.name)
    ]
    if now.epochs < before.epochs:
        different.append(f"epochs was {before.epochs} and is now {now.epochs} (it may only grow)")
    if different:
        raise ValueError(
            f"cannot resume the run in {now.out} with other options: {'; '.join(different)}. "
            f"Go on with: {before.command()} --resume"
        )


def _write(path: Path, text: str) -> None:
    """Replace the file in one move, so that a killed write leaves the old one."""
    new = path.with_name(path.name + ".new")
    new.write_text(text)
    new.replace(path)
