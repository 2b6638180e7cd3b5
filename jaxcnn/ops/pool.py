"""Max and mean pooling over 1, 2 or 3 spatial axes, one axis at a time.

A window's maximum is the maximum over its columns' maxima, and its mean the mean of their means. Ties keep their
order: the first column within each row and then the first row is the first maximum in row-major order.
"""

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, shape_only
from jaxcnn.ops.geometry import PerAxis, PoolPadding
from jaxcnn.ops.pool_shapes import checked
from jaxcnn.ops.rule import rule
from jaxcnn.ops.windows import along_axes, first_maximum

Image = Float[Array, "n *spatial c"]


def _window(size: Any, stride: Any, padding: Any) -> tuple[Any, ...]:
    return (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))


def _max_plain(x: Image, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Image:
    """The maximum of each window, by XLA; padding counts as -inf. JAX has no gradient of its dilated windows."""
    if set(dilation) != {1}:
        windows = zip(along_axes(size, stride, padding, dilation), x.shape[1:-1], strict=True)
        return first_maximum(x, [along.positions(length) for along, length in windows])
    return lax.reduce_window(x, -jnp.inf, lax.max, *_window(size, stride, padding))


def _max_forward(x: Image, **geometry: Any) -> tuple[Image, Any]:
    """y, and for each axis which tap won: a byte for each window, instead of x itself."""
    shape, taps = shape_only(x), []
    for windows in reversed(along_axes(**geometry)):
        x, tap = windows.maximum(x)
        taps.append(tap)
    return x, (shape, taps[::-1])


def _max_backward(residuals: Any, dy: Image, **geometry: Any) -> tuple[Image]:
    """The cotangent dx of max pooling.

    y[o] = max_t x[o s - low + t d], so ∂y[o] / ∂x[q] = 1 where q is the window's first maximum and 0 elsewhere: a
    subgradient where several entries share the maximum. Windows may overlap, and an entry that is the maximum
    of several gets all their cotangents, dx[q] = Σ_{o: q wins o} dy[o]. Over several axes the maxima are nested, and
    the chain rule gives dy back through one axis after the other, the last one pooled first.

    Source: Ranzato et al. 2007, "Unsupervised learning of invariant feature hierarchies with applications to
    object recognition"; first maximum in row-major order as in XLA and PyTorch.
    """
    shape, taps = residuals
    for windows, tap in zip(along_axes(**geometry), taps, strict=True):
        dy = windows.spread(dy, tap, shape.shape[windows.axis])
    return (dy,)


@rule(_max_plain, _max_forward, _max_backward)
def max_pool(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: PoolPadding = "VALID",
    dilation: PerAxis = 1,
    ceil_mode: bool = False,
    layout: Layout = "NHWC",
) -> Array:
    """The maximum of each window of `size`, channel by channel.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      size: of the window, for all spatial axes or one for each.
      stride: step between windows; None means `size`, windows side by side.
      padding: "VALID", "SAME", "FULL", an int, or a (low, high) pair for each spatial axis. Padding never wins.
      dilation: step between the taps of a window.
      ceil_mode: lay a window over what the stride leaves over at the end as well, as PyTorch does: the number of
        windows is rounded up, without one that would start beyond x and its low padding.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *out, c), or (n, c, *out). Of equal maxima the first in row-major order gets the gradient.

    Raises: ValueError for a wrong rank, integer data, a size, stride or dilation below 1, an unknown padding or layout,
      a window larger than the padded input, or one whose taps all lie in the padding.

    The backward pass and its derivation: `max_pool.backward`.
    """
    geometry = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    x, options = checked("max_pool", x, layout, **geometry)
    return channels_back(max_pool.apply(x, **options), layout)


def _avg_plain(x: Image, *, size: Any, stride: Any, padding: Any, count_padding: Any) -> Image:
    """The mean of each window, by XLA, over its entries inside x and in the padding that counts."""
    wide = x.astype(accumulator(x))
    total = lax.reduce_window(wide, 0.0, lax.add, *_window(size, stride, padding))
    ones = jnp.ones((1, *(w + sum(ends) for w, ends in zip(x.shape[1:-1], count_padding, strict=True)), 1), wide.dtype)
    rest = [(p - c, q - d) for (p, q), (c, d) in zip(padding, count_padding, strict=True)]
    return (total / lax.reduce_window(ones, 0.0, lax.add, *_window(size, stride, rest))).astype(x.dtype)


def _avg_forward(x: Image, *, count_padding: Any, **geometry: Any) -> tuple[Image, Any]:
    """y, and nothing but x's shape: the mean is linear."""
    y = x.astype(accumulator(x))
    for windows, counted in reversed(list(zip(along_axes(**geometry), count_padding, strict=True))):
        count = windows.counts(y.shape, counted)
        y = windows.total(y) / count
    return y.astype(x.dtype), shape_only(x)


def _avg_backward(residuals: Any, dy: Image, *, count_padding: Any, **geometry: Any) -> tuple[Image]:
    """The cotangent dx of mean pooling.

    y[o] = 1 / m[o] Σ_t x[o s - low + t], where m[o] counts the taps inside x and in the padding that counts. So
    ∂y[o] / ∂x[q] = 1 / m[o] for every q in the window, dx[q] = Σ_{o: q in o} dy[o] / m[o]: each window shares its
    cotangent evenly among its entries. The count is the product of the counts along each axis, so the
    means are nested, and dy goes back through one axis after the other.
    """
    dx = dy.astype(accumulator(dy))
    for windows, counted in zip(along_axes(**geometry), count_padding, strict=True):
        count = windows.counts(residuals.shape, counted)
        dx = windows.spread(dx / count, None, residuals.shape[windows.axis])
    return (dx.astype(dy.dtype),)


@rule(_avg_plain, _avg_forward, _avg_backward)
def avg_pool(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: PoolPadding = "VALID",
    count_padding: bool = False,
    ceil_mode: bool = False,
    layout: Layout = "NHWC",
) -> Array:
    """The mean of each window of `size`, channel by channel.

    Arguments, shapes and errors as `max_pool`. A window that hangs over the border is divided by the number of its
    entries inside x; with `count_padding` (PyTorch's count_include_pad) those in `padding` count too, being zeros,
    but never what `ceil_mode` adds behind it. Half-precision input is summed in float32.

    The backward pass and its derivation: `avg_pool.backward`.
    """
    geometry = {"size": size, "stride": stride, "padding": padding, "ceil_mode": ceil_mode}
    x, options = checked("avg_pool", x, layout, count_padding=bool(count_padding), **geometry)
    return channels_back(avg_pool.apply(x, **options), layout)
