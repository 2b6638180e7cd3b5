"""Channels rearranged into space, and back: depth to space and space to depth."""

from __future__ import annotations

import math
from typing import Any, Literal

from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, channels_back, floating, spatial
from jaxcnn.ops.geometry import PerAxis, per_axis
from jaxcnn.ops.resize.places import one_of
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Mode = Literal["CRD", "DCR"]
MODES = ("CRD", "DCR")


def _shuffled(x: Image, *, factor: Any, mode: Mode) -> Image:
    """y[n, p r + k, c] = x[n, p, (c, k)], or x[n, p, (k, c)] in the mode "DCR": the factors go into space."""
    n, *lengths, channels = x.shape
    axes, rest = len(factor), channels // math.prod(factor)
    split, c, k = ((rest, *factor), 1 + axes, 2 + axes) if mode == "CRD" else ((*factor, rest), 1 + 2 * axes, 1 + axes)
    pairs = [axis for a in range(axes) for axis in (1 + a, k + a)]
    larger = [w * r for w, r in zip(lengths, factor, strict=True)]
    return x.reshape(n, *lengths, *split).transpose(0, *pairs, c).reshape(n, *larger, rest)


def _unshuffled(y: Image, *, factor: Any, mode: Mode) -> Image:
    """The inverse of `_shuffled`: x[n, p, (c, k)] = y[n, p r + k, c], or x[n, p, (k, c)]."""
    n, *lengths, channels = y.shape
    axes = len(factor)
    smaller = [w // r for w, r in zip(lengths, factor, strict=True)]
    split = y.reshape(n, *(part for pair in zip(smaller, factor, strict=True) for part in pair), channels)
    places, block, c = range(1, 2 * axes, 2), range(2, 2 * axes + 1, 2), 2 * axes + 1
    order = [0, *places, c, *block] if mode == "CRD" else [0, *places, *block, c]
    return split.transpose(order).reshape(n, *smaller, channels * math.prod(factor))


def _shuffle_forward(x: Image, *, factor: Any, mode: Mode) -> tuple[Image, tuple[()]]:
    """y, and nothing: every entry moves to one place."""
    return _shuffled(x, factor=factor, mode=mode), ()


def _shuffle_backward(residuals: Any, dy: Image, *, factor: Any, mode: Mode) -> tuple[Image]:
    """The cotangent dx: y holds x's entries in another order, so dx holds dy's, put back by the inverse."""
    return (_unshuffled(dy, factor=factor, mode=mode),)


@rule(_shuffled, _shuffle_forward, _shuffle_backward)
def pixel_shuffle(x: ArrayLike, factor: PerAxis, *, mode: Mode = "CRD", layout: Layout = "NHWC") -> Array:
    """Every r channels of a pixel become a block of r pixels along each axis: depth to space.

    Channel c r² + k r + l of x at (p, q) is channel c of y at (p r + k, q r + l). That is PyTorch's PixelShuffle.

    Args:
      x: a batch (n, *spatial, c Πr) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c Πr, *spatial).
      factor: r, one for all axes or one for each.
      mode: how x's channels are counted, by the names of ONNX's DepthToSpace: "CRD", channel before block, as above, or
        "DCR", block before channel, (k r + l) C + c for C channels of y: as TensorFlow's depth_to_space and, unless
        told otherwise, ONNX.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *spatial times r, c), or (n, c, *spatial times r).

    Raises: ValueError for a wrong rank, integer data, a factor below 1, an unknown mode, and channels that Πr does not
      divide.

    The backward pass and its derivation: `pixel_shuffle.backward`.

    Source: Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network".
    """
    op = "pixel_shuffle"
    one_of(op, "mode", mode, MODES)
    x, axes = spatial(op, floating(op, "x", x), layout)
    factor = per_axis(op, "factor", factor, axes)
    block = math.prod(factor)
    if x.shape[-1] % block:
        raise ValueError(
            f"{op}: x has {x.shape[-1]} channels (shape {x.shape}, channels last), which factor {factor} does not "
            f"divide into blocks of {block} pixels; give a multiple of {block}."
        )
    return channels_back(pixel_shuffle.apply(x, factor=factor, mode=mode), layout)


def _unshuffle_forward(x: Image, *, factor: Any, mode: Mode) -> tuple[Image, tuple[()]]:
    """y, and nothing: every entry moves to one place."""
    return _unshuffled(x, factor=factor, mode=mode), ()


def _unshuffle_backward(residuals: Any, dy: Image, *, factor: Any, mode: Mode) -> tuple[Image]:
    """The cotangent dx: y holds x's entries in another order, so dx holds dy's, put back by the inverse."""
    return (_shuffled(dy, factor=factor, mode=mode),)


@rule(_unshuffled, _unshuffle_forward, _unshuffle_backward)
def pixel_unshuffle(x: ArrayLike, factor: PerAxis, *, mode: Mode = "CRD", layout: Layout = "NHWC") -> Array:
    """Blocks of r pixels along each axis become r channels of one pixel: space to depth, undoing `pixel_shuffle`.

    That is PyTorch's PixelUnshuffle; with the mode "DCR" TensorFlow's space_to_depth and ONNX's SpaceToDepth.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      factor, mode, layout: as `pixel_shuffle`; the mode is how y's channels are counted.

    Returns: (n, *spatial divided by r, c Πr), or (n, c Πr, *spatial divided by r).

    Raises: ValueError for a wrong rank, integer data, a factor below 1, an unknown mode, and sizes that it does not
      divide.

    The backward pass and its derivation: `pixel_unshuffle.backward`.
    """
    op = "pixel_unshuffle"
    one_of(op, "mode", mode, MODES)
    x, axes = spatial(op, floating(op, "x", x), layout)
    factor = per_axis(op, "factor", factor, axes)
    if any(w % r for w, r in zip(x.shape[1:-1], factor, strict=True)):
        raise ValueError(
            f"{op}: x has spatial sizes {x.shape[1:-1]}, which factor {factor} does not divide; pad or crop them."
        )
    return channels_back(pixel_unshuffle.apply(x, factor=factor, mode=mode), layout)
