"""Softmax and its logarithm, over one axis."""

from __future__ import annotations

from numbers import Integral

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule


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
    y = jax.nn.log_softmax(x, axis)
    return y, y


def _log_softmax_backward(y: Array, dy: Array, *, axis: int) -> tuple[Array]:
    """The cotangent dx of y[i] = x[i] - log Σ_k e^x[k].

    ∂y[i] / ∂x[j] = δ[i, j] - e^y[j], so dx[j] = dy[j] - e^y[j] Σ_i dy[i].
    """
    return (dy - jnp.exp(y) * dy.sum(axis, keepdims=True),)


@rule(jax.nn.log_softmax, _log_softmax_forward, _log_softmax_backward)
def log_softmax(x: ArrayLike, *, axis: int = -1) -> Array:
    """The logarithm of `softmax`, x - log Σ e^x along `axis`, without taking the logarithm of a rounded 0.

    Raises: ValueError for integer data or an axis that x does not have. The backward pass: `log_softmax.backward`.
    """
    x = floating("log_softmax", "x", x)
    return log_softmax.apply(x, axis=named_axis("log_softmax", x, axis))


def named_axis(op: str, x: Array, axis: int) -> int:
    """`axis` counted from 0; ValueError unless it names one of x's axes."""
    if isinstance(axis, bool) or not isinstance(axis, Integral) or not -x.ndim <= axis < x.ndim:
        raise ValueError(
            f"{op}: axis is {axis!r}; expected an int that names one of x's {x.ndim} axes (shape {x.shape})."
        )
    return axis % x.ndim
