"""Resizing by a product with one matrix for each spatial axis: along lines or cubic curves, antialiased or not."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.bins import Positions, summed
from jaxcnn.ops.check import Layout, accumulator, channels_back, number, shape_only, sized_image
from jaxcnn.ops.geometry import PerAxis
from jaxcnn.ops.resize.places import COORDINATES, Coordinates, Scale, new_sizes, one_of, places
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Matrix = Positions  # (O, W): what each output takes of each position


def linear(d: Positions) -> Positions:
    """A tent of half-width 1, at the distances d."""
    return np.maximum(0, 1 - abs(d))


def cubic(d: Positions, a: float) -> Positions:
    """Keys's cubic of half-width 2, at the distances d; its slope at 1 is a."""
    d = abs(d)
    near, far = ((a + 2) * d - (a + 3)) * d**2 + 1, a * (((d - 5) * d + 8) * d - 4)
    return np.where(d < 1, near, np.where(d < 2, far, 0))


def weights(
    length: int,
    size: int,
    scale: float | None,
    *,
    a: float | None,
    coordinates: Coordinates,
    antialias: bool,
    exclude_outside: bool,
) -> Matrix:
    """The matrix of one axis: a filter laid at the place of each output, linear or, with an `a`, cubic.

    With `antialias` the filter of a smaller image is as much wider as the image is smaller, and its samples are divided
    by their sum. What it takes beyond the border is the border's value; with `exclude_outside` it takes nothing there,
    and the rest is divided by its sum.
    """
    low, part = places(length, size, scale, coordinates)
    width = max(1, 1 / scale if scale else length / size) if antialias else 1
    reach = math.ceil(width * (1 if a is None else 2))
    step = np.arange(-reach, reach + 1)
    distances = (step - part[:, None]) / width
    taken = linear(distances) if a is None else cubic(distances, a)
    at = low[:, None] + step
    if exclude_outside:
        taken = np.where((at >= 0) & (at < length), taken, 0)
    if antialias or exclude_outside:
        taken = taken / taken.sum(1, keepdims=True)
    matrix = np.zeros((size, length))
    np.add.at(matrix, (np.arange(size)[:, None], np.clip(at, 0, length - 1)), taken)
    return matrix


def reads(matrix: Matrix) -> tuple[Positions, Positions]:
    """What each row of a matrix takes, as a table for `summed`: (rows, most) positions with weights, -1 behind them."""
    nonzero = matrix != 0
    most = max(nonzero.sum(1).max(initial=0), 1)
    first = np.argsort(~nonzero, axis=1, kind="stable")[:, :most]
    taken = np.take_along_axis(nonzero, first, 1)
    return np.where(taken, first, -1), np.take_along_axis(matrix, first, 1)


def _matrices(lengths: Any, *, sizes: Any, scale: Any, **filtered: Any) -> list[Matrix]:
    """`weights` for each spatial axis."""
    return [weights(*axis, **filtered) for axis in zip(lengths, sizes, scale, strict=True)]


def _plain(
    x: Image, *, sizes: Any, scale: Any, a: Any, coordinates: Any, antialias: Any, exclude_outside: Any
) -> Image:
    """Along each axis a product with its whole matrix."""
    y = x.astype(accumulator(x))
    filtered = {"a": a, "coordinates": coordinates, "antialias": antialias, "exclude_outside": exclude_outside}
    for axis, matrix in enumerate(_matrices(x.shape[1:-1], sizes=sizes, scale=scale, **filtered), 1):
        y = jnp.tensordot(y, jnp.asarray(matrix, y.dtype), (axis, 1), precision=lax.Precision.HIGHEST)
        y = jnp.moveaxis(y, -1, axis)
    return y.astype(x.dtype)


def _forward(x: Image, **options: Any) -> tuple[Image, Array]:
    """y, and nothing but x's shape: the weights do not depend on x. Of each row only what is not 0 is read."""
    y = x.astype(accumulator(x))
    for axis, matrix in reversed([*enumerate(_matrices(x.shape[1:-1], **options), 1)]):
        y = summed(y, axis, *reads(matrix))
    return y.astype(x.dtype), shape_only(x)


def _backward(residuals: Array, dy: Image, **options: Any) -> tuple[Image]:
    """The cotangent dx of a product with a matrix along each axis.

    Along one axis y[i] = Σ_q m[i, q] x[q], so dx[q] = Σ_i m[i, q] dy[i]: the product with the transposed matrix, of
    which again only what is not 0 is read. The weights of several axes multiply, so dy goes back through one axis after
    the other.
    """
    dx = dy.astype(accumulator(dy))
    for axis, matrix in enumerate(_matrices(residuals.shape[1:-1], **options), 1):
        dx = summed(dx, axis, *reads(matrix.T))
    return (dx.astype(dy.dtype),)


def _options(
    op: str,
    x: Image,
    sizes: PerAxis | None,
    scale: Scale | None,
    coordinates: Coordinates,
    align_corners: bool,
    antialias: bool,
    exclude_outside: bool | None,
) -> dict[str, Any]:
    """What both rules take, worked out."""
    outputs, scales = new_sizes(op, x.shape[1:-1], sizes, scale)
    one_of(op, "coordinates", coordinates, COORDINATES)
    if align_corners and coordinates not in ("half_pixel", "align_corners"):
        raise ValueError(f"{op}: align_corners is True and coordinates is {coordinates!r}; give one of them.")
    if align_corners:
        scales = tuple(
            between_corners(*axis) if antialias else None for axis in zip(x.shape[1:-1], outputs, strict=True)
        )
    return {
        "sizes": outputs,
        "scale": scales,
        "coordinates": "align_corners" if align_corners and not antialias else coordinates,
        "antialias": bool(antialias),
        "exclude_outside": bool(antialias if exclude_outside is None else exclude_outside),
    }


def between_corners(length: int, size: int) -> float:
    """The scale (O - 1) / (W - 1) that PyTorch's antialiasing has with align_corners, though it lays filters by half
    pixels; infinite where all outputs read the first position.
    """
    return (size - 1) / (length - 1) if min(size, length) > 1 else math.inf


@rule(_plain, _forward, _backward)
def resize_bilinear(
    x: ArrayLike,
    sizes: PerAxis | None = None,
    *,
    scale: Scale | None = None,
    align_corners: bool = False,
    coordinates: Coordinates = "half_pixel",
    antialias: bool = False,
    exclude_outside: bool | None = None,
    layout: Layout = "NHWC",
) -> Array:
    """x with other spatial sizes, linear between neighbours along each axis: linear, bilinear or trilinear.

    That is PyTorch's interpolate(size=sizes, mode="linear", "bilinear" or "trilinear"), ONNX's Resize with mode
    "linear" and `jax.image.resize` with "linear" (which antialiases unless told not to).

    Args:
      x, sizes, scale, layout: as `resize_nearest`.
      align_corners: make the centres of the corner pixels coincide, and not the borders of the images, whatever the
        scale: PyTorch's word. It is coordinates="align_corners" but where a scale or antialiasing is given.
      coordinates: where outputs lie, by ONNX's names: see `resize_nearest`. Where one lies beyond the border
        pixels, it has the border's value.
      antialias: average over all the pixels that an output of a smaller image covers, as PyTorch with antialias=True,
        Pillow and `jax.image.resize` do: the filter is 1 / s times as wide where the scale s is below 1. Without it an
        output reads its two neighbours along each axis, whatever else lies around them. With align_corners=True the
        filters are those of PyTorch, which lie as by half pixels with the scale (O - 1) / (W - 1); with
        coordinates="align_corners" they lie at the corners, as ONNX has it.
      exclude_outside: leave out what the filter covers beyond the border, and divide by what is left, instead of taking
        the border's value for it: ONNX's exclude_outside. Unless given that goes with `antialias`, as in PyTorch;
        ONNX's default is False. Without antialiasing the two are the same here.

    Half-precision input is interpolated in float32, by weights from float64.

    Returns and raises as `resize_nearest`. The backward pass and its derivation: `resize_bilinear.backward`.
    """
    op = "resize_bilinear"
    x, _ = sized_image(op, x, layout)
    options = _options(op, x, sizes, scale, coordinates, align_corners, antialias, exclude_outside)
    return channels_back(resize_bilinear.apply(x, a=None, **options), layout)


@rule(_plain, _forward, _backward)
def resize_bicubic(
    x: ArrayLike,
    sizes: PerAxis | None = None,
    *,
    scale: Scale | None = None,
    a: float | None = None,
    align_corners: bool = False,
    coordinates: Coordinates = "half_pixel",
    antialias: bool = False,
    exclude_outside: bool | None = None,
    layout: Layout = "NHWC",
) -> Array:
    """x with other spatial sizes, by cubic curves through four neighbours along each axis (Keys 1981).

    At the distance d from an output a pixel counts (a + 2) d³ - (a + 3) d² + 1 below 1, a (d³ - 5 d² + 8 d - 4) below
    2, and then nothing. Where |d| lies between 1 and 2 that is negative: edges are sharper, and overshoot.

    That is PyTorch's interpolate(size=sizes, mode="bicubic") and ONNX's Resize with mode "cubic", in 1, 2 or 3
    dimensions. `jax.image.resize` with "cubic" has a=-0.5 and exclude_outside=True, and antialias=True unless told not
    to; so has Pillow, always.

    Args:
      a: the curve's slope at 1, ONNX's cubic_coeff_a: -0.75 unless given, and -0.5 with `antialias`, as in PyTorch.
        With -0.5 (Keys's own choice) parabolas are reproduced.
      x, sizes, scale, align_corners, coordinates, antialias, exclude_outside, layout: as `resize_bilinear`;
        `exclude_outside` counts without antialiasing, too.

    Half-precision input is interpolated in float32, by weights from float64.

    Returns and raises as `resize_nearest`; ValueError for an a above 0, too. The backward pass and its derivation:
    `resize_bicubic.backward`.

    Source: Keys 1981, "Cubic convolution interpolation for digital image processing", equation 15 for a = -0.5.
    """
    op = "resize_bicubic"
    x, _ = sized_image(op, x, layout)
    options = _options(op, x, sizes, scale, coordinates, align_corners, antialias, exclude_outside)
    given = (-0.5 if antialias else -0.75) if a is None else a
    slope = number(op, "a", given, "a number of 0 or less, such as -0.75", lambda v: -math.inf < v <= 0)
    return channels_back(resize_bicubic.apply(x, a=slope, **options), layout)
