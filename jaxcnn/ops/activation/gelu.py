"""GELU, x times the normal distribution function of x. Element by element."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, floating
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
TAIL = (  # of t, t², ..., t⁹
    *(0.139621308, 0.139863495, 0.119821452, 0.105551782, -0.0232104723),
    *(0.159316687, -0.255836119, 0.144029397, -0.0291575462),
)


def _density(x: Array) -> Array:
    """φ(x) = Φ'(x)."""
    return jnp.exp(-x * x / 2) / math.sqrt(2 * math.pi)


@jax.custom_jvp
def _distribution(x: Array) -> Array:
    """Φ(x), in float32 to 8 units in the last place, and as exactly as x² is rounded in the lower tail.

    Φ(-|x|) = e^(-x²/2) p(t), t = 1 / (1 + 0.35 |x|), is the form of Abramowitz & Stegun 1964, equation 7.1.26, with
    nine powers of t for their five, fitted to a relative error of 3.2e-8 for all x. XLA's erfc is three such formulas,
    of which it computes all, and takes 2.5 times as long.
    """
    if x.dtype == jnp.float64:
        return jax.scipy.special.erfc(-x * math.sqrt(1 / 2)) / 2
    t = 1 / (1 + 0.35 * jnp.abs(x))
    p = jnp.full_like(t, TAIL[-1])
    for coefficient in TAIL[-2::-1]:
        p = p * t + coefficient
    lower = p * t * jnp.exp(-x * x / 2)
    return jnp.where(x < 0, lower, 1 - lower)


@_distribution.defjvp
def _(arrays: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = arrays, tangents
    return _distribution(x), dx * _density(x)


def _gelu_plain(x: Array, *, approximate: bool) -> Array:
    """x Φ(x), by JAX."""
    return with_limits(lambda x: jax.nn.gelu(x, approximate=approximate), x, FAR)


def _gelu_forward(x: Array, *, approximate: bool) -> tuple[Array, Array]:
    """y and x: y does not determine x, since it falls before it rises."""
    held = jnp.maximum(x, -FAR)
    if approximate:
        return jax.nn.gelu(held, approximate=True), x
    wide = held.astype(accumulator(x))
    return (wide * _distribution(wide)).astype(x.dtype), x


def _gelu_backward(x: Array, dy: Array, *, approximate: bool) -> tuple[Array]:
    """The cotangent dx of y = x Φ(x), Φ the normal distribution function and φ = Φ' its density.

    By the product rule dy/dx = Φ(x) + x φ(x), φ(x) = e^(-x²/2) / √(2π).

    The tanh form puts Φ(x) ≈ (1 + t) / 2 with t = tanh u, u = √(2/π) (x + a x³), a = 0.044715, so that
    φ(x) ≈ (1 - t²) / 2 · √(2/π) (1 + 3 a x²).

    Far from 0 Φ is 0 or 1 and φ is 0 in any precision; x is held there, so that no power overflows and none of
    0 · inf is NaN.

    Source: Hendrycks & Gimpel 2016, "Gaussian error linear units (GELUs)".
    """
    dtype = x.dtype
    x = jnp.clip(anew(x), -FAR, FAR).astype(accumulator(x))
    if approximate:
        root, a = math.sqrt(2 / math.pi), 0.044715
        t = jnp.tanh(root * (x + a * x**3))
        phi, density = (1 + t) / 2, (1 - t * t) / 2 * root * (1 + 3 * a * x * x)
    else:
        phi, density = _distribution(x), _density(x)
    return ((dy * (phi + x * density)).astype(dtype),)


@rule(_gelu_plain, _gelu_forward, _gelu_backward)
def gelu(x: ArrayLike, *, approximate: bool = False) -> Array:
    """x Φ(x), any shape; `approximate` takes the tanh form of Φ that the first transformers used.

    Raises: ValueError for integer data. The backward pass and its derivation: `gelu.backward`.
    """
    return gelu.apply(floating("gelu", "x", x), approximate=bool(approximate))
