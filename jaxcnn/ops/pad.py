"""Padding: what stands beyond the border of an image; and cropping, which is padding by less than 0."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, channels_back, floating, number, shape_only, spatial
from jaxcnn.ops.geometry import Padding, Pair, explicit_padding
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]
Mode = Literal["zeros", "replicate", "reflect", "symmetric", "circular"]
# As NumPy and JAX call them.
MODES = {"zeros": "constant", "replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}


def _plain(x: Image, *, padding: tuple[Pair, ...], mode: Mode, value: float) -> Image:
    """x with `padding` positions more at the ends of each spatial axis, or fewer where it is below 0."""
    more, fewer = _split(padding)
    if mode == "circular":
        return _wrapped(_lengthened(x, fewer), more)
    constant = {"constant_values": value} if mode == "zeros" else {}
    y = jnp.pad(x, ((0, 0), *more, (0, 0)), mode=MODES[mode], **constant)
    return _lengthened(y, fewer)


def _wrapped(x: Image, padding: tuple[Pair, ...]) -> Image:
    """x between its own ends; `jnp.pad` can't do that where `jax.export` leaves a size open."""
    for axis, (low, high) in enumerate(padding, 1):
        w = x.shape[axis]
        ends = lax.slice_in_dim(x, w - low, w, axis=axis), lax.slice_in_dim(x, 0, high, axis=axis)
        x = jnp.concatenate([ends[0], x, ends[1]], axis)
    return x


def _split(padding: tuple[Pair, ...]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """What of the padding is added, 0 or more, and what is cropped, 0 or less."""
    more = tuple((max(low, 0), max(high, 0)) for low, high in padding)
    return more, tuple((min(low, 0), min(high, 0)) for low, high in padding)


def _lengthened(x: Image, ends: tuple[Pair, ...]) -> Image:
    """x with zeros at the ends, or without what lies there where an end is below 0."""
    if not any(map(any, ends)):
        return x
    return lax.pad(x, jnp.zeros((), x.dtype), [(0, 0, 0), *((low, high, 0) for low, high in ends), (0, 0, 0)])


def _forward(x: Image, *, padding: tuple[Pair, ...], mode: Mode, value: float) -> tuple[Image, Array]:
    """y, and x's shape: padding is affine."""
    return _plain(x, padding=padding, mode=mode, value=value), shape_only(x)


def _backward(residuals: Array, dy: Image, *, padding: tuple[Pair, ...], mode: Mode, value: float) -> tuple[Image]:
    """The cotangent dx of padding.

    Every y[p] is a copy of one x[q(p)], or the constant, so dx[q] = Σ_{p: q(p) = q} dy[p]: what was copied out is
    folded back onto where it came from. q acts on each axis alone, so the axes are folded one after the other. What was
    cropped has no p: there dy has zeros before it is folded, as y was cropped after it was padded; or dx after that for
    "circular", which is padded last.
    """
    more, fewer = _split(padding)
    restored = tuple((-low, -high) for low, high in fewer)
    sizes = residuals.shape[1:-1]
    if mode == "circular":
        sizes = tuple(w - sum(ends) for w, ends in zip(sizes, restored, strict=True))
    else:
        dy = _lengthened(dy, restored)
    for axis, (w, (low, high)) in enumerate(zip(sizes, more, strict=True), 1):
        dy = _fold(dy, axis, low, high, w, mode)
    return (_lengthened(dy, restored) if mode == "circular" else dy,)


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
def pad(x: ArrayLike, padding: Padding, *, mode: Mode = "zeros", value: float = 0.0, layout: Layout = "NHWC") -> Array:
    """Enlarge the spatial axes of x, or crop them; then convolve with padding="VALID".

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      padding: an int for every end, or a (low, high) pair for each spatial axis. An end below 0 is cropped, as PyTorch
        does: "circular" shows at the other end what is left, the others what stood there before.
      mode: for an axis `a b c d` with 2 positions more at each end:
        "zeros" `0 0 | a b c d | 0 0`, "replicate" `a a | a b c d | d d`, "reflect" `c b | a b c d | c b`,
        "symmetric" `b a | a b c d | d c`, "circular" `c d | a b c d | a b`.
      value: what stands beyond the border in the mode "zeros" instead of 0.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Raises: ValueError for a wrong rank, integer data, an unknown mode, padding that is not as above, a value that is
      no number or is given to another mode, more cropped than there is, and more padding than the axis has entries to
      show ("symmetric": its size; "circular": what is left of it; "reflect": one less than its size).

    The backward pass and its derivation: `pad.backward`.
    """
    x, axes = spatial("pad", floating("pad", "x", x), layout)
    if mode not in MODES:
        raise ValueError(f"pad: mode is {mode!r}; expected one of {', '.join(map(repr, MODES))}.")
    expected = f"a number, and mode='zeros' where it is not 0 (here mode={mode!r})"
    value = number("pad", "value", value, expected, lambda v: mode == "zeros" or v == 0)
    pads = tuple(explicit_padding("pad", padding, axes, cropping=True))
    for axis, (length, ends) in enumerate(zip(x.shape[1:-1], pads, strict=True)):
        cropped = sum(max(-end, 0) for end in ends)
        if cropped > length:
            raise ValueError(
                f"pad: padding {ends} along spatial axis {axis} crops {cropped} entries off its size {length}; crop at "
                f"most {length}."
            )
        w = length - cropped if mode == "circular" else length
        most: Any = {"zeros": None, "replicate": None, "reflect": w - 1}.get(mode, w)
        if (most is not None and max(ends) > most) or (mode == "replicate" and w == 0 and max(ends) > 0):
            raise ValueError(
                f"pad: padding {ends} along spatial axis {axis} is more than mode {mode!r} can take from its size {w}; "
                f"pad at most {most or 0}, or choose mode='zeros'."
            )
    return channels_back(pad.apply(x, padding=pads, mode=mode, value=value), layout)
