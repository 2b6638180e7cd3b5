"""The windows of a convolution laid out as rows, and their sum put back: im2col and col2im."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.bins import Positions, gathered, readers, summed
from jaxcnn.ops.check import Layout, accumulator, channels_back, channels_last, floating, shape_only, sized_image
from jaxcnn.ops.geometry import Padding, PerAxis, known, output_size, per_axis, resolve_padding, wrong
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Rows = Float[Array, "n places c*window"]


def _taps(sizes: Any, *, window: Any, stride: Any, padding: Any, dilation: Any) -> list[Positions]:
    """For each axis (places, taps): the position that each tap of each window lies on, beyond the image's ends, too."""
    tables = []
    for w, k, s, (low, high), d in zip(sizes, window, stride, padding, dilation, strict=True):
        places = output_size(w, k, stride=s, padding=((low, high),), dilation=d)
        tables.append(np.arange(places)[:, None] * s - low + np.arange(k) * d)
    return tables


def _padded_at(sizes: Any, padding: Any, **options: Any) -> tuple[list[Any], Any]:
    """Where the taps lie in the padded image, as indices that broadcast to (*places, *window); and its sizes."""
    axes = len(sizes)
    at = []
    for axis, taps in enumerate(_taps(sizes, padding=padding, **options)):
        ones = np.ones(2 * axes, int)
        ones[axis], ones[axes + axis] = taps.shape
        at.append((taps + padding[axis][0]).reshape(ones))
    return at, [low + w + high for w, (low, high) in zip(sizes, padding, strict=True)]


def _unfold_plain(x: Image, *, window: Any, **options: Any) -> Rows:
    """The padded image, indexed by place and tap."""
    at, _ = _padded_at(x.shape[1:-1], window=window, **options)
    padded = jnp.pad(x, ((0, 0), *options["padding"], (0, 0)))
    return _rows(padded[(slice(None), *at)], len(window))


def _rows(y: Array, axes: int) -> Rows:
    """(n, *places, *window, c) to (n, places, c window)."""
    n, *places = y.shape[: 1 + axes]
    return jnp.moveaxis(y, -1, 1 + axes).reshape(n, math.prod(places), math.prod(y.shape[1 + axes :]))


def _unfold_forward(x: Image, *, window: Any, **options: Any) -> tuple[Rows, Array]:
    """y, and x's shape: copying is linear. Each axis is gathered, or only split where the taps tile it."""
    y, axes = x, len(window)
    lengths = x.shape[1:-1]
    for axis, taps in reversed([*enumerate(_taps(lengths, window=window, **options))]):
        inside = (taps >= 0) & (taps < lengths[axis])
        y = gathered(y, 1 + axis, np.where(inside, taps, -1), 0)
    order = [0, *range(1, 2 * axes, 2), *range(2, 2 * axes + 1, 2), 2 * axes + 1]  # from (n, place, tap, place, tap, c)
    return _rows(y.transpose(order), axes), shape_only(x)


def _unfold_backward(residuals: Array, dy: Rows, **options: Any) -> tuple[Image]:
    """The cotangent dx of y[p, (c, k)] = x[p s + k d - low, c], and 0 where that lies beyond the image.

    So dx[q, c] = Σ_{p, k: p s + k d - low = q} dy[p, (c, k)]: `fold`, the sum over all windows that overlap on q. Place
    and tap of different axes do not mix, so the sum is taken along one axis after the other.
    """
    return (_folded(dy, sizes=residuals.shape[1:-1], **options),)


def _folded(x: Rows, *, sizes: Any, window: Any, **options: Any) -> Image:
    """For each position the sum of the taps that lie on it, along one axis after the other."""
    tables = _taps(sizes, window=window, **options)
    axes, n = len(sizes), x.shape[0]
    y = x.astype(accumulator(x)).reshape(n, *(len(taps) for taps in tables), x.shape[-1] // math.prod(window), *window)
    y = y.transpose(0, *(a for axis in range(axes) for a in (1 + axis, 2 + axes + axis)), 1 + axes)
    for axis, (taps, length) in enumerate(zip(tables, sizes, strict=True), 1):
        y = y.reshape(*y.shape[:axis], taps.size, *y.shape[axis + 2 :])
        y = summed(y, axis, readers(taps, length))
    return y.astype(x.dtype)


@rule(_unfold_plain, _unfold_forward, _unfold_backward)
def unfold(
    x: ArrayLike,
    window: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    layout: Layout = "NHWC",
) -> Array:
    """Each window that a convolution would look at as one row (im2col): PyTorch's unfold.

    A row holds the channels one after the other and of each all taps, row by row: (c, *window), as in PyTorch and in
    `lax.conv_general_dilated_patches`. So `conv` is `dense(unfold(x, window), rows)` with the kernel's input channels
    moved to the front, `rows = jnp.moveaxis(kernel, -2, 0).reshape(-1, out)`. With a stride as long as the window the
    rows are patches, the tokens of a vision transformer.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      window: the taps of a window, one number for all axes or one for each.
      stride, dilation: the step from one window to the next and from one tap to the next, likewise.
      padding: zeros around x: "VALID" (none), "SAME", "FULL", "CAUSAL", an int or (low, high) for each axis.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, places, c Πwindow), the places of the windows row by row; with layout="NCHW" (n, c Πwindow, places).

    Raises: ValueError for a wrong rank, integer data, options out of their range, and a window larger than x
      with its padding.

    The backward pass and its derivation: `unfold.backward`.
    """
    op = "unfold"
    x, _ = sized_image(op, x, layout)
    options = _options(op, x.shape[1:-1], window, stride, padding, dilation)
    return channels_back(unfold.apply(x, **options), layout)


def _options(op: str, sizes: Any, window: Any, stride: Any, padding: Any, dilation: Any) -> dict[str, Any]:
    """The windows in numbers."""
    axes = len(sizes)
    window, stride = per_axis(op, "window", window, axes), per_axis(op, "stride", stride, axes)
    dilation = per_axis(op, "dilation", dilation, axes)
    pads = resolve_padding(op, padding, sizes, window, stride, dilation)
    return {"window": window, "stride": stride, "padding": pads, "dilation": dilation}


def _fold_plain(x: Rows, *, sizes: Any, window: Any, **options: Any) -> Image:
    """Every tap added to where it lies in the padded image, of which the padding is cut off."""
    at, padded = _padded_at(sizes, window=window, **options)
    axes, places = len(sizes), np.broadcast_shapes(*(a.shape for a in at))[: len(sizes)]
    n, channels = x.shape[0], x.shape[-1] // math.prod(window)
    taps = x.astype(accumulator(x)).reshape(n, *places, channels, *window)
    y = jnp.zeros((n, *padded, channels), taps.dtype)
    y = y.at[(slice(None), *at)].add(jnp.moveaxis(taps, 1 + axes, -1))
    kept = tuple(slice(low, low + w) for w, (low, _) in zip(sizes, options["padding"], strict=True))
    return y[(slice(None), *kept)].astype(x.dtype)


def _fold_forward(x: Rows, **options: Any) -> tuple[Image, tuple[()]]:
    """y, and nothing: sums are linear."""
    return _folded(x, **options), ()


def _fold_backward(residuals: Any, dy: Image, *, sizes: Any, **options: Any) -> tuple[Rows]:
    """The cotangent dx of y[q, c] = Σ_{p, k: p s + k d - low = q} x[p, (c, k)].

    Every x[p, (c, k)] is added to one y, or, where its tap lies in the padding, to none: dx[p, (c, k)] =
    dy[p s + k d - low, c], and 0 there. That is `unfold`.
    """
    return (_unfold_forward(dy, **options)[0],)


@rule(_fold_plain, _fold_forward, _fold_backward)
def fold(
    x: ArrayLike,
    sizes: Sequence[int],
    window: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = "VALID",
    dilation: PerAxis = 1,
    layout: Layout = "NHWC",
) -> Array:
    """The image whose pixels are the sums of all taps that lie on them (col2im): PyTorch's fold, ONNX's Col2Im.

    It is the transpose of `unfold` with the same options, not its inverse: where m windows overlap it gives m times
    what `unfold` was given. `fold(x) / fold(ones)` is their mean.

    Args:
      x: (n, places, c Πwindow), rows as `unfold` makes them; with layout="NCHW" (n, c Πwindow, places).
      sizes: the spatial sizes of the image, one for each of its 1, 2 or 3 axes.
      window, stride, padding, dilation, layout: as `unfold` was given.

    Returns: (n, *sizes, c), or (n, c, *sizes).

    Raises: ValueError for a wrong rank, integer data, options out of their range, and rows of another number or length
      than these windows have.

    The backward pass and its derivation: `fold.backward`.
    """
    op = "fold"
    x = floating(op, "x", x)
    if x.ndim != 3:
        raise ValueError(
            f"{op}: x has shape {x.shape}; expected (n, places, channels times taps), as `unfold` makes it. For a "
            "single image write x[None]."
        )
    x = channels_last(op, x, layout)
    sizes = _image_sizes(op, sizes)
    options = _options(op, sizes, window, stride, padding, dilation)
    places, taps = [len(t) for t in _taps(sizes, **options)], math.prod(options["window"])
    if x.shape[1] != math.prod(places) or x.shape[2] % taps:
        raise ValueError(
            f"{op}: x has {x.shape[1]} rows of {x.shape[2]} (shape {x.shape}, channels last); expected "
            f"{math.prod(places)} rows, for windows at {places} places of an image of sizes {sizes}, of a multiple of "
            f'{taps} taps. If x is (n, channels times taps, places), pass layout="NCHW".'
        )
    return channels_back(fold.apply(x, sizes=sizes, **options), layout)


def _image_sizes(op: str, sizes: Any) -> tuple[int, ...]:
    """1 to 3 positive ints; ValueError otherwise: unlike elsewhere a single number does not tell how many axes."""
    given = known(sizes)
    if not isinstance(given, Sequence) or len(given) not in (1, 2, 3):
        raise wrong(op, "sizes", sizes, "one size for each of the image's 1, 2 or 3 axes, such as (8, 8)")
    return per_axis(op, "sizes", given, len(given))
