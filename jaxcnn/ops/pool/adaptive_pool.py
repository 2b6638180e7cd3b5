"""Adaptive pooling: as many outputs as asked for, whatever the size of the input.

Along an axis of size W, output i = 0, ..., O - 1 pools the bin from floor(i W / O) to ceil((i + 1) W / O), the end not
included. Bins overlap where O does not divide W. Source: He et al. 2014, "Spatial pyramid pooling in deep
convolutional networks for visual recognition", section 2.2; the bins as PyTorch's adaptive pooling has them.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from jaxcnn.ops.arguments import explained
from jaxcnn.ops.bins import Bins, adaptive_bins, along
from jaxcnn.ops.check import Layout, accumulator, channels_back, shape_only, sized_image
from jaxcnn.ops.geometry import PerAxis, per_axis
from jaxcnn.ops.pool.windows import first_maximum
from jaxcnn.ops.rule import rule
from jaxcnn.primitive import promoting

Image = Float[Array, "n *spatial c"]
Indices = Int[Array, "n *spatial c"]


def _bins(x: Any, sizes: Any) -> list[Bins]:
    return [
        adaptive_bins(axis, length, size)
        for axis, (length, size) in enumerate(zip(x.shape[1:-1], sizes, strict=True), 1)
    ]


def _avg_plain(x: Image, *, sizes: Any) -> Image:
    """The mean of each bin, as a product with a matrix of shares along each axis."""
    y = x.astype(accumulator(x))
    for bins in _bins(x, sizes):
        q = np.arange(x.shape[bins.axis])
        inside = (bins.starts[:, None] <= q) & (q < bins.stops[:, None])
        shares = jnp.asarray(inside / inside.sum(1, keepdims=True), y.dtype)
        y = jnp.moveaxis(jnp.tensordot(y, shares, (bins.axis, 1), precision=lax.Precision.HIGHEST), -1, bins.axis)
    return y.astype(x.dtype)


def _avg_forward(x: Image, *, sizes: Any) -> tuple[Image, Array]:
    """y, and nothing but x's shape: the mean is linear."""
    y = x.astype(accumulator(x))
    for bins in reversed(_bins(x, sizes)):
        y = bins.sum(y) / along(bins.lengths, bins.axis, x.ndim)
    return y.astype(x.dtype), shape_only(x)


def _avg_backward(residuals: Array, dy: Image, *, sizes: Any) -> tuple[Image]:
    """The cotangent dx of adaptive mean pooling.

    Along one axis y[i] = 1 / m[i] Σ_q x[q] over the m[i] positions q of bin i, so dx[q] = Σ_i dy[i] / m[i] over the
    bins i that q lies in. Which are these? floor(i W / O) <= q means i W / O < q + 1, so i < ceil((q + 1) O / W); and
    q < ceil((i + 1) W / O) means q < (i + 1) W / O, so i >= floor(q O / W). Those are the bins again, with W and O
    exchanged: the transpose sums dy / m over W bins of O positions. Over several axes the means are nested.
    """
    dx = dy.astype(accumulator(dy))
    for bins in _bins(residuals, sizes):
        share = dx / along(bins.lengths, bins.axis, dy.ndim)
        dx = adaptive_bins(bins.axis, sizes[bins.axis - 1], residuals.shape[bins.axis]).sum(share)
    return (dx.astype(dy.dtype),)


@rule(_avg_plain, _avg_forward, _avg_backward)
def adaptive_avg_pool(x: ArrayLike, sizes: PerAxis, *, layout: Layout = "NHWC") -> Array:
    """The mean of each bin, channel by channel, as PyTorch's AdaptiveAvgPool.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      sizes: how many bins, for all spatial axes or one number for each; more than x has positions is fine.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *sizes, c), or (n, c, *sizes). Half-precision input is summed in float32.

    Raises: ValueError for a wrong rank, an empty axis, integer data, a size below 1 or an unknown layout.

    The backward pass and its derivation: `adaptive_avg_pool.backward`.
    """
    x, axes = sized_image("adaptive_avg_pool", x, layout)
    sizes = per_axis("adaptive_avg_pool", "sizes", sizes, axes)
    return channels_back(adaptive_avg_pool.apply(x, sizes=sizes), layout)


def _max_plain(x: Image, *, sizes: Any) -> Image:
    """The maximum of each bin."""
    return first_maximum(x, [bins.positions for bins in _bins(x, sizes)])


def _max_forward(x: Image, *, sizes: Any) -> tuple[Image, Any]:
    """y, and for each axis the position along it that won."""
    shape, winners = shape_only(x), []
    for bins in reversed(_bins(x, sizes)):
        x, at = bins.first_maximum(x)
        winners.append(at)
    return x, (shape, winners[::-1])


def _max_backward(residuals: Any, dy: Image, *, sizes: Any) -> tuple[Image]:
    """The cotangent dx of adaptive max pooling.

    Along one axis y[i] = x[q] with q the first maximum of bin i, so dx[q] = Σ_i dy[i] over the bins i that q lies in
    and wins. The bins that q lies in are the bins with W and O exchanged (see `adaptive_avg_pool.backward`). Over
    several axes the maxima are nested, and dy goes back through the last one pooled first.
    """
    shape, winners = residuals
    for axis, at in enumerate(winners, 1):
        length = shape.shape[axis]
        around = adaptive_bins(axis, sizes[axis - 1], length)
        mine = around.gathered(at, -1) == along(np.arange(length), axis, dy.ndim + 1)
        dy = jnp.where(mine, around.gathered(dy, 0), 0).sum(axis + 1)
    return (dy,)


@rule(_max_plain, _max_forward, _max_backward)
def adaptive_max_pool(x: ArrayLike, sizes: PerAxis, *, layout: Layout = "NHWC") -> Array:
    """The maximum of each bin, channel by channel, as PyTorch's AdaptiveMaxPool.

    Arguments, shapes and errors as `adaptive_avg_pool`. Of equal maxima the first in row-major order gets the gradient.

    The backward pass and its derivation: `adaptive_max_pool.backward`.
    """
    x, axes = sized_image("adaptive_max_pool", x, layout)
    sizes = per_axis("adaptive_max_pool", "sizes", sizes, axes)
    return channels_back(adaptive_max_pool.apply(x, sizes=sizes), layout)


@promoting()
@explained
def adaptive_max_pool_with_indices(x: ArrayLike, sizes: PerAxis, *, layout: Layout = "NHWC") -> tuple[Array, Array]:
    """`adaptive_max_pool`, and where in x each maximum stands first: indices as those of `max_pool_with_indices`.

    Arguments, shapes and errors as `adaptive_avg_pool`. It is no rule of its own: y is `adaptive_max_pool`'s.
    """
    x, axes = sized_image("adaptive_max_pool_with_indices", x, layout)
    sizes = per_axis("adaptive_max_pool_with_indices", "sizes", sizes, axes)
    y = adaptive_max_pool.apply(x, sizes=sizes)
    return channels_back(y, layout), channels_back(_winners(x, sizes), layout)


def _winners(x: Image, sizes: Any) -> Indices:
    """The row-major place of each bin's first maximum: along each axis the winner there, of the winners before it."""
    _, (_, winners) = _max_forward(lax.stop_gradient(x), sizes=sizes)
    place, behind = jnp.zeros(x.shape, jnp.int32), 1
    for axis, at in reversed(list(enumerate(winners, 1))):
        place = behind * at.astype(jnp.int32) + jnp.take_along_axis(place, at, axis)
        behind *= x.shape[axis]
    return place
