"""Mean pooling over 1, 2 or 3 spatial axes, one axis at a time: a window's mean is the mean of its columns' means."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, shape_only
from jaxcnn.ops.geometry import PerAxis, PoolPadding, whole
from jaxcnn.ops.pool.shapes import checked
from jaxcnn.ops.pool.windows import along_axes, reduced
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]


def _avg_plain(
    x: Image, *, size: Any, stride: Any, padding: Any, dilation: Any, count_padding: Any, divisor_override: int | None
) -> Image:
    """The mean of each window, by XLA, over its entries inside x and in the padding that counts; or by the divisor."""
    wide, steps = x.astype(accumulator(x)), (1, *dilation, 1)
    total = lax.reduce_window(wide, 0.0, lax.add, *reduced(size, stride, padding), window_dilation=steps)
    if divisor_override is not None:
        return (total / divisor_override).astype(x.dtype)
    ones = jnp.ones((1, *(w + sum(ends) for w, ends in zip(x.shape[1:-1], count_padding, strict=True)), 1), wide.dtype)
    rest = [(p - c, q - d) for (p, q), (c, d) in zip(padding, count_padding, strict=True)]
    count = lax.reduce_window(ones, 0.0, lax.add, *reduced(size, stride, rest), window_dilation=steps)
    return (total / count).astype(x.dtype)


def _avg_forward(x: Image, *, count_padding: Any, divisor_override: int | None, **geometry: Any) -> tuple[Image, Any]:
    """y, and nothing but x's shape: the mean is linear."""
    y = x.astype(accumulator(x))
    for windows, counted in reversed(list(zip(along_axes(**geometry), count_padding, strict=True))):
        y = windows.total(y)
        if divisor_override is None:
            y = y / windows.counts(x.shape, counted)
    if divisor_override is not None:
        y = y / divisor_override
    return y.astype(x.dtype), shape_only(x)


def _avg_backward(
    residuals: Any, dy: Image, *, count_padding: Any, divisor_override: int | None, **geometry: Any
) -> tuple[Image]:
    """The cotangent dx of mean pooling.

    y[o] = 1 / m[o] Σ_t x[o s - low + t d], where m[o] counts the taps inside x and in the padding that counts. So
    ∂y[o] / ∂x[q] = 1 / m[o] for every q in the window, dx[q] = Σ_{o: q in o} dy[o] / m[o]: each window shares its
    cotangent evenly among its entries. The count is the product of the counts along each axis, so the
    means are nested, and dy goes back through one axis after the other. A divisor that is given is every m[o].
    """
    dx = dy.astype(accumulator(dy))
    if divisor_override is not None:
        dx = dx / divisor_override
    for windows, counted in zip(along_axes(**geometry), count_padding, strict=True):
        if divisor_override is None:
            dx = dx / windows.counts(residuals.shape, counted)
        dx = windows.spread(dx, None, residuals.shape[windows.axis])
    return (dx.astype(dy.dtype),)


@rule(_avg_plain, _avg_forward, _avg_backward)
def avg_pool(
    x: ArrayLike,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: PoolPadding = "VALID",
    dilation: PerAxis = 1,
    count_padding: bool = False,
    divisor_override: int | None = None,
    ceil_mode: bool = False,
    layout: Layout = "NHWC",
) -> Array:
    """The mean of each window of `size`, channel by channel.

    Arguments, shapes and errors as `max_pool`. A window that hangs over the border is divided by the number of its
    entries inside x; with `count_padding` (PyTorch's count_include_pad) those in `padding` count too, being zeros,
    but never what `ceil_mode` adds behind it. `divisor_override`, an int other than 0, divides every
    window's sum instead. Half-precision input is summed in float32.

    The backward pass and its derivation: `avg_pool.backward`.
    """
    geometry = {"size": size, "stride": stride, "padding": padding, "dilation": dilation, "ceil_mode": ceil_mode}
    x, options = checked("avg_pool", x, layout, count_padding=bool(count_padding), **geometry)
    if divisor_override is not None:
        expected = "an int other than 0, or None"
        divisor_override = whole("avg_pool", "divisor_override", divisor_override, expected, lambda v: v != 0)
    return channels_back(avg_pool.apply(x, **options, divisor_override=divisor_override), layout)
