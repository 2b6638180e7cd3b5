"""From the configuration to optax: the learning rate over time, and the optimizer."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxcnn.primitive import promoting
from jaxcnn.train.config import TrainConfig


def make_schedule(config: TrainConfig, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate as a function of the step, 0 being the first of `epochs * steps_per_epoch`.

    "step" divides the rate by 10 after 1/2 and 3/4 of the steps, as He et al. 2015 train their CIFAR networks.
    "cosine" is Loshchilov & Hutter 2017 without restarts. "onecycle" is Smith & Topin 2018 with cosine sides: from
    1/25 of the peak up to it in 30 % of the steps, then down to 1/250000 of it. `warmup` epochs of linear rise
    come before the others and take part of their time; of n such steps the first has 1/n of the peak, the last all.
    """
    return promoting()(_schedule(config, steps_per_epoch))  # optax multiplies booleans by floats


def _schedule(config: TrainConfig, steps_per_epoch: int) -> optax.Schedule:
    peak = config.learning_rate
    assert peak is not None  # TrainConfig fills it in
    total = config.epochs * steps_per_epoch
    rise = round(config.warmup * steps_per_epoch)
    rest = max(total - rise, 1)
    if config.schedule == "onecycle":
        return optax.cosine_onecycle_schedule(total, peak)
    if config.schedule == "cosine":
        schedule = optax.cosine_decay_schedule(peak, rest)
    elif config.schedule == "step":
        half = max(rest // 2, 1)  # so that in a run of a few steps, too, each drop has a step of its own
        schedule = optax.piecewise_constant_schedule(peak, {half: 0.1, max(rest * 3 // 4, half + 1): 0.1})
    else:
        schedule = optax.constant_schedule(peak)
    if not rise:
        return schedule
    return optax.join_schedules([lambda step: peak * (step + 1) / rise, schedule], [rise])


def make_optimizer(config: TrainConfig, schedule: optax.Schedule) -> optax.GradientTransformation:
    """The optimizer with its weight decay.

    Weight decay acts on kernels, the parameters of two or more axes, and spares biases and batch norm's scale and
    offset. For adamw it is decoupled: the weights shrink by learning rate × decay at each step (Loshchilov & Hutter
    2019). For every other optimizer, adam included, decay × weight is added to the gradient (L2).
    """
    decay = config.weight_decay
    assert decay is not None  # TrainConfig fills it in
    if config.optimizer == "adamw":
        return optax.adamw(schedule, weight_decay=decay, mask=_kernels)
    if config.optimizer == "adam":
        optimizer = optax.adam(schedule)
    elif config.optimizer == "sgd":
        optimizer = optax.sgd(schedule)
    else:
        optimizer = optax.sgd(schedule, momentum=config.momentum, nesterov=config.optimizer == "nesterov")
    return optax.chain(optax.add_decayed_weights(decay, mask=_kernels), optimizer) if decay else optimizer


def _kernels(params: Any) -> Any:
    return jax.tree.map(lambda p: jnp.ndim(p) >= 2, params)
