"""The gated linear unit: one half of the features lets the other through."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.activation.softmax import named_axis
from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule


def _forward(x: Array, *, axis: int) -> tuple[Array, Array]:
    """y and x: y determines neither half."""
    return jax.nn.glu(x, axis), x


def _backward(x: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx = (da, db) of y = a σ(b), x = (a, b).

    By the product rule da = dy σ(b) and, with σ' = σ (1 - σ), db = dy a σ(b) (1 - σ(b)). There 1 - σ(b) is written
    σ(-b), which keeps its digits where σ(b) is nearly 1.
    """
    a, b = jnp.split(x, 2, axis)
    da = dy * jax.nn.sigmoid(b)
    return (jnp.concatenate([da, da * a * jax.nn.sigmoid(-b)], axis),)


@rule(jax.nn.glu, _forward, _backward)
def glu(x: ArrayLike, *, axis: int = -1) -> Array:
    """a σ(b), where a is the first half of x along `axis` and b the second: any shape, half as long along the axis.

    Raises: ValueError for integer data, an axis that x does not have, and one of odd length. With channels first write
    axis=1. The backward pass: `glu.backward`.

    Source: Dauphin et al. 2017, "Language modeling with gated convolutional networks", equation 1.
    """
    x = floating("glu", "x", x)
    axis = named_axis("glu", x, axis)
    if x.shape[axis] % 2:
        raise ValueError(
            f"glu: x has {x.shape[axis]} entries along axis {axis} (shape {x.shape}); expected an even number, twice "
            "what comes out."
        )
    return glu.apply(x, axis=axis)
