"""A run taken up again from its folder: its data, network and checkpoint."""

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

    Raises FileNotFoundError if there is no run or no such checkpoint, and ValueError if its dataset now has other
    classes or another image shape than the network was trained on.
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
    saved = checkpoint.restore(run.checkpoint(name), like)
    return saved["train"], saved["metrics"]


def save(run: RunFolder, name: Name, state: TrainState, metrics: Metrics) -> None:
    """Write what `load` reads."""
    checkpoint.save(run.checkpoint(name), {"train": state, "metrics": metrics})
