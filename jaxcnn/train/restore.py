"""A run taken up again from its folder: its data, network and checkpoint."""

import math
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import jax

from jaxcnn import data
from jaxcnn.train import checkpoint
from jaxcnn.train.experiment import Experiment, prepare
from jaxcnn.train.run_folder import RunFolder, open_run
from jaxcnn.train.state import Metrics, TrainState

Name = Literal["last", "best"]


class Restored(NamedTuple):
    """A run, the experiment that it is, and the train state of one of its checkpoints."""

    run: RunFolder
    experiment: Experiment
    state: TrainState


def restore(path: Path, name: Name = "last") -> Restored:
    """The run in the folder `path` with its checkpoint `last` or `best`.

    Raises FileNotFoundError if there is no run or no such checkpoint, and ValueError if a file of it is damaged, or its
    dataset now has other classes or another image shape than the network was trained on.
    """
    run = open_run(path)
    config, facts = run.config, run.facts
    if not checkpoint.exists(run.checkpoint(name)):
        other = [n for n in ("last", "best") if checkpoint.exists(run.checkpoint(n))]
        hint = f"take --checkpoint {other[0]}" if other else f"finish an epoch with {config.command()} --resume"
        raise FileNotFoundError(f"the run {path} has no checkpoint {name!r} yet; {hint}.")
    dataset = data.load(config.data, data_dir=config.data_dir, image_size=config.image_size, skip_bad=config.skip_bad)
    for what, now, then in (
        ("classes", dataset.classes, facts.classes),
        ("image shape", dataset.image_shape, facts.image_shape),
    ):
        if now != then:
            raise ValueError(
                f"the dataset {config.data} now has the {what} {now}, but the run {path} was trained with {then}; "
                "restore the data as it was, or train again."
            )
    experiment = prepare(config, dataset, (facts.mean, facts.std))
    return Restored(run, experiment, load(run, experiment, name)[0])


def load(run: RunFolder, experiment: Experiment, name: Name = "last") -> tuple[TrainState, Metrics]:
    """The checkpoint `name`: the train state, and the metrics so far of the epoch in which it was saved."""
    like = jax.eval_shape(lambda: {"train": experiment.initial_state(), "metrics": Metrics.zero()})
    with _way_on(run, name):
        saved = checkpoint.restore(run.checkpoint(name), like)
    return saved["train"], saved["metrics"]


def save(run: RunFolder, name: Name, state: TrainState, metrics: Metrics, **remarks: float) -> None:
    """Write what `load` reads, and `remarks` beside it."""
    checkpoint.save(run.checkpoint(name), {"train": state, "metrics": metrics}, **remarks)


def best_accuracy(run: RunFolder) -> float:
    """The test accuracy that `best` was saved with; -inf where there is none, or it is damaged: the next is better.

    It is kept with the checkpoint, so that it is not lost with metrics.jsonl, to which an earlier version left it.
    """
    try:
        remarks = checkpoint.check(run.checkpoint("best"))
    except (FileNotFoundError, checkpoint.Damaged):
        return -math.inf
    if "test_accuracy" in remarks:
        return remarks["test_accuracy"]
    return max((record["test_accuracy"] for record in run.metrics()), default=-math.inf)


@contextmanager
def _way_on(run: RunFolder, name: Name) -> Iterator[None]:
    """What to do instead, after the message of a damaged or lost checkpoint."""
    try:
        yield
    except (checkpoint.Damaged, FileNotFoundError) as error:
        other: Name = "best" if name == "last" else "last"
        mine, theirs = run.checkpoint(name), run.checkpoint(other)
        try:
            checkpoint.check(theirs)
        except (checkpoint.Damaged, FileNotFoundError):
            way = f"{other} can't be had either: train again with {run.config.command()} --overwrite"
        else:
            way = f"take --checkpoint {other}"
            if name == "last":
                copy = f"{shlex.join(['rm', '-rf', str(mine)])} && {shlex.join(['cp', '-r', str(theirs), str(mine)])}"
                way += f", or go on training from there with --resume after {copy}"
        raise type(error)(f"{error}; {way}.") from error
