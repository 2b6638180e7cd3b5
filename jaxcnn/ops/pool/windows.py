"""The windows of pooling along one axis of an array.

Window o = 0, 1, ... has the taps t = 0, ..., size - 1 at the positions o stride - low + t dilation. Pooling over
several axes goes one axis at a time, so that a window of K x K taps costs K + K instead of K K.

This is how XLA pools; on CPUs `kernels.pool` has the maxima faster. Few taps are written out: XLA makes one loop of
them, which on a CPU is faster than its `reduce_window`. Many would take long to compile: they go through `doubling`,
and their gradients through a gather and a scatter.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcnn.ops.bins import Positions, along, counting
from jaxcnn.ops.geometry import Pair, extent, output_size
from jaxcnn.ops.pool import doubling

WRITTEN_OUT = 32  # taps at most


class Windows(NamedTuple):
    """Where the windows along `axis` lie; `pads` are the positions added at its two ends."""

    axis: int
    size: int
    stride: int
    pads: Pair
    dilation: int = 1

    def total(self, x: Array) -> Array:
        """The sum of each window; padding counts as 0."""
        if self.size > WRITTEN_OUT:
            return self._strided(doubling.total(self._padded(x, 0.0), self.axis, self.size, self.dilation))
        return functools.reduce(jnp.add, self._taps(x, 0.0))

    def maximum(self, x: Array) -> tuple[Array, Array]:
        """The maximum of each window, and the first tap that holds it; padding never does, NaN always.

        A tap is held against the largest so far, and never asked whether it equals the maximum: XLA may compute x once
        for the maximum and again for that question, rounded otherwise, and then no tap would win.
        """
        if self.size > WRITTEN_OUT:
            padded = self._padded(x, -jnp.inf)
            places = counting(padded.shape[self.axis]) - self.pads[0]
            inside = (places >= 0) & (places < x.shape[self.axis])
            y, first = doubling.maximum(padded, self.axis, self.size, self.dilation, inside)
            return self._strided(y), self._strided(first)
        y, *taps = self._taps(x, -jnp.inf)
        positions = self.positions(x.shape[self.axis])
        inside = (positions >= 0) & (positions < x.shape[self.axis])
        hangs = any(self.pads) if isinstance(inside, Array) else not inside[:, 0].all()
        first = jnp.zeros(y.shape, np.min_scalar_type(self.size))
        for t, at in enumerate(taps, 1):
            wins = ~(at <= y) & (y == y)  # larger, or NaN where the largest is none
            if hangs:  # over the border: the padding is -inf, and so may the first tap be that is none
                wins |= along(inside[:, t] & ~inside[:, :t].any(1), self.axis, x.ndim)
            y, first = jnp.where(wins, at, y), jnp.where(wins, jnp.asarray(t, first.dtype), first)
        return y, first

    def at(self, x: Array, tap: Array) -> Array:
        """For each window o the entry at its tap `tap[o]`: `spread` transposed."""
        if self.size > WRITTEN_OUT:
            starts = along(counting(tap.shape[self.axis]) * self.stride, self.axis, x.ndim)
            at = starts + tap.astype(jnp.int32) * self.dilation
            return jnp.take_along_axis(self._padded(x, 0.0), at, self.axis)
        taps = self._taps(x, 0.0)
        y = taps[-1]
        for t, entry in enumerate(taps[:-1]):
            y = jnp.where(tap == jnp.asarray(t, tap.dtype), entry, y)
        return y

    def _taps(self, x: Array, padding: float) -> list[Array]:
        """For each tap its entries in all windows; `padding` in the padding."""
        padded = self._padded(x, padding)
        last = (self.places(x.shape[self.axis]) - 1) * self.stride
        starts = range(0, self.size * self.dilation, self.dilation)
        return [lax.slice_in_dim(padded, start, start + last + 1, self.stride, self.axis) for start in starts]

    def _padded(self, x: Array, padding: float) -> Array:
        return lax.pad(x, jnp.asarray(padding, x.dtype), self._config(x, *self.pads))

    def _strided(self, windows: Array) -> Array:
        """Of the windows at every position those that the stride takes."""
        return lax.slice_in_dim(windows, 0, None, self.stride, self.axis)

    def places(self, length: int) -> int:
        """How many windows there are along an axis of this length."""
        return output_size(length, self.size, stride=self.stride, padding=(self.pads,), dilation=self.dilation)

    def positions(self, length: int) -> Positions:
        """(places, size): where each window's taps lie along an axis of this length; beyond its ends in the padding."""
        starts = counting(self.places(length)) * self.stride - self.pads[0]
        return starts[:, None] + np.arange(self.size) * self.dilation

    def counts(self, shape: Sequence[int], counted: Pair) -> Array:
        """How many taps of each window lie inside an array of this shape, or in its `counted` padding."""
        length, (low, high) = shape[self.axis], counted
        at = self.positions(length)
        return along(((at >= -low) & (at < length + high)).sum(1), self.axis, len(shape))

    def spread(self, dy: Array, tap: Array | None, length: int) -> Array:
        """dx along this axis, `length` long: dy[o] given to tap `tap[o]` of window o, or to all of its taps.

        Cut the padded axis in blocks of `stride`: the tap at position a stride + r of window o is entry r of block
        o + a. So block b reads dy and the tap of the windows b, b - 1, ..., one for each a; of windows that don't
        overlap only one.
        """
        low, shifts = self.pads[0], -(-extent(self.size, self.dilation) // self.stride)
        if shifts > WRITTEN_OUT:
            return self._spread_far(dy, tap, length)
        blocks = -(-(low + length) // self.stride)
        around = self._config(dy, shifts - 1, blocks - dy.shape[self.axis])
        dy = lax.pad(dy, jnp.zeros((), dy.dtype), around)
        tap = None if tap is None else lax.pad(tap, jnp.zeros((), tap.dtype), around)

        def for_blocks(v: Array, a: int) -> Array:
            windows = lax.slice_in_dim(v, shifts - 1 - a, shifts - 1 - a + blocks, 1, self.axis)
            return jnp.expand_dims(windows, self.axis + 1)

        total = jnp.zeros((), dy.dtype)
        for a in range(shifts):
            taps = self._taps_at(a * self.stride + np.arange(self.stride))
            if (taps == self.size).all():  # dilation steps over this block
                continue
            taps = taps.reshape(-1, *[1] * (dy.ndim - self.axis - 1))
            mine = taps < self.size if tap is None else for_blocks(tap, a) == taps.astype(tap.dtype)
            total = total + jnp.where(mine, for_blocks(dy, a), 0)
        flat = total.reshape(*dy.shape[: self.axis], blocks * self.stride, *dy.shape[self.axis + 1 :])
        return lax.slice_in_dim(flat, low, low + length, 1, self.axis)

    def _spread_far(self, dy: Array, tap: Array | None, length: int) -> Array:
        """The same for windows that reach over many others."""
        low, reach = self.pads[0], (self.size - 1) * self.dilation
        if tap is None:  # dx[q] = Σ_t dy[(q + low - t dilation) / stride]: a sum over windows again, from the other end
            apart = lax.pad(dy, jnp.zeros((), dy.dtype), self._config(dy, 0, 0, self.stride - 1))
            pads = reach - low, length - apart.shape[self.axis] + low
            return Windows(self.axis, self.size, 1, pads, self.dilation).total(apart)
        starts = along(counting(dy.shape[self.axis]) * self.stride - low, self.axis, dy.ndim)
        at = starts + tap.astype(jnp.int32) * self.dilation
        place = [jnp.arange(n).reshape(-1, *[1] * (dy.ndim - a - 1)) for a, n in enumerate(dy.shape)]
        place[self.axis] = jnp.where(at < 0, length, at)  # what has won from outside is dropped
        shape = *dy.shape[: self.axis], length, *dy.shape[self.axis + 1 :]
        return jnp.zeros(shape, dy.dtype).at[tuple(place)].add(dy, mode="drop")

    def _taps_at(self, positions: Positions) -> Positions:
        """Which tap lies at these positions of a window; `size`, which is no tap, where none does."""
        tap = np.where(positions % self.dilation, self.size, positions // self.dilation)
        return np.minimum(tap, self.size)

    def _config(self, x: Array, low: int, high: int, between: int = 0) -> list[tuple[int, int, int]]:
        return [(low, high, between) if a == self.axis else (0, 0, 0) for a in range(x.ndim)]


def along_axes(
    size: Sequence[int], stride: Sequence[int], padding: Sequence[Pair], dilation: Sequence[int] | None = None
) -> tuple[Windows, ...]:
    """The windows along each spatial axis of (n, *spatial, c)."""
    dilations = [1] * len(size) if dilation is None else dilation
    return tuple(Windows(*w) for w in zip(range(1, len(size) + 1), size, stride, padding, dilations, strict=True))


def reduced(size: Sequence[int], stride: Sequence[int], padding: Sequence[Pair]) -> tuple[Any, Any, Any]:
    """Window, stride and padding as `lax.reduce_window` takes them: for the batch and the channels too."""
    return (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))


def first_maximum(x: Array, positions: Sequence[Positions]) -> Array:
    """The maximum of windows that lie anywhere, as JAX knows it: gathered, then the first largest of each taken.

    `positions[a]`, (places, size), says where along spatial axis a each window's taps lie. One beyond the ends of x
    stands for the window's first inside, which changes neither the maximum nor which is the first.
    """
    for axis, at in reversed(list(enumerate(positions, 1))):
        inside = (at >= 0) & (at < x.shape[axis])
        first = np.take_along_axis(at, inside.argmax(1)[:, None], 1)
        x = jnp.take(x, np.where(inside, at, first), axis)
    axes = len(positions)
    x = jnp.moveaxis(x, range(2, 2 * axes + 1, 2), range(-axes, 0))
    x = x.reshape(*x.shape[: axes + 2], math.prod(at.shape[1] for at in positions))
    return jnp.take_along_axis(x, x.argmax(-1)[..., None], -1)[..., 0]
