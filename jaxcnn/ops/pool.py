"""Max and mean pooling over 1, 2 or 3 spatial axes, one axis at a time.

A window's maximum is the maximum over its columns' maxima, and its mean the mean of their means, so a window of
K x K taps costs K + K instead of K K, forward and back. Ties keep their order: the first column within each row
and then the first row is the first maximum in row-major order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, floating, shape_only, spatial
from jaxcnn.ops.geometry import Padding, Pair, PerAxis, output_size, per_axis, resolve_padding
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]


class _Windows(NamedTuple):
    """The windows along one axis of an array: o = 0, 1, ... covers o stride - low + (0, ..., size - 1)."""

    axis: int
    size: int
    stride: int
    pads: Pair

    def reduce(self, x: Array, init: float, combine: Any) -> Array:
        """Combine the `size` entries of each window by `lax.max` or `lax.add`; padding counts as `init`."""
        one = [1] * x.ndim
        size, stride, pads = one.copy(), one.copy(), [(0, 0)] * x.ndim
        size[self.axis], stride[self.axis], pads[self.axis] = self.size, self.stride, self.pads
        return lax.reduce_window(x, init, combine, size, stride, pads)

    def first_match(self, x: Array, y: Array) -> Array:
        """The first tap of each window that holds the value y."""
        places = y.shape[self.axis]
        padded = lax.pad(x, jnp.asarray(-jnp.inf, x.dtype), self._config(x, *self.pads))
        tap = jnp.full(y.shape, self.size - 1, np.min_scalar_type(self.size))
        for t in reversed(range(self.size - 1)):
            at = lax.slice_in_dim(padded, t, t + (places - 1) * self.stride + 1, self.stride, self.axis)
            tap = jnp.where(at == y, jnp.asarray(t, tap.dtype), tap)
        return tap

    def counts(self, shape: Sequence[int]) -> Array:
        """How many taps of each window lie inside an array of this shape."""
        length = shape[self.axis]
        places = output_size(length, self.size, stride=self.stride, padding=(self.pads,))
        start = np.arange(places) * self.stride - self.pads[0]
        return self._along(np.minimum(start + self.size, length) - np.maximum(start, 0), len(shape))

    def spread(self, dy: Array, tap: Array | None, length: int) -> Array:
        """dx along this axis, `length` long: dy[o] given to tap `tap[o]` of window o, or to all of its taps.

        Cut the padded axis in blocks of `stride`: tap a stride + r of window o is entry r of block o + a. So block b
        reads dy and the tap of the windows b, b - 1, ..., one for each a; of windows that don't overlap only one.
        """
        low, shifts = self.pads[0], -(-self.size // self.stride)
        blocks = -(-(low + length) // self.stride)
        around = self._config(dy, shifts - 1, blocks - dy.shape[self.axis])
        dy = lax.pad(dy, jnp.zeros((), dy.dtype), around)
        tap = None if tap is None else lax.pad(tap, jnp.zeros((), tap.dtype), around)

        def for_blocks(v: Array, a: int) -> Array:
            windows = lax.slice_in_dim(v, shifts - 1 - a, shifts - 1 - a + blocks, 1, self.axis)
            return jnp.expand_dims(windows, self.axis + 1)

        total = jnp.zeros((), dy.dtype)
        for a in range(shifts):
            taps = np.minimum(a * self.stride + np.arange(self.stride), self.size)  # `size` is no window's tap
            taps = taps.reshape(-1, *[1] * (dy.ndim - self.axis - 1))
            mine = taps < self.size if tap is None else for_blocks(tap, a) == taps.astype(tap.dtype)
            total = total + jnp.where(mine, for_blocks(dy, a), 0)
        flat = total.reshape(*dy.shape[: self.axis], blocks * self.stride, *dy.shape[self.axis + 1 :])
        return lax.slice_in_dim(flat, low, low + length, 1, self.axis)

    def _config(self, x: Array, low: int, high: int) -> list[tuple[int, int, int]]:
        return [(low, high, 0) if a == self.axis else (0, 0, 0) for a in range(x.ndim)]

    def _along(self, values: np.ndarray[Any, Any], rank: int) -> Array:
        return jnp.asarray(values).reshape(-1, *[1] * (rank - self.axis - 1))


def _axes(size: Sequence[int], stride: Sequence[int], padding: Sequence[Pair]) -> list[_Windows]:
    spatial_axes = range(1, len(size) + 1)
    return [_Windows(*w) for w in zip(spatial_axes, size, stride, padding, strict=True)]


def _window(size: Any, stride: Any, padding: Any) -> tuple[Any, ...]:
    return (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))


def _max_plain(x: Image, *, size: Any, stride: Any, padding: Any) -> Image:
    """The maximum of each window, by XLA; padding counts as -inf."""
    return lax.reduce_window(x, -jnp.inf, lax.max, *_window(size, stride, padding))


def _max_forward(x: Image, *, size: Any, stride: Any, padding: Any) -> tuple[Image, Any]:
    """y, and for each axis which tap won: a byte for each window, instead of x itself."""
    shape, taps = shape_only(x), []
    for windows in reversed(_axes(size, stride, padding)):
        y = windows.reduce(x, -jnp.inf, lax.max)
        taps.append(windows.first_match(x, y))
        x = y
    return x, (shape, taps[::-1])


def _max_backward(residuals: Any, dy: Image, *, size: Any, stride: Any, padding: Any) -> tuple[Image]:
    """The cotangent dx of max pooling.

    y[o] = max_t x[o s - low + t], so ∂y[o] / ∂x[q] = 1 where q is the window's first maximum and 0 elsewhere: a
    subgradient where several entries share the maximum. Windows may overlap, and an entry that is the maximum
    of several gets all their cotangents, dx[q] = Σ_{o: q wins o} dy[o]. Over several axes the maxima are nested, and
    the chain rule gives dy back through one axis after the other, the last one pooled first.

    Source: Ranzato et al. 2007, "Unsupervised learning of invariant feature hierarchies with applications to
    object recognition"; first maximum in row-major order as in XLA and PyTorch.
    """
    shape, taps = residuals
    for windows, tap in zip(_axes(size, stride, padding), taps, strict=True):
        dy = windows.spread(dy, tap, shape.shape[windows.axis])
    return (dy,)


@rule(_max_plain, _max_forward, _max_backward)
def max_pool(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding = "VALID",
    layout: Layout = "NHWC",
) -> Array:
    """The maximum of each window of `size`, channel by channel.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      size: of the window, for all spatial axes or one for each.
      stride: step between windows; None means `size`, windows side by side.
      padding: "VALID", "SAME", "FULL", an int, or a (low, high) pair for each spatial axis. Padding never wins.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *out, c), or (n, c, *out). Of equal maxima the first in row-major order gets the gradient.

    Raises: ValueError for a wrong rank, integer data, a size or stride below 1, an unknown padding or layout, a
      window larger than the padded input, or one that lies wholly in the padding.

    The backward pass and its derivation: `max_pool.backward`.
    """
    x, options = _checked("max_pool", x, size, stride, padding, layout)
    return channels_back(max_pool.apply(x, **options), layout)


def _avg_plain(x: Image, *, size: Any, stride: Any, padding: Any, count_padding: bool) -> Image:
    """The mean of each window, by XLA; `count_padding` divides by the window's size at the border too."""
    window = _window(size, stride, padding)
    wide = x.astype(accumulator(x))
    total = lax.reduce_window(wide, 0.0, lax.add, *window)
    if count_padding:
        count: Any = np.prod(size)
    else:
        count = lax.reduce_window(jnp.ones((1, *x.shape[1:-1], 1), wide.dtype), 0.0, lax.add, *window)
    return (total / count).astype(x.dtype)


def _avg_forward(x: Image, *, count_padding: bool, **geometry: Any) -> tuple[Image, Any]:
    """y, and nothing but x's shape: the mean is linear."""
    y = x.astype(accumulator(x))
    for windows in reversed(_axes(**geometry)):
        count = windows.size if count_padding else windows.counts(y.shape)
        y = windows.reduce(y, 0.0, lax.add) / count
    return y.astype(x.dtype), shape_only(x)


def _avg_backward(residuals: Any, dy: Image, *, count_padding: bool, **geometry: Any) -> tuple[Image]:
    """The cotangent dx of mean pooling.

    y[o] = 1 / m[o] Σ_t x[o s - low + t], where m[o] counts the taps: those inside x, or all with `count_padding`. So
    ∂y[o] / ∂x[q] = 1 / m[o] for every q in the window, dx[q] = Σ_{o: q in o} dy[o] / m[o]: each window shares its
    cotangent evenly among its entries. The count is the product of the counts along each axis, so the
    means are nested, and dy goes back through one axis after the other.
    """
    dx = dy.astype(accumulator(dy))
    for windows in _axes(**geometry):
        count = windows.size if count_padding else windows.counts(residuals.shape)
        dx = windows.spread(dx / count, None, residuals.shape[windows.axis])
    return (dx.astype(dy.dtype),)


@rule(_avg_plain, _avg_forward, _avg_backward)
def avg_pool(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: Padding = "VALID",
    count_padding: bool = False,
    layout: Layout = "NHWC",
) -> Array:
    """The mean of each window of `size`, channel by channel.

    Arguments, shapes and errors as `max_pool`. A window that hangs over the border is divided by the number of its
    entries inside x; with `count_padding` by the whole window's size, its padding being zeros. Half-precision input
    is summed in float32.

    The backward pass and its derivation: `avg_pool.backward`.
    """
    x, options = _checked("avg_pool", x, size, stride, padding, layout)
    y = avg_pool.apply(x, count_padding=bool(count_padding), **options)
    return channels_back(y, layout)


def _checked(
    op: str, x: ArrayLike, size: PerAxis, stride: PerAxis | None, padding: Padding, layout: Layout
) -> tuple[Array, dict[str, Any]]:
    """x, channels last, and the windows' geometry in numbers, where each window touches x."""
    x, axes = spatial(op, floating(op, "x", x), layout)
    sizes = x.shape[1:-1]
    size = per_axis(op, "size", size, axes)
    stride = size if stride is None else per_axis(op, "stride", stride, axes)
    pads = resolve_padding(op, padding, sizes, size, stride, (1,) * axes)
    for axis, (w, k, s, (low, high)) in enumerate(zip(sizes, size, stride, pads, strict=True)):
        last = (w + low + high - k) // s * s - low
        if low >= k or last >= w:
            raise ValueError(
                f"{op}: along spatial axis {axis} the {'first' if low >= k else 'last'} window lies wholly in the "
                f"padding ({low}, {high}): x has size {w} there, the window {k}, the stride {s}. "
                f"Pad less; at most {k - 1} at each end is always fine."
            )
    return x, {"size": size, "stride": stride, "padding": pads}
