"""Rectifiers with an exponential tail: elu, celu and selu. Element by element."""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, positive
from jaxcnn.ops.rule import rule

# Klambauer et al. 2017, equation 14: with these a layer keeps mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _elu_plain(x: Array, *, alpha: float) -> Array:
    """x where x > 0, else alpha (eˣ - 1)."""
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0, x)))


def _elu_forward(x: Array, *, alpha: float) -> tuple[Array, Array]:
    """y twice: it has x's sign."""
    y = _elu_plain(x, alpha=alpha)
    return y, y


def _elu_backward(y: Array, dy: Array, *, alpha: float) -> tuple[Array]:
    """The cotangent dx: dy where x > 0, else dy alpha eˣ = dy (y + alpha); at 0 the derivative is alpha.

    Source: Clevert, Unterthiner & Hochreiter 2016, "Fast and accurate deep network learning by exponential linear
    units", equation 15.
    """
    return (jnp.where(y > 0, dy, dy * (y + alpha)),)


@rule(_elu_plain, _elu_forward, _elu_backward)
def elu(x: ArrayLike, *, alpha: float = 1.0) -> Array:
    """x where x > 0, else alpha (eˣ - 1), any shape; alpha must be positive.

    Raises: ValueError for integer data, and for an alpha that is not a positive number. Its backward: `elu.backward`.
    """
    return elu.apply(floating("elu", "x", x), alpha=positive("elu", "alpha", alpha))


def _celu_plain(x: Array, *, alpha: float) -> Array:
    """x where x > 0, else alpha (e^(x/alpha) - 1)."""
    return jnp.where(x > 0, x, alpha * jnp.expm1(jnp.where(x > 0, 0, x) / alpha))


def _celu_forward(x: Array, *, alpha: float) -> tuple[Array, Array]:
    """y twice: it has x's sign."""
    y = _celu_plain(x, alpha=alpha)
    return y, y


def _celu_backward(y: Array, dy: Array, *, alpha: float) -> tuple[Array]:
    """The cotangent dx: dy where x > 0, else dy e^(x/alpha) = dy (y / alpha + 1), continuous at 0 for every alpha.

    Source: Barron 2017, "Continuously differentiable exponential linear units".
    """
    return (jnp.where(y > 0, dy, dy * (y / alpha + 1)),)


@rule(_celu_plain, _celu_forward, _celu_backward)
def celu(x: ArrayLike, *, alpha: float = 1.0) -> Array:
    """x where x > 0, else alpha (e^(x/alpha) - 1), any shape. Errors as `elu`. Its backward: `celu.backward`."""
    return celu.apply(floating("celu", "x", x), alpha=positive("celu", "alpha", alpha))


def _selu_plain(x: Array) -> Array:
    """λ x where x > 0, else λ α (eˣ - 1)."""
    return SELU_SCALE * _elu_plain(x, alpha=SELU_ALPHA)


def _selu_forward(x: Array) -> tuple[Array, Array]:
    """y twice: it has x's sign."""
    y = _selu_plain(x)
    return y, y


def _selu_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: λ dy where x > 0, else dy λ α eˣ = dy (y + λ α); at 0 it is the second.

    Source: Klambauer et al. 2017, "Self-normalizing neural networks", equation 2.
    """
    return (jnp.where(y > 0, SELU_SCALE * dy, dy * (y + SELU_SCALE * SELU_ALPHA)),)


@rule(_selu_plain, _selu_forward, _selu_backward)
def selu(x: ArrayLike) -> Array:
    """λ `elu`(x, alpha=α) with the constants that keep mean 0 and variance 1. ValueError for integer data.

    Its backward: `selu.backward`.
    """
    return selu.apply(floating("selu", "x", x))
