"""Dropout: random units set to zero in training; single entries, whole channels, or whole examples.

The three differ in nothing but the axes along which one draw serves all entries.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import Layout, channels_back, floating, number, spatial
from jaxcnn.ops.rule import rule

Axes = tuple[int, ...]


def _plain(x: Array, key: Array, *, rate: float, shared: Axes) -> Array:
    """x / (1 - rate) where the key's mask keeps it, else 0."""
    return _forward(x, key, rate=rate, shared=shared)[0]


def _forward(x: Array, key: Array, *, rate: float, shared: Axes) -> tuple[Array, Array]:
    """y and the mask, a byte for each draw; along the axes `shared` it has length 1."""
    draws = tuple(1 if axis in shared else n for axis, n in enumerate(x.shape))
    kept = jax.random.bernoulli(key, 1 - rate, draws)
    return jnp.where(kept, x / (1 - rate), 0), kept


def _backward(kept: Array, dy: Array, *, rate: float, shared: Axes) -> tuple[Array, None]:
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
    rate = _checked("dropout", "an entry", key, rate)
    return x if rate == 0 else dropout.apply(x, key, rate=rate, shared=())


@rule(_plain, _forward, _backward)
def spatial_dropout(x: ArrayLike, key: Array, *, rate: float, layout: Layout = "NHWC") -> Array:
    """`dropout` of whole channels: each channel of each example is 0 everywhere with probability `rate`.

    Neighbouring places of a feature map are much alike, so dropping one of them hides nothing (Tompson et al. 2015,
    "Efficient object localization using convolutional networks"). PyTorch's `Dropout1d` to `3d`, Keras's
    `SpatialDropout`.

    x is (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial). Key, rate and errors as
    `dropout`; besides, ValueError for a wrong rank. The backward pass: `spatial_dropout.backward`.
    """
    x, axes = spatial("spatial_dropout", floating("spatial_dropout", "x", x), layout)
    rate = _checked("spatial_dropout", "a channel", key, rate)
    if rate > 0:
        x = spatial_dropout.apply(x, key, rate=rate, shared=tuple(range(1, 1 + axes)))
    return channels_back(x, layout)


@rule(_plain, _forward, _backward)
def stochastic_depth(x: ArrayLike, key: Array, *, rate: float) -> Array:
    """`dropout` of whole examples: each x[n] is 0 with probability `rate`, else divided by 1 - rate.

    On the body of a residual block it makes the block the identity for some examples: a network of random depth (Huang
    et al. 2016, "Deep networks with stochastic depth", equation 2). torchvision's `stochastic_depth` in mode "row".

    x is (n, ...). Key, rate and errors as `dropout`; besides, ValueError for a scalar. The backward pass:
    `stochastic_depth.backward`.
    """
    x = floating("stochastic_depth", "x", x)
    if x.ndim < 1:
        raise ValueError("stochastic_depth: x is a scalar; expected a batch (n, ...).")
    rate = _checked("stochastic_depth", "an example", key, rate)
    return x if rate == 0 else stochastic_depth.apply(x, key, rate=rate, shared=tuple(range(1, x.ndim)))


def _checked(op: str, unit: str, key: Any, rate: Any) -> float:
    """The rate; ValueError unless that is one and the key is a key."""
    expected = f"a number with 0 <= rate < 1, the probability of dropping {unit}"
    rate = number(op, "rate", rate, expected, lambda v: 0 <= v < 1)
    shape, dtype = getattr(key, "shape", None), getattr(key, "dtype", None)
    typed = dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key) and shape == ()
    raw = dtype == jnp.uint32 and shape == jax.eval_shape(jax.random.PRNGKey, 0).shape
    if not typed and not raw:
        seen = repr(key) if shape is None else f"an array of {dtype} with shape {shape}"
        raise ValueError(f"{op}: key is {seen}; expected one random key, such as jax.random.key(0).")
    return rate
