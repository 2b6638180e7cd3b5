"""Swish, x times the sigmoid of x (silu), its piecewise quadratic form hard_swish, and mish. Element by element."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.activation.gelu import anew, with_limits
from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule

FAR = 800.0  # where e^-x is 0 in any precision


def _silu_plain(x: Array) -> Array:
    """x σ(x), by JAX."""
    return with_limits(jax.nn.silu, x, FAR)


def _silu_forward(x: Array) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return jax.nn.silu(jnp.maximum(x, -FAR)), x


def _silu_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = x σ(x): with σ' = σ (1 - σ), dy/dx = σ + x σ (1 - σ).

    Far from 0 that is 0 or 1; x is held there, so that none of 0 · inf is NaN.
    Source: Elfwing, Uchibe & Doya 2017, "Sigmoid-weighted linear units"; also called swish.
    """
    x = jnp.clip(anew(x), -FAR, FAR)
    s = jax.nn.sigmoid(x)
    return (dy * (s * (1 + x * (1 - s))),)


@rule(_silu_plain, _silu_forward, _silu_backward)
def silu(x: ArrayLike) -> Array:
    """x / (1 + e⁻ˣ), any shape. ValueError for integer data. Its backward: `silu.backward`."""
    return silu.apply(floating("silu", "x", x))


def _mish(x: Array) -> Array:
    return x * jnp.tanh(jax.nn.softplus(x))


def _mish_plain(x: Array) -> Array:
    """x tanh(softplus(x))."""
    return with_limits(_mish, x, FAR)


def _mish_forward(x: Array) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return _mish(jnp.maximum(x, -FAR)), x


def _mish_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx of y = x t, t = tanh(s), s = softplus(x).

    dt/ds = 1 - t² and ds/dx = σ(x), so by the product rule dy/dx = t + x (1 - t²) σ(x). Far from 0 that is 0 or 1; x
    is held there, so that none of 0 · inf is NaN.
    Source: Misra 2020, "Mish: a self regularized non-monotonic activation function".
    """
    x = jnp.clip(x, -FAR, FAR)
    t = jnp.tanh(jax.nn.softplus(x))
    return (dy * (t + x * (1 - t * t) * jax.nn.sigmoid(x)),)


@rule(_mish_plain, _mish_forward, _mish_backward)
def mish(x: ArrayLike) -> Array:
    """x tanh(log (1 + eˣ)), any shape. ValueError for integer data. Its backward: `mish.backward`."""
    return mish.apply(floating("mish", "x", x))


def _hard_swish_plain(x: Array) -> Array:
    """x (x + 3) / 6 between -3 and 3, 0 below and x above."""
    beyond = jnp.abs(x) >= 3
    near = jnp.where(beyond, 0, x)  # so that 0 · inf is in no derivative
    return jnp.where(beyond, jnp.maximum(x, 0), near * ((near + 3) / 6))


def _hard_swish_forward(x: Array) -> tuple[Array, Array]:
    """y and x."""
    return jnp.where(x <= -3, 0, jnp.where(x >= 3, x, x * ((x + 3) / 6))), x


def _hard_swish_backward(x: Array, dy: Array) -> tuple[Array]:
    """The cotangent dx: 0 where x <= -3, dy where x >= 3, and between, by the product rule, dy (2 x + 3) / 6."""
    return (jnp.where(x <= -3, 0, jnp.where(x >= 3, dy, dy * ((2 * x + 3) / 6))),)


@rule(_hard_swish_plain, _hard_swish_forward, _hard_swish_backward)
def hard_swish(x: ArrayLike) -> Array:
    """x `hard_sigmoid`(x), any shape (Howard et al. 2019, "Searching for MobileNetV3", section 5.2).

    ValueError for integer data. The backward pass: `hard_swish.backward`.
    """
    return hard_swish.apply(floating("hard_swish", "x", x))
