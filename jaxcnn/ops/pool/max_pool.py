"""Max pooling over 1, 2 or 3 spatial axes, one axis at a time.

A window's maximum is the maximum over its columns' maxima. Ties keep their order: the first column within each row and
then the first row is the first maximum in row-major order.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn import kernels
from jaxcnn.ops.check import Layout, channels_back, shape_only
from jaxcnn.ops.geometry import PerAxis, PoolPadding
from jaxcnn.ops.pool.shapes import checked
from jaxcnn.ops.pool.windows import along_axes, first_maximum, reduced
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]


def _max_plain(x: Image, *, size: Any, stride: Any, padding: Any, dilation: Any) -> Image:
    """The maximum of each window, by XLA; padding counts as -inf. JAX has no gradient of its dilated windows."""
    if set(dilation) != {1}:
        windows = zip(along_axes(size, stride, padding, dilation), x.shape[1:-1], strict=True)
        return first_maximum(x, [along.positions(length) for along, length in windows])
    return lax.reduce_window(x, -jnp.inf, lax.max, *reduced(size, stride, padding))


def _max_forward(x: Image, **geometry: Any) -> tuple[Image, Any]:
    """y, and for each axis which tap won: a byte for each window, instead of x itself."""
    y, taps = kernels.maxima(x, along_axes(**geometry))
    return y, (shape_only(x), taps)


def _max_value(x: Image, **geometry: Any) -> Image:
    """y alone."""
    return kernels.maximum(x, along_axes(**geometry))


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
    return (kernels.spread(dy, taps, along_axes(**geometry), shape.shape[1:-1]),)


def _max_tangent(arrays: Any, tangents: Any, **geometry: Any) -> Image:
    """dx at the first maximum of each window. JAX's own, compiled by XLA for a CPU, takes another one of ties."""
    (x,), (dx,), axes = arrays, tangents, along_axes(**geometry)
    _, taps = kernels.maxima(x, axes)
    for windows, tap in reversed(list(zip(axes, taps, strict=True))):
        dx = windows.at(dx, tap)
    return dx


@rule(_max_plain, _max_forward, _max_backward, _max_tangent, _max_value)
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
