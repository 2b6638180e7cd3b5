"""From the recipe to optax: the learning rate over time, and the optimizer."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from optax import contrib

from jaxcnn.layers import Layer
from jaxcnn.layers.walk import Path, layer_of, leaves
from jaxcnn.primitive import promoting
from jaxcnn.train.freeze import is_frozen
from jaxcnn.train.recipe import OptimizationRecipe


def make_schedule(recipe: OptimizationRecipe, steps_per_epoch: int) -> optax.Schedule:
    """The learning rate as a function of the step, 0 being the first of `max_steps` or of those in all `epochs`.

    "step" divides the rate by 10 after 1/2 and 3/4 of the steps, as He et al. 2015 train their CIFAR networks.
    "cosine" is Loshchilov & Hutter 2017 without restarts. "onecycle" is Smith & Topin 2018 with cosine sides: from
    1/25 of the peak up to it in 30 % of the steps, then down to 1/250000 of it. `warmup` epochs or
    `warmup_steps` of linear rise come before the others and take part of their time; of n such steps the first has 1/n
    of the peak, the last all.
    """
    return promoting()(_schedule(recipe, steps_per_epoch))  # optax multiplies booleans by floats


def _schedule(recipe: OptimizationRecipe, steps_per_epoch: int) -> optax.Schedule:
    peak = recipe.learning_rate
    assert peak is not None  # the recipe fills it in
    total, rise = recipe.total_steps(steps_per_epoch), recipe.warmup_in_steps(steps_per_epoch)
    rest = max(total - rise, 1)
    if recipe.schedule == "onecycle":
        return optax.cosine_onecycle_schedule(total, peak)
    if recipe.schedule == "cosine":
        schedule = optax.cosine_decay_schedule(peak, rest)
    elif recipe.schedule == "step":
        half = max(rest // 2, 1)  # so that in a run of a few steps, too, each drop has a step of its own
        schedule = optax.piecewise_constant_schedule(peak, {half: 0.1, max(rest * 3 // 4, half + 1): 0.1})
    else:
        schedule = optax.constant_schedule(peak)
    if not rise:
        return schedule
    return optax.join_schedules([lambda step: peak * (step + 1) / rise, schedule], [rise])


def make_optimizer(
    recipe: OptimizationRecipe, schedule: optax.Schedule, network: Layer
) -> optax.GradientTransformation:
    """The optimizer with all that the recipe says about a gradient, from its clipping to the update.

    Weight decay acts on kernels, the parameters of two or more axes, and spares biases and batch norm's scale and
    offset. For adamw, lion, lamb and muon it is decoupled: the weights shrink by learning rate × decay at each step
    (Loshchilov & Hutter 2019). For every other optimizer, adam included, decay × weight is added to the gradient (L2).

    The parts, in their order: clipping by the norm of all gradients that are trained; the optimizer; the factor that
    `layer_decay` gives to the layer, d^(L - 1 - l) for layer l of L in the order in which the network has them. What is
    frozen gets no update, and no part of the clipped norm.
    """
    assert recipe.layer_decay is not None  # filled in
    parts = [_optimizer(recipe, schedule)]
    if recipe.clip_norm is not None:
        parts.insert(0, optax.clip_by_global_norm(recipe.clip_norm))
    if recipe.layer_decay < 1:
        parts.append(_by_depth(recipe.layer_decay, [path for path, _ in leaves(network)]))
    optimizer = optax.chain(*parts) if len(parts) > 1 else parts[0]
    if not recipe.freeze:
        return optimizer

    def labels(params: Any) -> Any:
        return jax.tree.map_with_path(lambda path, _: is_frozen(recipe.freeze, path), params)

    return optax.partition({True: optax.set_to_zero(), False: optimizer}, labels)


def _optimizer(recipe: OptimizationRecipe, schedule: optax.Schedule) -> optax.GradientTransformation:
    decay = recipe.weight_decay
    assert decay is not None  # the recipe fills it in
    if recipe.optimizer == "adamw":
        return optax.adamw(schedule, weight_decay=decay, mask=_kernels)
    if recipe.optimizer == "lion":
        return optax.lion(schedule, weight_decay=decay, mask=_kernels)
    if recipe.optimizer == "lamb":
        return optax.lamb(schedule, weight_decay=decay, mask=_kernels)
    if recipe.optimizer == "muon":
        return contrib.muon(
            schedule,
            weight_decay=decay,
            weight_decay_mask=_kernels,
            muon_weight_dimension_numbers=_as_matrices,
            consistent_rms=0.2,  # of an update, as adam's are (Liu et al. 2025, "Muon is scalable for LLM training")
        )
    if recipe.optimizer == "lars":  # biases and scales are left out of the trust ratio, as in the paper's own code
        return optax.lars(
            schedule,
            weight_decay=decay,
            weight_decay_mask=_kernels,
            trust_ratio_mask=_kernels,
            momentum=recipe.momentum,
        )
    if recipe.optimizer == "adam":
        optimizer = optax.adam(schedule)
    elif recipe.optimizer == "sgd":
        optimizer = optax.sgd(schedule)
    else:
        optimizer = optax.sgd(schedule, momentum=recipe.momentum, nesterov=recipe.optimizer == "nesterov")
    return optax.chain(optax.add_decayed_weights(decay, mask=_kernels), optimizer) if decay else optimizer


def _kernels(params: Any) -> Any:
    return jax.tree.map(lambda p: jnp.ndim(p) >= 2, params)


def _as_matrices(params: Any) -> Any:
    """For muon: a kernel (*window, in, out) as a matrix from window and inputs to outputs; None for all others."""

    def axes(p: Any) -> contrib.MuonDimensionNumbers | None:
        return contrib.MuonDimensionNumbers(tuple(range(p.ndim - 1)), p.ndim - 1) if p.ndim >= 2 else None

    return jax.tree.map(axes, params)


def _by_depth(factor: float, layers: Sequence[Path]) -> optax.GradientTransformation:
    """Updates times factor^(L - 1 - l) for the l-th of the L layers that have parameters.

    Source: Howard & Ruder 2018, "Universal language model fine-tuning", section 3.2 (discriminative fine-tuning).
    """

    def scaled(updates: Any, params: Any = None) -> Any:
        own = {layer_of(path) for path, _ in jax.tree.leaves_with_path(updates)}
        ordered = [layer for layer in layers if layer in own]
        rate = {layer: factor ** (len(ordered) - 1 - number) for number, layer in enumerate(ordered)}
        return jax.tree.map_with_path(lambda path, u: u * jnp.asarray(rate[layer_of(path)], u.dtype), updates)

    return optax.stateless(scaled)
