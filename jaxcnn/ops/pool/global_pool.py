"""Global pooling: one number for each channel of an image."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, image, shape_only
from jaxcnn.ops.pool.shapes import on_one_axis
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Channels = Float[Array, "n c"]


def _avg_plain(x: Image) -> Channels:
    """The mean over all places, summed in float32 for half precision."""
    return on_one_axis(x).astype(accumulator(x)).mean(1).astype(x.dtype)


def _avg_forward(x: Image) -> tuple[Channels, Array]:
    """y, and nothing but x's shape: the mean is linear."""
    return _avg_plain(x), shape_only(x)


def _avg_backward(residuals: Any, dy: Channels) -> tuple[Image]:
    """The cotangent dx of y[c] = 1/m Σ_p x[p, c] over m places: dx[p, c] = dy[c] / m, the same at every place."""
    (n, c), sizes = dy.shape, residuals.shape[1:-1]
    share = dy / math.prod(sizes)
    return (jnp.broadcast_to(share.reshape(n, *[1] * len(sizes), c), (n, *sizes, c)),)


@rule(_avg_plain, _avg_forward, _avg_backward)
def global_avg_pool(x: ArrayLike, *, layout: Layout = "NHWC") -> Array:
    """The mean of each channel over all places: (n, *spatial, c) to (n, c), 1, 2 or 3 spatial axes.

    With layout="NCHW" x is (n, c, *spatial). Raises ValueError for a wrong rank, integer data, an empty axis or an
    unknown layout. Source: Lin, Chen & Yan 2013, "Network in network", section 3.2. The backward pass:
    `global_avg_pool.backward`.
    """
    return global_avg_pool.apply(image("global_avg_pool", x, layout)[0])


def _max_plain(x: Image) -> Channels:
    """The maximum over all places, as one window of x's size."""
    window = (1, *x.shape[1:-1], 1)
    y = lax.reduce_window(x, -jnp.inf, lax.max, window, (1,) * x.ndim, "VALID")
    return y.reshape(x.shape[0], x.shape[-1])


def _max_forward(x: Image) -> tuple[Channels, Any]:
    """y, and the place of the first maximum for each example and channel."""
    return _max_plain(x), (on_one_axis(x).argmax(1), shape_only(x))


def _max_backward(residuals: Any, dy: Channels) -> tuple[Image]:
    """The cotangent dx of y[c] = max_p x[p, c]: dy[c] at the first maximum in row-major order, 0 elsewhere."""
    first, like = residuals
    places = jnp.arange(math.prod(like.shape[1:-1]))[:, None]
    rows = jnp.where(places == first[:, None], dy[:, None], 0)
    return (rows.reshape(dy.shape[0], *like.shape[1:]),)


@rule(_max_plain, _max_forward, _max_backward)
def global_max_pool(x: ArrayLike, *, layout: Layout = "NHWC") -> Array:
    """The maximum of each channel over all places: (n, *spatial, c) to (n, c), 1, 2 or 3 spatial axes.

    Arguments and errors as `global_avg_pool`. Of equal maxima the first in row-major order gets the gradient, and
    so does the first NaN. The backward pass: `global_max_pool.backward`.
    """
    return global_max_pool.apply(image("global_max_pool", x, layout)[0])
