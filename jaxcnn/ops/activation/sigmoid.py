"""The S-shaped: sigmoid, hard_sigmoid, tanh and softsign; and softplus, of which the sigmoid is the derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule


def _sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """y twice."""
    y = jax.nn.sigmoid(x)
    return y, y


def _sigmoid_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = 1 / (1 + e⁻ˣ): dy/dx = e⁻ˣ / (1 + e⁻ˣ)² = y (1 - y)."""
    return (dy * (y * (1 - y)),)


@rule(jax.nn.sigmoid, _sigmoid_forward, _sigmoid_backward)
def sigmoid(x: ArrayLike) -> Array:
    """1 / (1 + e⁻ˣ), any shape. ValueError for integer data. Its backward: `sigmoid.backward`."""
    return sigmoid.apply(floating("sigmoid", "x", x))


def _hard_sigmoid_plain(x: Array) -> Array:
    """(x + 3) / 6, held between 0 and 1."""
    return jnp.where(x <= -3, 0, jnp.where(x >= 3, 1, (x + 3) / 6))


def _hard_sigmoid_forward(x: Array) -> tuple[Array, Array]:
    """y and x."""
    return _hard_sigmoid_plain(x), x


def _hard_sigmoid_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: dy / 6 where -3 < x < 3, else 0, at both kinks too."""
    return (jnp.where((x <= -3) | (x >= 3), 0, dy / 6),)


@rule(_hard_sigmoid_plain, _hard_sigmoid_forward, _hard_sigmoid_backward)
def hard_sigmoid(x: ArrayLike) -> Array:
    """(x + 3) / 6 held between 0 and 1, any shape (Howard et al. 2019, "Searching for MobileNetV3").

    ValueError for integer data. The backward pass: `hard_sigmoid.backward`.
    """
    return hard_sigmoid.apply(floating("hard_sigmoid", "x", x))


def _tanh_forward(x: Array) -> tuple[Array, Array]:
    """y twice."""
    y = jnp.tanh(x)
    return y, y


def _tanh_backward(y: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = sinh x / cosh x: dy/dx = (cosh² x - sinh² x) / cosh² x = 1 - y²."""
    return (dy * (1 - y * y),)


@rule(jnp.tanh, _tanh_forward, _tanh_backward)
def tanh(x: ArrayLike) -> Array:
    """The hyperbolic tangent, any shape. ValueError for integer data. Its backward: `tanh.backward`."""
    return tanh.apply(floating("tanh", "x", x))


def _softplus_forward(x: Array) -> tuple[Array, Array]:
    """y and x; max(x, 0) + log (1 + e^-|x|), where no exponential overflows."""
    return jnp.maximum(x, 0) + jnp.log1p(jnp.exp(-jnp.abs(x))), x


def _softplus_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = log (1 + eˣ): dy/dx = eˣ / (1 + eˣ) = σ(x).

    Source: Dugas et al. 2001, "Incorporating second-order functional knowledge for better option pricing".
    """
    return (dy * jax.nn.sigmoid(x),)


@rule(jax.nn.softplus, _softplus_forward, _softplus_backward)
def softplus(x: ArrayLike) -> Array:
    """log (1 + eˣ), any shape. ValueError for integer data. Its backward: `softplus.backward`."""
    return softplus.apply(floating("softplus", "x", x))


def _softsign_plain(x: Array) -> Array:
    """x / (1 + |x|)."""
    return x / (1 + jnp.abs(x))


def _softsign_forward(x: Array) -> tuple[Array, Array]:
    """y and x: 1 - |y| has lost its digits where |x| is large."""
    return _softsign_plain(x), x


def _softsign_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: for x > 0, y = x / (1 + x) and dy/dx = 1 / (1 + x)²; y is odd, so dx = dy / (1 + |x|)²."""
    scale = 1 + jnp.abs(x)
    return (dy / scale / scale,)


@rule(_softsign_plain, _softsign_forward, _softsign_backward)
def softsign(x: ArrayLike) -> Array:
    """x / (1 + |x|), any shape. ValueError for integer data. Its backward: `softsign.backward`."""
    return softsign.apply(floating("softsign", "x", x))
