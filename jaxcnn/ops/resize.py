"""Resizing by the nearest neighbour, and by lines between neighbours, one spatial axis at a time."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.bins import Bins, Positions, along
from jaxcnn.ops.check import Layout, accumulator, channels_back, image, shape_only
from jaxcnn.ops.geometry import PerAxis, per_axis
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]


def nearest(length: int, size: int) -> Positions:
    """The position that each of `size` outputs copies, floor(i W / O) of W = `length`: PyTorch's mode "nearest"."""
    return np.arange(size) * length // size


def neighbours(length: int, size: int, align_corners: bool) -> tuple[Positions, Positions]:
    """The lower of the two positions that each output lies between, and how far on the way to the upper it is.

    Output i lies at (i + 1/2) W / O - 1/2, or at 0 where that is negative: pixels are squares, and the borders of the
    images coincide. With `align_corners` the centres of the corner pixels do, and it lies at i (W - 1) / (O - 1).
    """
    i = np.arange(size)
    if align_corners:
        over, under = i * (length - 1), max(size - 1, 1)
    else:
        over, under = np.maximum((2 * i + 1) * length - size, 0), 2 * size
    low = np.minimum(over // under, length - 1)
    return low, np.where(low < length - 1, (over - low * under) / under, 0)


def _readers(axis: int, read: Positions, length: int) -> Bins:
    """For each position along the axis the outputs that read it; `read` never falls."""
    q = np.arange(length)
    return Bins(axis, np.searchsorted(read, q), np.searchsorted(read, q, "right"))


def _nearest_plain(x: Image, *, sizes: Any) -> Image:
    """Each output a copy, gathered by JAX."""
    for axis, size in enumerate(sizes, 1):
        x = jnp.take(x, nearest(x.shape[axis], size), axis)
    return x


def _nearest_forward(x: Image, *, sizes: Any) -> tuple[Image, Array]:
    """y, and nothing but x's shape: copying is linear. Whole multiples are repeated, which is faster than gathering."""
    shape = shape_only(x)
    for axis, size in enumerate(sizes, 1):
        length = x.shape[axis]
        if size % length:
            x = jnp.take(x, nearest(length, size), axis, mode="clip")
        else:
            x = jnp.repeat(x, size // length, axis)
    return x, shape


def _nearest_backward(residuals: Array, dy: Image, *, sizes: Any) -> tuple[Image]:
    """The cotangent dx of copying.

    Along one axis y[i] = x[s(i)] with s(i) = floor(i W / O), so dx[q] = Σ_{i: s(i) = q} dy[i]. s never falls, so these
    i are a bin: dx sums over bins of dy, axis by axis. A position that nobody copies has an empty bin.
    """
    dx = dy.astype(accumulator(dy))
    for axis in range(1, len(sizes) + 1):
        length = residuals.shape[axis]
        dx = _readers(axis, nearest(length, sizes[axis - 1]), length).sum(dx)
    return (dx.astype(dy.dtype),)


@rule(_nearest_plain, _nearest_forward, _nearest_backward)
def resize_nearest(x: ArrayLike, sizes: PerAxis, *, layout: Layout = "NHWC") -> Array:
    """x with other spatial sizes, larger or smaller: output i copies x at floor(i W / O).

    That is PyTorch's interpolate(size=sizes, mode="nearest"), in whole numbers, so that rounding misses no position.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      sizes: the new spatial sizes O, one for all axes or one for each.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *sizes, c), or (n, c, *sizes).

    Raises: ValueError for a wrong rank, an empty axis, integer data, a size below 1 or an unknown layout.

    The backward pass and its derivation: `resize_nearest.backward`.
    """
    x, axes = image("resize_nearest", x, layout)
    sizes = per_axis("resize_nearest", "sizes", sizes, axes)
    return channels_back(resize_nearest.apply(x, sizes=sizes), layout)


def _bilinear_plain(x: Image, *, sizes: Any, align_corners: bool) -> Image:
    """Along each axis a product with the matrix of all weights, max(0, 1 - distance)."""
    y = x.astype(accumulator(x))
    for axis, size in enumerate(sizes, 1):
        length = x.shape[axis]
        low, part = neighbours(length, size, align_corners)
        weights = jnp.asarray(np.maximum(0, 1 - np.abs((low + part)[:, None] - np.arange(length))), y.dtype)
        y = jnp.moveaxis(jnp.tensordot(y, weights, (axis, 1), precision=lax.Precision.HIGHEST), -1, axis)
    return y.astype(x.dtype)


def _bilinear_forward(x: Image, *, sizes: Any, align_corners: bool) -> tuple[Image, Array]:
    """y, and nothing but x's shape: the weights do not depend on x."""
    y = x.astype(accumulator(x))
    for axis, size in reversed(list(enumerate(sizes, 1))):
        low, part = neighbours(x.shape[axis], size, align_corners)
        t = along(part, axis, x.ndim).astype(y.dtype)  # 0 where there is no upper neighbour
        lower, upper = (jnp.take(y, at, axis, mode="clip") for at in (low, low + 1))
        y = (1 - t) * lower + t * upper
    return y.astype(x.dtype), shape_only(x)


def _bilinear_backward(residuals: Array, dy: Image, *, sizes: Any, align_corners: bool) -> tuple[Image]:
    """The cotangent dx of linear interpolation.

    Along one axis y[i] = (1 - t[i]) x[l[i]] + t[i] x[l[i] + 1], so

        dx[q] = Σ_{i: l[i] = q} (1 - t[i]) dy[i] + Σ_{i: l[i] = q - 1} t[i] dy[i].

    l never falls, so both are sums over bins of outputs, the second one a position further on. The weights of several
    axes multiply, so dy goes back through one axis after the other.
    """
    dx = dy.astype(accumulator(dy))
    for axis, size in enumerate(sizes, 1):
        length = residuals.shape[axis]
        low, part = neighbours(length, size, align_corners)
        t, readers = along(part, axis, dy.ndim).astype(dx.dtype), _readers(axis, low, length)
        upper = lax.slice_in_dim(readers.sum(t * dx), 0, length - 1, axis=axis)  # t = 0 where l is the last
        before = [(1, 0) if a == axis else (0, 0) for a in range(dy.ndim)]
        dx = readers.sum((1 - t) * dx) + jnp.pad(upper, before)
    return (dx.astype(dy.dtype),)


@rule(_bilinear_plain, _bilinear_forward, _bilinear_backward)
def resize_bilinear(x: ArrayLike, sizes: PerAxis, *, align_corners: bool = False, layout: Layout = "NHWC") -> Array:
    """x with other spatial sizes, linear between neighbours along each axis: linear, bilinear or trilinear.

    That is PyTorch's interpolate(size=sizes, mode="linear", "bilinear" or "trilinear"). There is no antialiasing: a
    smaller image reads the two neighbours of each output along each axis, whatever else lies around them.

    Arguments, shapes and errors as `resize_nearest`, and

    Args:
      align_corners: make the centres of the corner pixels coincide, and not the borders of the images.

    Half-precision input is interpolated in float32. The backward pass and its derivation: `resize_bilinear.backward`.
    """
    x, axes = image("resize_bilinear", x, layout)
    sizes = per_axis("resize_bilinear", "sizes", sizes, axes)
    return channels_back(resize_bilinear.apply(x, sizes=sizes, align_corners=bool(align_corners)), layout)
