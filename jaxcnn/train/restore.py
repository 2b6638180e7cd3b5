"""A run taken up again from its folder: its data, network and checkpoint."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, NamedTuple

import jax

from jaxcnn.train import checkpoint, hosts, model_folder
from jaxcnn.train.experiment import Experiment, prepare
from jaxcnn.train.keeper import save_model
from jaxcnn.train.run_folder import RunFolder, open_run
from jaxcnn.train.state import Metrics, TrainState

Name = Literal["last", "best"]
_OTHER: dict[Name, Name] = {"last": "best", "best": "last"}


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
    instead = f"take --checkpoint {_OTHER[name]}"
    with _way_on(run, name, instead):
        if not checkpoint.exists(run.checkpoint(name)):
            raise FileNotFoundError(f"the run {path} has no checkpoint {name!r} yet")
    dataset = config.load()
    for what, now, then in (
        ("classes", dataset.classes, facts.classes),
        ("image shape", dataset.image_shape, facts.image_shape),
    ):
        if now != then:
            raise ValueError(
                f"the dataset {config.data} now has the {what} {now}, but the run {path} was trained with {then}; "
                "restore the data as it was, or train again."
            )
    experiment = prepare(config, dataset, (facts.mean, facts.std), source=run.source)
    with _way_on(run, name, instead):
        return Restored(run, experiment, _read(run, experiment, name)[0])


def load(run: RunFolder, experiment: Experiment) -> tuple[TrainState, Metrics] | None:
    """What `last` holds, to go on from: the train state, and the metrics so far of the epoch in which it was saved.

    None if the run has no checkpoint at all. Raises as `restore`.
    """
    with _way_on(run, "last"):
        there = any(checkpoint.exists(run.checkpoint(name)) for name in _OTHER)
        return _read(run, experiment, "last") if there else None


def _read(run: RunFolder, experiment: Experiment, name: Name) -> tuple[TrainState, Metrics]:
    like = jax.eval_shape(lambda: {"train": experiment.initial_state(), "metrics": Metrics.zero()})
    like = experiment.placement.like(like)
    saved = checkpoint.restore(run.checkpoint(name), like, added=["metrics/gradient"])
    return saved["train"], saved["metrics"]


def mend_models(run: RunFolder, experiment: Experiment) -> None:
    """Write again, from its checkpoint, each model that is damaged or missing."""
    for name in _OTHER:
        if hosts.by_first(_is_damaged, run.model(name)):
            with suppress(FileNotFoundError, checkpoint.Damaged):
                state, _ = _read(run, experiment, name)
                by_step = {record["step"]: record["eval_accuracy"] for record in run.metrics()}
                remarks = checkpoint.check(run.checkpoint(name))
                accuracy = remarks.get("eval_accuracy", by_step.get(int(state.step)))
                on_host = experiment.placement.fetched(replace(state, opt_state=()))
                if hosts.first():
                    save_model(run, experiment, name, on_host, accuracy)


def _is_damaged(model: Path) -> bool:
    try:
        model_folder.read(model)
    except (FileNotFoundError, ValueError):
        return True
    return False


@contextmanager
def _way_on(run: RunFolder, name: Name, *instead: str) -> Iterator[None]:
    """What to do, after the message of a damaged or lost checkpoint; first what the command can do `instead`."""
    try:
        yield
    except (checkpoint.Damaged, FileNotFoundError) as error:
        other = _OTHER[name]
        mine, theirs = run.checkpoint(name), run.checkpoint(other)
        try:
            checkpoint.check(theirs)
        except checkpoint.Damaged:
            way = f"{other} is damaged, too: train again with {run.config.command()} --overwrite"
        except FileNotFoundError:
            if isinstance(error, FileNotFoundError):
                way = f"finish an epoch with {run.config.command()} --resume"
            else:
                way = f"there is no {other}: train again with {run.config.command()} --overwrite"
        else:
            copy = f"{shlex.join(['rm', '-rf', str(mine)])} && {shlex.join(['cp', '-r', str(theirs), str(mine)])}"
            go_on = [f"go on training from {other} with --resume after {copy}"] if name == "last" else []
            way = ", or ".join([*instead, *go_on])
        raise type(error)(f"{error}; {way}.") from error
