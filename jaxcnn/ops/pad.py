"""Padding: what stands beyond the border of an image."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, channels_back, floating, shape_only, spatial
from jaxcnn.ops.geometry import Padding, Pair, explicit_padding
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Mode = Literal["zeros", "replicate", "reflect", "symmetric", "circular"]
# As NumPy and JAX call them.
MODES = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}


def _plain(x: Image, *, padding: tuple[Pair, ...], mode: Mode) -> Image:
    """x with `padding` positions more at the ends of each spatial axis."""
    return jnp.pad(x, ((0, 0), *padding, (0, 0)), mode=MODES[mode])


def _forward(x: Image, *, padding: tuple[Pair, ...], mode: Mode) -> tuple[Image, Array]:
    """y, and x's shape: padding is linear."""
    return _plain(x, padding=padding, mode=mode), shape_only(x)


def _backward(residuals: Array, dy: Image, *, padding: tuple[Pair, ...], mode: Mode) -> tuple[Image]:
    """The cotangent dx of padding.

    Every y[p] is a copy of one x[q(p)], or 0, so dx[q] = Σ_{p: q(p) = q} dy[p]: what was copied out is folded back
    onto where it came from. q acts on each axis alone, so the axes are folded one after the other.
    """
    for axis, (low, high) in enumerate(padding, 1):
        dy = _fold(dy, axis, low, high, residuals.shape[axis], mode)
    return (dy,)


def _fold(dy: Image, axis: int, low: int, high: int, w: int, mode: Mode) -> Image:
    """Along one axis: the middle of dy, with both ends added where they were copied from."""
    ends = lax.slice_in_dim(dy, 0, low, axis=axis), lax.slice_in_dim(dy, low + w, None, axis=axis)
    dx = lax.slice_in_dim(dy, low, low + w, axis=axis)
    if mode == "zeros":
        return dx
    if mode == "replicate":  # each end is copies of one entry
        ends = ends[0].sum(axis, keepdims=True), ends[1].sum(axis, keepdims=True)
        starts = 0, w - 1
    elif mode == "circular":  # the low end shows the image's high end, and the other way round
        starts = w - low, 0
    else:  # mirrored; reflect leaves out the border itself
        ends = jnp.flip(ends[0], axis), jnp.flip(ends[1], axis)
        starts = (1, w - 1 - high) if mode == "reflect" else (0, w - high)
    for end, start in zip(ends, starts, strict=True):
        room = [(0, 0, 0)] * dy.ndim
        room[axis] = (start, w - start - end.shape[axis], 0)
        dx = dx + lax.pad(end, jnp.zeros((), dy.dtype), room)
    return dx


@rule(_plain, _forward, _backward)
def pad(x: ArrayLike, padding: Padding, *, mode: Mode = "zeros", layout: Layout = "NHWC") -> Array:
    """Enlarge the spatial axes of x; then convolve with padding="VALID".

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      padding: an int for every end, or a (low, high) pair for each spatial axis.
      mode: for an axis a b c d with 2 positions more at each end:
        "zeros" 0 0 | a b c d | 0 0, "replicate" a a | a b c d | d d, "reflect" c b | a b c d | c b,
        "symmetric" b a | a b c d | d c, "circular" c d | a b c d | a b.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Raises: ValueError for a wrong rank, integer data, an unknown mode, padding that is negative or not as above, and
      more padding than the axis has entries to show ("symmetric", "circular": its size; "reflect": one less).

    The backward pass and its derivation: `pad.backward`.
    """
    x, axes = spatial("pad", floating("pad", "x", x), layout)
    if mode not in MODES:
        raise ValueError(f"pad: mode is {mode!r}; expected one of {', '.join(map(repr, MODES))}.")
    pads = tuple(explicit_padding("pad", padding, axes))
    for axis, (w, ends) in enumerate(zip(x.shape[1:-1], pads, strict=True)):
        most: Any = {"zeros": None, "replicate": None, "reflect": w - 1}.get(mode, w)
        if (most is not None and max(ends) > most) or (mode == "replicate" and w == 0 and max(ends) > 0):
            raise ValueError(
                f"pad: padding {ends} along spatial axis {axis} is more than mode {mode!r} can take from its size {w}; "
                f"pad at most {most or 0}, or choose mode='zeros'."
            )
    return channels_back(pad.apply(x, padding=pads, mode=mode), layout)
