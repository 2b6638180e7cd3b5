"""Smooth and piecewise linear gates: softplus, softsign, mish, hard sigmoid and hard swish. Element by element."""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule


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


def _mish_plain(x: Array) -> Array:
    """x tanh(softplus(x))."""
    return x * jnp.tanh(jax.nn.softplus(x))


def _mish_forward(x: Array) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return _mish_plain(x), x


def _mish_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = x t, t = tanh(s), s = softplus(x).

    dt/ds = 1 - t² and ds/dx = σ(x), so by the product rule dy/dx = t + x (1 - t²) σ(x).
    Source: Misra 2020, "Mish: a self regularized non-monotonic activation function".
    """
    t = jnp.tanh(jax.nn.softplus(x))
    return (dy * (t + x * (1 - t * t) * jax.nn.sigmoid(x)),)


@rule(_mish_plain, _mish_forward, _mish_backward)
def mish(x: ArrayLike) -> Array:
    """x tanh(log (1 + eˣ)), any shape. ValueError for integer data. Its backward: `mish.backward`."""
    return mish.apply(floating("mish", "x", x))


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


def _hard_swish_plain(x: Array) -> Array:
    """x (x + 3) / 6 between -3 and 3, 0 below and x above."""
    return jnp.where(x <= -3, 0, jnp.where(x >= 3, x, x * ((x + 3) / 6)))


def _hard_swish_forward(x: Array) -> tuple[Array, Array]:
    """y and x."""
    return _hard_swish_plain(x), x


def _hard_swish_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: 0 where x <= -3, dy where x >= 3, and between, by the product rule, dy (2 x + 3) / 6."""
    return (jnp.where(x <= -3, 0, jnp.where(x >= 3, dy, dy * ((2 * x + 3) / 6))),)


@rule(_hard_swish_plain, _hard_swish_forward, _hard_swish_backward)
def hard_swish(x: ArrayLike) -> Array:
    """x `hard_sigmoid`(x), any shape (Howard et al. 2019, "Searching for MobileNetV3", section 5.2).

    ValueError for integer data. The backward pass: `hard_swish.backward`.
    """
    return hard_swish.apply(floating("hard_swish", "x", x))
