"""Where a run diverged: the first layer whose output or δ is not finite, at the first step whose loss is not."""

import functools
import operator
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.layers import Params, State, backprop
from jaxcnn.layers.walk import Around, changed, leaves, name_of
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.precision import computed_in
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import part_key, parts_of, step_key

ALONE = "All outputs and δ are finite; the loss alone is not."


@dataclass(frozen=True, repr=False)
class Observed(Around):
    """A layer whose new state says whether its output is finite."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y, _ = self.layer.apply(params, state, x, train=train, key=key)
        return y, {"finite": jnp.isfinite(y).all()}


def first_not_finite(experiment: Experiment, state: TrainState, step: int) -> str:
    """What was not finite in step number `step`, found by training again from `state` to the one before it."""
    whole = experiment
    while int(state.step) < step:
        experiment = whole.during(int(state.step) // whole.steps_per_epoch)
        for images, labels in whole.feed.rest_of_epoch(int(state.step)):
            if int(state.step) == step - 1:
                return _in_step(experiment, state, images, labels)
            state, _ = experiment.train_step(state, images, labels)
    raise AssertionError("the step lies before the state")


def _in_step(experiment: Experiment, state: TrainState, images: Array, labels: Array) -> str:
    for path, leaf in jax.tree.leaves_with_path(state.params):
        if not bool(jnp.isfinite(leaf).all()):
            return f"The step before it left {name_of(path)} with values that are not finite."
    key, number = step_key(state), experiment.recipe.accumulate
    if number == 1:
        return _in_part(experiment, state, key, images, labels) or ALONE
    parts = zip(parts_of(images, number), parts_of(labels, number), strict=True)
    found = (_in_part(experiment, state, part_key(key, i), *part) for i, part in enumerate(parts))
    return next(filter(None, found), ALONE)


def _in_part(experiment: Experiment, state: TrainState, key: Array, images: Array, labels: Array) -> str | None:
    """What is not finite in a batch, or in a part of one that is accumulated, as the step computes it."""
    network, scale = experiment.trained_model, state.scale.factor if state.scale else 1.0
    x, targets, key = experiment.train_inputs(key, images, labels)
    params, x = computed_in(experiment.recipe.precision, network, state.params, x)
    observed = changed(network, lambda _, layer: Observed(layer))
    _, finite = jax.jit(lambda p, s, x: observed.apply(p, s, x, train=True, key=key))(params, state.state, x)
    for path, _ in leaves(network):
        if not bool(functools.reduce(operator.getitem, (*path, "finite"), finite)):
            return f"The first layer whose output is not finite is {'/'.join(path)}."

    def loss(logits: Array, labels: Array) -> Array:
        return experiment.loss(logits.astype(jnp.float32), labels) * scale

    found = jax.jit(lambda p, s, x: backprop(network, p, s, (x, targets), loss, key=key))(params, state.state, x)
    for path, delta in reversed(found.deltas.items()):
        if not bool(jnp.isfinite(delta).all()):
            return f"All outputs are finite; the first layer on the way back whose δ is not is {path}."
    for path, gradient in jax.tree.leaves_with_path(found.gradients):
        if not bool(jnp.isfinite(gradient).all()):
            return f"All outputs and δ are finite; the gradient of {name_of(path)} is not."
    return None if bool(jnp.isfinite(found.loss)) else ALONE
