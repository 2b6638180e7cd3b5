"""Softmax and its logarithm, over one axis."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating
from jaxcnn.ops.geometry import whole
from jaxcnn.ops.rule import rule


def exponentials(x: Array, axis: int) -> tuple[Array, Array, Array]:
    """z = x - max x, e^z, and Σ e^z - 1 along `axis`, without the largest power's 1: its digits are the others' own."""
    shifted = x - lax.stop_gradient(x.max(axis, keepdims=True))  # so that no exponential overflows
    powers = jnp.exp(shifted)
    ones = (powers == 1).astype(powers.dtype)
    return shifted, powers, (powers - ones).sum(axis, keepdims=True) + (ones.sum(axis, keepdims=True) - 1)


def _softmax_forward(x: Array, *, axis: int) -> tuple[Array, Array]:
    """y twice."""
    y = jax.nn.softmax(x, axis)
    return y, y


def _softmax_backward(y: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx of y[i] = e^x[i] / Σ_k e^x[k].

    ∂y[i] / ∂x[j] = y[i] (δ[i, j] - y[j]), so dx[j] = Σ_i dy[i] ∂y[i] / ∂x[j] = y[j] (dy[j] - Σ_i dy[i] y[i]).
    Source: Bridle 1990, "Probabilistic interpretation of feedforward classification network outputs".
    """
    return (y * (dy - (dy * y).sum(axis, keepdims=True)),)


@rule(jax.nn.softmax, _softmax_forward, _softmax_backward)
def softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """e^x over its sum along `axis`: positive, and sums to 1; safe for any finite x.

    Raises: ValueError for integer data or an axis that x does not have. The backward pass: `softmax.backward`.
    """
    x = floating("softmax", "x", x)
    return softmax.apply(x, axis=named_axis("softmax", x, axis))


def _log_softmax_forward(x: Array, *, axis: int) -> tuple[Array, Array]:
    """y twice."""
    shifted, _, rest = exponentials(x, axis)
    y = shifted - jnp.log1p(rest)
    return y, y


def _log_softmax_backward(y: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx of y[i] = x[i] - log Σ_k e^x[k].

    ∂y[i] / ∂x[j] = δ[i, j] - e^y[j], so dx[j] = dy[j] - e^y[j] Σ_i dy[i]. Where e^y[j] is above 1/2 the sum is taken
    out of dy first, so that of a probability near 1 what it lacks keeps its digits: 1 - e^y = -expm1 y.
    """
    total = dy.sum(axis, keepdims=True)
    likely = (dy - total) - jnp.expm1(y) * total
    return (jnp.where(y > -math.log(2), likely, dy - jnp.exp(y) * total),)


@rule(jax.nn.log_softmax, _log_softmax_forward, _log_softmax_backward)
def log_softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """The logarithm of `softmax`, x - log Σ e^x along `axis`, without taking the logarithm of a rounded 0.

    Raises: ValueError for integer data or an axis that x does not have. The backward pass: `log_softmax.backward`.
    """
    x = floating("log_softmax", "x", x)
    return log_softmax.apply(x, axis=named_axis("log_softmax", x, axis))


def named_axis(op: str, x: Array, axis: int) -> int:
    """`axis` counted from 0; ValueError unless it names one of x's axes."""
    expected = f"an int that names one of x's {x.ndim} axes (shape {x.shape})"
    return whole(op, "axis", axis, expected, lambda a: -x.ndim <= a < x.ndim) % x.ndim
