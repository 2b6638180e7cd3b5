"""Backpropagation through a whole network, spelled out."""

from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.ops.arguments import explained
from jaxcnn.ops.rule import backward


class Backprop(NamedTuple):
    """What `backprop` returns.

    Attributes:
      loss: the batch's mean loss, a scalar.
      gradients: ∂loss/∂params, in the structure of params.
      deltas: δ of every layer by its path in the summary, first layer first: ∂loss/∂(that layer's output), of
        its shape. An OrderedDict, since jit would return a dict sorted by path.
      state: the new state (running statistics, spectral norm's vector).
    """

    loss: Array
    gradients: Params
    deltas: OrderedDict[str, Array]
    state: State


@explained
def backprop(
    model: Layer,
    params: Params,
    state: State,
    batch: tuple[Array, Array],
    loss: Callable[[Array, Array], Array],
    *,
    key: Array | None = None,
) -> Backprop:
    """Loss, gradients and every layer's δ of the mean loss over a batch, layer by layer in reverse.

    No `jax.grad` runs over the network. Each layer goes forward and keeps what its backward needs; then δ at the
    logits is the loss's handwritten gradient, and each layer, last to first, turns the δ at its output into its
    parameters' gradients and the δ at its input (`Chain.backprop` is the loop). It equals
    `jax.grad` of the same network.

    Args:
      batch: (inputs, labels).
      loss: (logits, labels) -> one loss per example, such as `ops.softmax_cross_entropy`.
      key: for dropout.

    Raises: ValueError for an empty batch, and what the layers raise.
    """
    inputs, labels = batch
    with backward("handwritten"):
        logits, new_state, pull = model.backprop(params, state, inputs, key=key)
        if logits.shape[0] == 0:
            raise ValueError("backprop: the batch is empty; its mean loss is not defined.")
        losses, pull_loss = jax.vjp(lambda logits: loss(logits, labels), logits)
        (delta,) = pull_loss(jnp.full_like(losses, 1 / losses.size))  # the mean weighs each example by 1 / n
        gradients, _, deltas = pull(delta)
    return Backprop(losses.mean(), gradients, OrderedDict(reversed(deltas.items())), new_state)
