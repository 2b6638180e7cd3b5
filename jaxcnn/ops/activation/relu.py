"""ReLU and its kin: with a slope (leaky_relu), bounded (relu6), with a learned slope (prelu). Element by element.

Where a kink has no derivative, it is that of the side named in each docstring.
"""

from __future__ import annotations

import math

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, number, same_dtype
from jaxcnn.ops.rule import rule


def _relu_plain(x: Array) -> Array:
    """max(x, 0), with the derivative 0 at 0 (that of `jnp.maximum` is 1/2); NaN stays NaN."""
    return jnp.where(x <= 0, 0, x)


def _relu_forward(x: Array) -> tuple[Array, Array]:
    """y twice: y > 0 exactly where x > 0."""
    y = _relu_plain(x)
    return y, y


def _relu_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = max(x, 0): dy where x > 0, else 0.

    At 0, where any value in [0, 1] is a subgradient, it is 0: a unit that is off learns nothing.
    Source: Nair & Hinton 2010, "Rectified linear units improve restricted Boltzmann machines".
    """
    return (jnp.where(y <= 0, 0, dy),)


@rule(_relu_plain, _relu_forward, _relu_backward)
def relu(x: ArrayLike) -> Array:
    """max(x, 0), any shape; relu'(0) = 0. ValueError for integer data. Its backward: `relu.backward`."""
    return relu.apply(floating("relu", "x", x))


def _leaky_relu_plain(x: Array, *, slope: float) -> Array:
    """x where x > 0, else slope x."""
    return jnp.where(x > 0, x, slope * x)


def _leaky_relu_forward(x: Array, *, slope: float) -> tuple[Array, Array]:
    """y twice: for a slope of 0 or more, y > 0 exactly where x > 0."""
    y = _leaky_relu_plain(x, slope=slope)
    return y, y


def _leaky_relu_backward(y: Array, dy: Array, *, slope: float) -> tuple[Array]:
    """The cotangent dx: dy where x > 0, else slope dy; at 0 the derivative is the slope.

    Source: Maas, Hannun & Ng 2013, "Rectifier nonlinearities improve neural network acoustic models".
    """
    return (jnp.where(y > 0, dy, slope * dy),)


@rule(_leaky_relu_plain, _leaky_relu_forward, _leaky_relu_backward)
def leaky_relu(x: ArrayLike, *, slope: float = 0.01) -> Array:
    """x where x > 0, else slope x, any shape; the derivative at 0 is `slope`, which must be 0 or more.

    Raises: ValueError for integer data, and for a slope that is negative or not a finite number.
    The backward pass: `leaky_relu.backward`.
    """
    slope = number("leaky_relu", "slope", slope, "a number of 0 or more, such as 0.01", lambda v: 0 <= v < math.inf)
    return leaky_relu.apply(floating("leaky_relu", "x", x), slope=slope)


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

    y = slope x only where x <= 0, and one slope serves all entries that it is broadcast to, along the axes that it has
    not and those along which its length is 1. So dslope is the sum over these of x dy where x <= 0.
    Source: He et al. 2015, "Delving deep into rectifiers", equations 8 to 10.
    """
    x, slope = residuals
    below = jnp.where(x > 0, 0, x * dy)
    missing = x.ndim - slope.ndim
    shared = [*range(missing), *(missing + axis for axis, length in enumerate(slope.shape) if length == 1)]
    return jnp.where(x > 0, dy, slope * dy), below.sum(shared).reshape(slope.shape)


@rule(_prelu_plain, _prelu_forward, _prelu_backward)
def prelu(x: ArrayLike, slope: ArrayLike) -> Array:
    """x where x > 0, else slope x, with a learned slope. At 0 it is the slope's side.

    The slope is a scalar, (c,) for x (..., c), or of any shape that is broadcast to x's, as in ONNX: such as (h, w, 1)
    for one at each place, or (c, 1, 1) for the channels of an NCHW x, where (c,) would be its columns.

    Raises: ValueError for integer data and a slope of another shape. The backward pass: `prelu.backward`.
    """
    x, slope = floating("prelu", "x", x), floating("prelu", "slope", slope)
    pairs = zip(reversed(slope.shape), reversed(x.shape), strict=False)
    if slope.ndim > x.ndim or any(one not in (1, n) for one, n in pairs):
        raise ValueError(
            f"prelu: slope has shape {slope.shape} and x {x.shape}; expected one slope, (), one for each entry of "
            f"the last axis, {x.shape[-1:]}, or a shape of which each axis, counted from the last, is x's or 1."
        )
    return prelu.apply(*same_dtype(x, slope))
