"""Dropout: random units set to zero in training."""

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import floating, is_number
from jaxcnn.ops.rule import rule


def _plain(x: Array, key: Array, *, rate: float) -> Array:
    """x / (1 - rate) where the key's mask keeps it, else 0."""
    return _forward(x, key, rate=rate)[0]


def _forward(x: Array, key: Array, *, rate: float) -> tuple[Array, Array]:
    """y and the mask, a byte for each entry."""
    kept = jax.random.bernoulli(key, 1 - rate, x.shape)
    return jnp.where(kept, x / (1 - rate), 0), kept


def _backward(kept: Array, dy: Array, *, rate: float) -> tuple[Array, None]:
    """The cotangent dx of y = kept x / (1 - rate): the same mask and the same factor on dy. None for the key.

    The factor is *inverted* dropout: E[kept] = 1 - rate, so E[y] = x, and evaluation needs no factor.
    Source: Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting", section 10.
    """
    return jnp.where(kept, dy / (1 - rate), 0), None


@rule(_plain, _forward, _backward)
def dropout(x: ArrayLike, key: Array, *, rate: float) -> Array:
    """Set each entry of x to 0 with probability `rate` and divide the others by 1 - rate (inverted dropout).

    Args:
      x: any shape.
      key: `jax.random.key(seed)`, or the raw uint32 form of one; the same key drops the same entries.
      rate: the probability of dropping, 0 <= rate < 1; with 0, x is returned as it is.

    Raises: ValueError for integer data, a rate outside its range, or a key that is none.

    The backward pass and its derivation: `dropout.backward`.
    """
    x = floating("dropout", "x", x)
    if not is_number(rate) or not 0 <= rate < 1:
        raise ValueError(
            f"dropout: rate is {rate!r}; expected a number with 0 <= rate < 1, the probability of dropping an entry."
        )
    _check_key(key)
    return x if rate == 0 else dropout.apply(x, key, rate=float(rate))


def _check_key(key: Any) -> None:
    shape, dtype = getattr(key, "shape", None), getattr(key, "dtype", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    raw = dtype == jnp.uint32 and shape == jax.eval_shape(jax.random.PRNGKey, 0).shape
    if not typed and not raw:
        seen = repr(key) if shape is None else f"an array of {dtype} with shape {shape}"
        raise ValueError(f"dropout: key is {seen}; expected one random key, such as jax.random.key(0).")
