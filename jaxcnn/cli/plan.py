"""`jaxcnn train --dry-run`: what a run would be, without one."""

import itertools
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from jaxcnn.train.recipe import TrainConfig

if TYPE_CHECKING:
    from jax import Array

    from jaxcnn.train.experiment import Experiment
    from jaxcnn.train.placement import Placement

TIMED_STEPS = 5


class Cost(NamedTuple):
    """What a training step takes: seconds, those of compiling it, and bytes by XLA's plan for the device.

    `held` are the parameters and all else that is kept from step to step, with a batch; `memory` is with what the step
    itself needs meanwhile. What oneDNN takes for a convolution on a CPU is not in it.
    """

    seconds: float
    compiling: float
    held: int
    memory: int


def show(config: TrainConfig, placement: "Placement") -> int:
    """Print the data, the network as a table, memory, steps and their time; returns 0. Nothing is written.

    A few steps are taken to measure them. Raises as `train` before its first step.
    """
    import math

    from jaxcnn.cli.amounts import duration, memory
    from jaxcnn.cli.progress import heading
    from jaxcnn.layers import summary
    from jaxcnn.train.experiment import prepare
    from jaxcnn.train.init_from import begun
    from jaxcnn.train.run_folder import check_out, source_of

    config, statistics, weights = begun(config)
    check_out(config)
    source = source_of(config)
    experiment = prepare(config, config.load(), statistics, source=source, placement=placement, weights=weights)
    for line in heading(config.title, experiment):
        print(line)
    print(summary(experiment.model, experiment.dataset.image_shape))  # in full, also on a narrow terminal
    per_epoch, batch = experiment.steps_per_epoch, experiment.batch_size
    steps = experiment.total_steps
    print(f"steps: {steps:,} of {batch:,} images in {experiment.epochs:,} epochs of {per_epoch:,}", flush=True)

    cost = measured(experiment)
    whole, held = memory(cost.memory), memory(cost.held)
    pixels = memory(sum(math.prod(images.shape) for images, _ in experiment.dataset.parts.values()))
    each = f" on each of {placement.devices} devices" if placement.devices > 1 else ""
    print(f"memory{each}: {whole} in a step, {held} of it from step to step; all pixels {pixels}")
    speed = batch / cost.seconds
    print(f"time of a step: {cost.seconds:.3g} s, {speed:,.0f} images/s; {cost.compiling:.0f} s to compile it")
    print(f"time of all steps: {duration(cost.seconds * steps)}, without evaluations")
    print(f"run folder: {config.out}, which is not made now")
    return 0


def measured(experiment: "Experiment") -> Cost:
    """The mean of some steps, after the first."""
    import jax

    state, batches = experiment.initial_state(), _batches(experiment)
    images, labels = next(batches)
    began = time.perf_counter()
    step = experiment.train_step.lower(state, images, labels).compile()
    compiling = time.perf_counter() - began
    state, metrics = step(state, images, labels)
    jax.block_until_ready(metrics)
    began = time.perf_counter()
    for images, labels in itertools.islice(batches, TIMED_STEPS):
        state, metrics = step(state, images, labels)
    jax.block_until_ready((state, metrics))
    seconds = (time.perf_counter() - began) / TIMED_STEPS
    experiment.feed.close()
    plan = step.memory_analysis()
    held = plan.argument_size_in_bytes
    memory = held + plan.temp_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    return Cost(seconds, compiling, held, memory)


def _batches(experiment: "Experiment") -> Iterator[tuple["Array", "Array"]]:
    """The batches of the run, epoch after epoch."""
    for epoch in itertools.count():
        yield from experiment.feed.rest_of_epoch(epoch * experiment.steps_per_epoch)
