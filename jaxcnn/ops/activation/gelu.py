"""GELU, x times the normal distribution function of x. Element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating
from jaxcnn.ops.rule import rule


def anew(x: Array) -> Array:
    """x, from which XLA computes anew what the forward already computed from it.

    Otherwise XLA sees that a backward repeats a part of its forward, and keeps every exponential and quotient in an
    array of its own until then, which costs more time on a CPU than to repeat them.
    """
    return jax.lax.optimization_barrier(x)


def with_limits(function: Callable[[Array], Array], x: Array, far: float) -> Array:
    """`function` of x, which beyond ±far is 0 or x in any precision: there an infinite x would meet a factor of 0."""
    beyond = jnp.abs(x) > far
    return jnp.where(beyond, jnp.maximum(x, 0), function(jnp.where(beyond, 0, x)))


FAR = 40.0  # where Φ(-x) is 0 in any precision


def _gelu_plain(x: Array, *, approximate: bool) -> Array:
    """x Φ(x), by JAX."""
    return with_limits(lambda x: jax.nn.gelu(x, approximate=approximate), x, FAR)


def _gelu_forward(x: Array, *, approximate: bool) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    return jax.nn.gelu(jnp.maximum(x, -FAR), approximate=approximate), x


def _gelu_backward(x: Array, dy: Array, *, approximate: bool) -> tuple[Array]:
    """The cotangent dx of y = x Φ(x), Φ the normal distribution function and φ = Φ' its density.

    By the product rule dy/dx = Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π).

    The tanh form puts Φ(x) ≈ (1 + t) / 2 with t = tanh u, u = √(2/π) (x + a x³), a = 0.044715, so that
    φ(x) ≈ (1 - t²) / 2 · √(2/π) (1 + 3 a x²).

    Far from 0 Φ is 0 or 1 and φ is 0 in any precision; x is held there, so that no power overflows and none of
    0 · inf is NaN.

    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units (GELUs)".
    """
    x = jnp.clip(anew(x), -FAR, FAR)
    if approximate:
        root, a = math.sqrt(2 / math.pi), 0.044715
        t = jnp.tanh(root * (x + a * x**3))
        phi, density = (1 + t) / 2, (1 - t * t) / 2 * root * (1 + 3 * a * x * x)
    else:
        phi = jax.scipy.special.erfc(-x * math.sqrt(1 / 2)) / 2
        density = jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return (dy * (phi + x * density),)


@rule(_gelu_plain, _gelu_forward, _gelu_backward)
def gelu(x: ArrayLike, *, approximate: bool = False) -> Array:
    """x Φ(x), any shape; `approximate` takes the tanh form of Φ that the first transformers used.

    Raises: ValueError for integer data. The backward pass and its derivation: `gelu.backward`.
    """
    return gelu.apply(floating("gelu", "x", x), approximate=bool(approximate))
