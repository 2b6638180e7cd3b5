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
from jaxcnn.train.state import TrainState


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
    while int(state.step) < step:
        for images, labels in experiment.feed.rest_of_epoch(int(state.step)):
            if int(state.step) == step - 1:
                return _in_step(experiment, state, images, labels)
            state, _ = experiment.train_step(state, images, labels)
    raise AssertionError("the step lies before the state")


def _in_step(experiment: Experiment, state: TrainState, images: Array, labels: Array) -> str:
    network = experiment.trained_model
    for path, leaf in jax.tree.leaves_with_path(state.params):
        if not bool(jnp.isfinite(leaf).all()):
            return f"The step before it left {name_of(path)} with values that are not finite."
    x, targets, key = experiment.train_inputs(state, images, labels)
    observed = changed(network, lambda _, layer: Observed(layer))
    _, finite = jax.jit(lambda p, s, x: observed.apply(p, s, x, train=True, key=key))(state.params, state.state, x)
    for path, _ in leaves(network):
        if not bool(functools.reduce(operator.getitem, (*path, "finite"), finite)):
            return f"The first layer whose output is not finite is {'/'.join(path)}."
    found = jax.jit(lambda p, s, x: backprop(network, p, s, (x, targets), experiment.loss, key=key))(
        state.params, state.state, x
    )
    for path, delta in reversed(found.deltas.items()):
        if not bool(jnp.isfinite(delta).all()):
            return f"All outputs are finite; the first layer on the way back whose δ is not is {path}."
    return "All outputs and δ are finite; the loss alone is not."
