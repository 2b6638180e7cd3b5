"""Resizing by copying the nearest neighbour, one spatial axis at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.bins import Bins, Positions
from jaxcnn.ops.check import Layout, accumulator, channels_back, shape_only, sized_image
from jaxcnn.ops.geometry import PerAxis
from jaxcnn.ops.resize.places import COORDINATES, Coordinates, Scale, new_sizes, one_of, places
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Rounding = Literal["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"]
# From how much of the way on to the next position an output copies that one.
UP: dict[str, Callable[[Positions], Any]] = {
    "floor": lambda part: np.zeros(part.shape, bool),
    "ceil": lambda part: part > 0,
    "round_prefer_floor": lambda part: part > 0.5,
    "round_prefer_ceil": lambda part: part >= 0.5,
}


def nearest(
    length: int,
    size: int,
    scale: float | None = None,
    coordinates: Coordinates = "asymmetric",
    rounding: Rounding = "floor",
) -> Positions:
    """The position that each of `size` outputs copies; it never falls."""
    low, part = places(length, size, scale, coordinates)
    return np.clip(low + UP[rounding](part), 0, length - 1)


def _sources(lengths: Any, *, sizes: Any, scale: Any, **words: Any) -> list[Positions]:
    """`nearest` for each spatial axis."""
    return [nearest(*axis, **words) for axis in zip(lengths, sizes, scale, strict=True)]


def _plain(x: Image, **options: Any) -> Image:
    """Each output a copy, gathered by JAX."""
    for axis, source in enumerate(_sources(x.shape[1:-1], **options), 1):
        x = jnp.take(x, source, axis)
    return x


def _forward(x: Image, **options: Any) -> tuple[Image, Array]:
    """y, and nothing but x's shape: copying is linear. Whole multiples are repeated, which is faster than gathering."""
    y = x
    for axis, source in enumerate(_sources(x.shape[1:-1], **options), 1):
        length, times = x.shape[axis], len(source) // x.shape[axis]
        if np.array_equal(source, np.repeat(np.arange(length), times)):
            y = jnp.repeat(y, times, axis)
        else:
            y = jnp.take(y, source, axis, mode="clip")
    return y, shape_only(x)


def _backward(residuals: Array, dy: Image, **options: Any) -> tuple[Image]:
    """The cotangent dx of copying.

    Along one axis y[i] = x[s(i)], so dx[q] = Σ_{i: s(i) = q} dy[i]. s never falls, so these i are a bin: dx sums over
    bins of dy, axis by axis. A position that nobody copies has an empty bin.
    """
    dx = dy.astype(accumulator(dy))
    for axis, source in enumerate(_sources(residuals.shape[1:-1], **options), 1):
        q = np.arange(residuals.shape[axis])
        dx = Bins(axis, np.searchsorted(source, q), np.searchsorted(source, q, "right")).sum(dx)
    return (dx.astype(dy.dtype),)


@rule(_plain, _forward, _backward)
def resize_nearest(
    x: ArrayLike,
    sizes: PerAxis | None = None,
    *,
    scale: Scale | None = None,
    coordinates: Coordinates = "asymmetric",
    rounding: Rounding = "floor",
    layout: Layout = "NHWC",
) -> Array:
    """x with other spatial sizes, larger or smaller: output i copies x at floor(i W / O), unless told otherwise.

    As it stands that is PyTorch's interpolate(size=sizes, mode="nearest"), in whole numbers, so that rounding misses no
    position. coordinates="half_pixel" with rounding="round_prefer_ceil" is its "nearest-exact", floor((i + 1/2) W / O),
    which `jax.image.resize` gives.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      sizes: the new spatial sizes O, one for all axes or one for each.
      scale: instead of `sizes` by how much the image grows, one for all axes or one for each: O is floor(scale W), and
        outputs lie by `scale` itself, which need not be O / W: PyTorch's scale_factor, ONNX's scales.
      coordinates: where output i lies, by the names of ONNX's coordinate_transformation_mode. With s the scale:
        "asymmetric", i / s; "half_pixel", (i + 1/2) / s - 1/2; "half_pixel_symmetric", the same + (W - O / s) / 2;
        "pytorch_half_pixel", as "half_pixel", but 0 where O is 1; "align_corners", i (W - 1) / (s W - 1).
      rounding: which position that is between two, by the names of ONNX's nearest_mode: "floor", "ceil", or the nearer
        one, where "round_prefer_floor" and "round_prefer_ceil" say what is nearer to the middle.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *O, c), or (n, c, *O).

    Raises: ValueError for a wrong rank, an empty axis, integer data, a size below 1, both or none of sizes and scale,
      and unknown words.

    The backward pass and its derivation: `resize_nearest.backward`.
    """
    op = "resize_nearest"
    x, _ = sized_image(op, x, layout)
    one_of(op, "coordinates", coordinates, COORDINATES)
    one_of(op, "rounding", rounding, list(UP))
    sizes, scales = new_sizes(op, x.shape[1:-1], sizes, scale)
    y = resize_nearest.apply(x, sizes=sizes, scale=scales, coordinates=coordinates, rounding=rounding)
    return channels_back(y, layout)
