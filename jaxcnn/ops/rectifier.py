"""Rectifiers beyond relu: bounded, with a learned slope, and with an exponential tail. Element by element.

Where a kink has no derivative, it is that of the side named in each docstring.
"""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, positive, same_dtype
from jaxcnn.ops.rule import rule

# Klambauer et al. 2017, equation 14: with these a layer keeps mean 0 and variance 1.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805


def _relu6_plain(x: Array) -> Array:
    """min(max(x, 0), 6), with the derivative 0 at 0 and at 6."""
    return jnp.where(x <= 0, 0, jnp.where(x >= 6, 6, x))


def _relu6_forward(x: Array) -> tuple[Array, Array]:
    """y twice: it lies strictly between 0 and 6 exactly where x does."""
    y = _relu6_plain(x)
    return y, y


def _relu6_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: dy where 0 < x < 6, else 0. Source: Krizhevsky 2010, "Convolutional deep belief networks"."""
    return (jnp.where((y <= 0) | (y >= 6), 0, dy),)


@rule(_relu6_plain, _relu6_forward, _relu6_backward)
def relu6(x: ArrayLike) -> Array:
    """min(max(x, 0), 6), any shape. ValueError for integer data. Its backward: `relu6.backward`."""
    return relu6.apply(floating("relu6", "x", x))


def _prelu_plain(x: Array, slope: Array) -> Array:
    """x where x > 0, else slope x."""
    return jnp.where(x > 0, x, slope * x)


def _prelu_forward(x: Array, slope: Array) -> tuple[Array, tuple[Array, Array]]:
    """y and both arguments: a negative slope makes y ambiguous."""
    return _prelu_plain(x, slope), (x, slope)


def _prelu_backward(residuals: tuple[Array, Array], dy: Array) -> tuple[Array, Array]:
    """The cotangents (dx, dslope): dx is dy where x > 0, else slope dy.

    y = slope x only where x <= 0, and one slope serves its whole channel (or everything), so dslope is the sum there
    of x dy. Source: He et al. 2015, "Delving deep into rectifiers", equations 8 to 10.
    """
    x, slope = residuals
    below = jnp.where(x > 0, 0, x * dy)
    dslope = below.sum(range(x.ndim - slope.ndim))
    return jnp.where(x > 0, dy, slope * dy), dslope


@rule(_prelu_plain, _prelu_forward, _prelu_backward)
def prelu(x: ArrayLike, slope: ArrayLike) -> Array:
    """x where x > 0, else slope x, with a learned slope: a scalar, or (c,) for x (..., c). At 0 it is the slope's side.

    Raises: ValueError for integer data and a slope of another shape. The backward pass: `prelu.backward`.
    """
    x, slope = floating("prelu", "x", x), floating("prelu", "slope", slope)
    if slope.shape not in ((), x.shape[-1:]):
        raise ValueError(
            f"prelu: slope has shape {slope.shape} and x {x.shape}; expected one slope, (), or one for each entry of "
            f"the last axis, {x.shape[-1:]}."
        )
    return prelu.apply(*same_dtype(x, slope))


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
    positive("elu", "alpha", alpha)
    return elu.apply(floating("elu", "x", x), alpha=float(alpha))


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
    positive("celu", "alpha", alpha)
    return celu.apply(floating("celu", "x", x), alpha=float(alpha))


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
