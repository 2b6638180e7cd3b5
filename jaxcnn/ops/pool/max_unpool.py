"""Max pooling that tells where its maxima were, and its partial inverse, which puts values back there."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float, Int

from jaxcnn.ops.arguments import explained
from jaxcnn.ops.bins import along
from jaxcnn.ops.check import Layout, channels_back, channels_last, floating, known_values, shape_only, spatial
from jaxcnn.ops.geometry import PerAxis, PoolPadding, per_axis
from jaxcnn.ops.pool.max_pool import max_pool
from jaxcnn.ops.pool.shapes import checked, on_one_axis
from jaxcnn.ops.pool.windows import along_axes
from jaxcnn.ops.rule import rule
from jaxcnn.primitive import promoting

Image = Float[Array, "n *spatial c"]
Indices = Int[Array, "n *spatial c"]


@promoting()
@explained
def max_pool_with_indices(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: PoolPadding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    layout: Layout = "NHWC",
) -> tuple[Array, Array]:
    """`max_pool`, and where in x each maximum stands first.

    The indices are PyTorch's (return_indices=True): int32, of y's shape, each the row-major place among the spatial
    positions of x, in the same example and channel. Arguments and errors as `max_pool`.

    It is no rule of its own: y is `max_pool`'s, which differentiates it, and integers have no gradient. Under `jax.jit`
    XLA computes once what both need.
    """
    geometry = {"stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    x, options = checked("max_pool_with_indices", x, layout, size=size, **geometry)
    y, indices = max_pool.apply(x, **options), _winners(x, options)
    return channels_back(y, layout), channels_back(indices, layout)


def _winners(x: Image, options: dict[str, Any]) -> Indices:
    """The row-major place of each window's first maximum.

    Max pooling goes from the last axis to the first, and keeps which tap won along each. Whoever wins along an axis has
    the place along the later axes that the pooling of those had found for it.
    """
    _, (_, taps) = max_pool.forward(lax.stop_gradient(x), **options)
    place, behind = jnp.zeros(x.shape, jnp.int32), 1
    for windows, tap in reversed(list(zip(along_axes(**options), taps, strict=True))):
        length = x.shape[windows.axis]
        starts = along(windows.positions(length)[:, 0], windows.axis, x.ndim)
        # A window of nothing but -inf or NaN may name its padding.
        at = jnp.clip(starts + tap.astype(jnp.int32) * windows.dilation, 0, length - 1).astype(jnp.int32)
        place = behind * at + jnp.take_along_axis(place, at, windows.axis)
        behind *= length
    return place


def _at(indices: Array) -> tuple[Array, Array, Array]:
    """What takes (n, m, c) entries out of rows (n, q, c): the example, the row, the channel of each."""
    n, _, c = indices.shape
    return jnp.arange(n)[:, None, None], indices, jnp.arange(c)


def _plain(x: Image, indices: Indices, *, sizes: Any) -> Image:
    """Zeros with the values written into them by XLA, one after the other."""
    flat = jnp.zeros((x.shape[0], math.prod(sizes), x.shape[-1]), x.dtype)
    return flat.at[_at(on_one_axis(indices))].set(on_one_axis(x)).reshape(x.shape[0], *sizes, x.shape[-1])


def _forward(x: Image, indices: Indices, *, sizes: Any) -> tuple[Image, Any]:
    """y; x's shape, the indices, and for each place of y the entry of x that stands there, or -1."""
    rows, at = on_one_axis(x), _at(on_one_axis(indices))
    order = jnp.broadcast_to(jnp.arange(rows.shape[1], dtype=jnp.int32)[:, None], rows.shape)
    nobody = jnp.full((x.shape[0], math.prod(sizes), x.shape[-1]), -1, jnp.int32)
    writer = nobody.at[at].max(order)
    y = jnp.where(writer >= 0, jnp.take_along_axis(rows, jnp.maximum(writer, 0), 1), 0)
    return y.reshape(x.shape[0], *sizes, x.shape[-1]), (shape_only(x), indices, writer)


def _backward(residuals: Any, dy: Image, **_: Any) -> tuple[Image, None]:
    """The cotangent dx of unpooling.

    y[q] = x[p] for the last p with index[p] = q, and 0 where there is none. So dx[p] = dy[index[p]] where p is that
    last one, and 0 for an entry that a later one wrote over. The indices are integers and have no cotangent.

    Source: Zeiler & Fergus 2014, "Visualizing and understanding convolutional networks", section 2.1.
    """
    like, indices, writer = residuals
    at = _at(on_one_axis(indices))
    order = jnp.arange(at[1].shape[1])[:, None]
    dx = jnp.where(writer[at] == order, on_one_axis(dy)[at], 0)
    return dx.reshape(dy.shape[0], *like.shape[1:]), None


@rule(_plain, _forward, _backward)
def max_unpool(x: ArrayLike, indices: ArrayLike, sizes: PerAxis, *, layout: Layout = "NHWC") -> Array:
    """An image of zeros with the entries of x at the places that `max_pool_with_indices` gave: PyTorch's MaxUnpool.

    Args:
      x: values (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      indices: int, of x's shape: row-major places among the spatial positions of the result.
      sizes: of the result, for all spatial axes or one for each: those of the image that was pooled.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *sizes, c), or (n, c, *sizes). Of entries with one index, as overlapping windows give them, the last
    in row-major order stands, and it alone gets the gradient; PyTorch leaves open which, and gives it to all.

    Raises: ValueError for a wrong rank, values that are no floats, indices that are no ints or have another shape
      than x, sizes below 1, an unknown layout, and indices outside of the image where their values can be seen; under
      `jax.jit` such an entry is NaN, at the nearest place.

    The backward pass and its derivation: `max_unpool.backward`.
    """
    values, axes = spatial("max_unpool", floating("max_unpool", "x", x), layout)
    places = channels_last("max_unpool", jnp.asarray(indices), layout)
    if not jnp.issubdtype(places.dtype, jnp.integer) or places.shape != values.shape:
        raise ValueError(
            f"max_unpool: indices has dtype {places.dtype} and shape {places.shape} (channels last); expected integers "
            f"of x's shape {values.shape}, as max_pool_with_indices returns them."
        )
    sizes = per_axis("max_unpool", "sizes", sizes, axes)
    values = _within(values, places, math.prod(sizes), indices)
    y = max_unpool.apply(values, jnp.clip(places, 0, math.prod(sizes) - 1), sizes=sizes)
    return channels_back(y, layout)


def _within(values: Image, places: Indices, count: int, indices: ArrayLike) -> Image:
    """The values; ValueError for an index outside of `count` places, NaN in its stead where it can't be seen."""
    known = known_values(indices)
    if known is None:
        return jnp.where((places >= 0) & (places < count), values, jnp.nan)
    if known.size and (known.min() < 0 or known.max() >= count):
        raise ValueError(
            f"max_unpool: indices go from {known.min()} to {known.max()}, but an image of these sizes has the places 0 "
            f"to {count - 1}. Give the sizes of the image that was pooled."
        )
    return values
