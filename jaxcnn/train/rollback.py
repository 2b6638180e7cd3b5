"""Epochs that go back to the last checkpoint where a step is not finite, and pass over the batches that led there.

Source: Chowdhery et al. 2022, "PaLM: scaling language modeling with Pathways", section 5.1, who restart before a spike
of the loss and skip the batches around it, since other batches from there bring none.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import jax.numpy as jnp

from jaxcnn.train.diverged import first_not_finite
from jaxcnn.train.epochs import Diverged, Pause, Wish, epochs
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.watch import Watcher

LIMIT = 5  # times without the end of an epoch in between
Saved = Callable[[], tuple[TrainState, Metrics]]


def epochs_with_rollback(
    experiment: Experiment,
    state: TrainState,
    metrics: Metrics,
    watchers: Sequence[Watcher],
    wish: Callable[[], Wish],
    saved: Saved,
) -> Iterator[Pause]:
    """As `epochs`; where a step or an evaluation is not finite training goes on from what was `saved` last.

    Its `step` is set behind the one that was not finite, so that the batches up to there are passed over: what was
    learned from those after the checkpoint is lost, and none is seen again. There is a pause at once, so that what is
    resumed later has gone back, too. An epoch whose last batch is passed over ends without an evaluation.

    Raises: Diverged where that has been done `LIMIT` times and no epoch has ended since.
    """
    times = 0
    while True:
        try:
            for pause in epochs(experiment, state, metrics, watchers, wish):
                times = 0 if pause.record else times
                yield pause
            return
        except Diverged as error:
            times += 1
            if times > LIMIT:
                raise
            where = found(experiment, error, saved)
            state, metrics = saved()
            begins = int(state.step)
            warnings.warn(
                f"step {error.reached} is not finite. {where}Training goes on from the checkpoint after step {begins}, "
                f"without the batches of steps {begins + 1} to {error.reached}.",
                stacklevel=2,
            )
            state = replace(state, step=experiment.placement.whole(jnp.int32(error.reached)))
            for watcher in watchers:
                watcher.went_back(error.reached, metrics)
            yield Pause(state, metrics, None, None)
            if wish() == "stop":
                return


def found(experiment: Experiment, error: Diverged, saved: Saved) -> str:
    """What was not finite, by the steps since the last checkpoint, made once more; nothing of an evaluation."""
    return f"{first_not_finite(experiment, saved()[0], error.step)} " if error.step else ""
