"""Several seeds of one recipe as one program: the train state has a leading axis, along which a step is vmapped.

A small network's step is mostly the call itself, and of N seeds there is then one call instead of N. Each seed has its
own order of images, gathered on the device, its own keys and its own run folder, as if it were trained alone; its
parameters are the same but for the rounding of sums, which a compiler orders otherwise in a larger array.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from statistics import fmean
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.layers import summary
from jaxcnn.train.clock import Clock
from jaxcnn.train.epochs import Diverged, Lap, Pause, check_finite
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.feed import InMemory, Order
from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.log import Log
from jaxcnn.train.measure_layers import MeasureLayers, wanted
from jaxcnn.train.placement import ONE_DEVICE
from jaxcnn.train.program import Program
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run import Result, Run, taken_up
from jaxcnn.train.run_folder import check_out
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.watch import Epoch, Watcher

Tree = TypeVar("Tree")
SMALL = 5_000_000  # multiply-adds, see `small`


def small(experiment: Experiment) -> bool:
    """Whether seeds of this experiment are done sooner together than one after the other.

    Its `multiply_adds` decide, which are the same in each run, and not its time. `experiments/seeds_together.py`
    measures how many they may be, on a CPU.
    """
    return multiply_adds(experiment) <= SMALL


def multiply_adds(experiment: Experiment) -> int:
    """Of a step's forward pass."""
    return summary(experiment.model, experiment.dataset.image_shape).multiply_adds * experiment.batch_size


def why_not(config: TrainConfig, experiment: Experiment) -> str:
    """What the recipe has that seeds can't have in one program, "" for nothing."""
    if config.patience is not None:
        return f"patience={config.patience} may stop each seed at another epoch"
    if config.on_nonfinite not in ("stop", "skip"):
        return f"on_nonfinite={config.on_nonfinite} takes each seed back to another step"
    if config.max_steps is not None:
        return f"max_steps={config.max_steps} may end within an epoch"
    if config.unfreeze_epochs is not None:
        return f"unfreeze_epochs={config.unfreeze_epochs} makes another step of it from time to time"
    if config.remat:
        return "remat=True asks for a compilation of its own"
    if config.tensorboard or config.wandb is not None:
        return "each seed is to be told to others by itself"
    if experiment.placement is not ONE_DEVICE:
        return "batches are cut over several devices"
    if not isinstance(experiment.feed, InMemory):
        return "the images do not lie on the device"
    return ""


@dataclass(frozen=True)
class Orders:
    """The orders of several seeds; rows are (seeds, batch_size)."""

    orders: Sequence[Order]

    def rest_of_epoch(self, step: int) -> Iterator[np.ndarray]:
        """The rows of each step after `step` steps, to the end of their epoch."""
        return map(np.stack, zip(*(order.rest_of_epoch(step) for order in self.orders), strict=True))


def train_together(
    configs: Sequence[TrainConfig], experiments: Sequence[Experiment], *watchers: Watcher
) -> list[Result | FloatingPointError]:
    """Train configurations that differ in their seeds alone, as `train` does each; all pause, and stop, together.

    Watchers hear of the sums over seeds after a step, of the means after an epoch. The error of a seed that diverges is
    returned in the place of its result, and the others go on. Raises as `train` otherwise.
    """
    first = experiments[0]
    per_epoch, total = first.steps_per_epoch, first.total_steps
    assert isinstance(first.feed, InMemory)
    feed = first.feed.in_order(Orders([experiment.order for experiment in experiments]))
    train_step = Program(jax.vmap(first.train_step))
    with on_interrupt(begun=False) as interrupt, ExitStack() as folders:
        clock = Clock(configs[0], interrupt)
        for config in configs:
            check_out(config)
        interrupt.begin()
        runs = [folders.enter_context(taken_up(*of)) for of in zip(configs, experiments, strict=True)]
        seeds = [_Seed(run) for run in runs]
        begun = step = min(seed.start for seed in seeds)
        states, metrics = stacked([(run.state, run.metrics) for run in runs])
        for watcher in watchers:
            watcher.started(first, step)
        every = configs[0].log_every
        while step < total and not all(seed.error for seed in seeds) and clock.wish() != "stop":
            laps = [Lap(experiment, step) for experiment in experiments]
            for images, labels in feed.rest_of_epoch(step):
                for place, seed in enumerate(seeds):
                    if step == seed.start > begun:  # it was further than the others
                        states, metrics = _put(place, (states, metrics), (seed.run.state, seed.run.metrics))
                states, of_batch = train_step(states, images, labels)
                metrics, step = metrics.plus(of_batch), step + 1
                for watcher in watchers:
                    watcher.step_done(step, _sum(metrics))
                asked, place = clock.wish(), step % per_epoch
                if every and place % every == 0:
                    for seed, of_seed in zip(seeds, apart(len(seeds), metrics), strict=True):
                        seed.log(step, of_seed)
                if asked == "go on" or place == 0:
                    continue
                for seed, of in zip(seeds, apart(len(seeds), (states, metrics)), strict=True):
                    seed.keep(step, of[1], partial(_within_epoch, *of))
                clock.saved()
                if asked == "stop":
                    break
            else:
                for seed, lap, of in zip(seeds, laps, apart(len(seeds), (states, metrics)), strict=True):
                    seed.keep(step, of[1], partial(lap.ended, step, *of))
                clock.saved()
                metrics = stacked([Metrics.zero() for _ in seeds])
                if records := [seed.record for seed in seeds if seed.record]:
                    for watcher in watchers:
                        watcher.epoch_done(_mean(records))
        if step == 0:
            for seed in seeds:
                seed.keep(step, seed.run.metrics, partial(Pause, seed.run.state, seed.run.metrics, None, None))
        return [seed.error or seed.run.result() for seed in seeds]


class _Seed:
    """A run among the others, from the step at which it was taken up."""

    def __init__(self, run: Run) -> None:
        self.run, self.start = run, int(run.state.step)
        self.record: Epoch | None = None
        self.error: FloatingPointError | None = None
        self._logged = self.start
        self._log = Log(run.folder.config.log_every, [run.folder.append_steps], run.metrics)
        self._log.started(run.experiment, self.start)
        self._layers = None
        if wanted(run.folder.config.layer_norms, run.experiment):
            self._layers = MeasureLayers([run.folder.append_layers])
            self._layers.started(run.experiment, self.start)
            if not self.start:
                self._layers.stands(0, run.state)

    def log(self, step: int, metrics: Metrics) -> None:
        """The lines of steps, as of a run alone."""
        if step > self._logged and not self.error:
            self._log.step_done(step, metrics)
            self._logged = step

    def keep(self, step: int, metrics: Metrics, pause: Callable[[], Pause]) -> None:
        """Write what the pause leaves, unless the run was further already, or has diverged."""
        self.record = None
        if self.error or (step <= self.start and step > 0):
            return
        try:
            left = pause()
            if left.record is None and step > self.start:
                self.log(step, metrics)
                self._log.paused(step)
            if self._layers and left.record is not None:
                self._layers.stands(step, left.state)
            self.run.keep(left)
            self.record = left.record
            if left.record is not None:
                self._log.epoch_done(left.record)
        except Diverged as error:
            self.error = self.run.diverged(error)


def _within_epoch(state: TrainState, metrics: Metrics) -> Pause:
    check_finite(metrics)
    return Pause(state, metrics, None, None)


@jax.jit
def stacked(trees: Sequence[Tree]) -> Tree:
    """One tree, whose arrays have a leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


@partial(jax.jit, static_argnums=0)
def apart(count: int, tree: Tree) -> list[Tree]:
    """The trees of which `stacked` made one."""
    return [jax.tree.map(itemgetter(place), tree) for place in range(count)]


@partial(jax.jit, donate_argnums=1)
def _put(place: int, tree: Tree, own: Tree) -> Tree:
    return jax.tree.map(lambda leaf, one: leaf.at[place].set(one), tree, own)


@jax.jit
def _sum(metrics: Metrics) -> Metrics:
    of_all = jax.tree.map(jnp.sum, metrics)
    return of_all._replace(diverged_at=jnp.max(metrics.diverged_at))


def _mean(records: Sequence[Epoch]) -> Epoch:
    """Of each figure; an epoch's number and part are the same for all."""
    means = {name: fmean(map(float, column)) for name, column in _columns(records).items() if type(column[0]) is float}
    return cast(Epoch, {**records[0], **means})


def _columns(records: Sequence[Epoch]) -> dict[str, list[Any]]:
    return {name: [cast(dict[str, Any], record)[name] for record in records] for name in records[0]}
