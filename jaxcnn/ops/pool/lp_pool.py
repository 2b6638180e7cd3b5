"""Lp pooling: the p-norm of each window, which goes from the sum (p = 1) to the maximum (p to infinity)."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, exponent, number
from jaxcnn.ops.geometry import PerAxis, PoolPadding
from jaxcnn.ops.pool.shapes import checked
from jaxcnn.ops.pool.windows import along_axes, reduced
from jaxcnn.ops.rule import rule

Image = Float[Array, "n *spatial c"]


def _root(total: Array, p: float) -> Array:
    """total^(1/p); 0, with a derivative of 0, where total is 0."""
    if p == 1:
        return total
    return jnp.where(total == 0, 0, jnp.where(total == 0, 1, total) ** (1 / p))


def _plain(x: Image, *, p: float, size: Any, stride: Any, padding: Any, dilation: Any) -> Image:
    """(Σ x^p)^(1/p) of each window, by XLA; padding adds nothing."""
    powers, steps = x.astype(accumulator(x)) ** p, (1, *dilation, 1)
    total = lax.reduce_window(powers, 0.0, lax.add, *reduced(size, stride, padding), window_dilation=steps)
    return _root(total, p).astype(x.dtype)


def _forward(x: Image, *, p: float, **geometry: Any) -> tuple[Image, Any]:
    """y; x, and y before it is rounded to x's dtype."""
    total = x.astype(accumulator(x)) ** p
    for windows in reversed(along_axes(**geometry)):
        total = windows.total(total)
    y = _root(total, p)
    return y.astype(x.dtype), (x, y)


def _backward(residuals: Any, dy: Image, *, p: float, **geometry: Any) -> tuple[Image]:
    """The cotangent dx of Lp pooling.

    y[o] = s[o]^(1/p) with s[o] = Σ_q x[q]^p over the window's entries, so

        ∂y[o] / ∂x[q] = 1/p s[o]^(1/p - 1) · p x[q]^(p - 1) = y[o]^(1 - p) x[q]^(p - 1),
        dx[q] = x[q]^(p - 1) Σ_{o: q in o} y[o]^(1 - p) dy[o]:

    each window hands the same share to all of its entries, and an entry scales what it gets by its own power. Where
    s[o] = 0 and p > 1 there is no derivative, and the share is 0, as in PyTorch.

    Source: Sermanet, Chintala & LeCun 2012, "Convolutional neural networks applied to house numbers digit
    classification", section 2.2.
    """
    x, y = residuals
    share = dy.astype(y.dtype)
    if p == 1:
        scale = jnp.ones((), y.dtype)
    else:
        share = share * jnp.where(y == 0, 0, jnp.where(y == 0, 1, y) ** (1 - p))
        scale = x.astype(y.dtype) ** (p - 1)
    for windows in along_axes(**geometry):
        share = windows.spread(share, None, x.shape[windows.axis])
    return ((scale * share).astype(x.dtype),)


@rule(_plain, _forward, _backward)
def lp_pool(
    x: ArrayLike,
    p: float,
    size: PerAxis,
    *,
    stride: PerAxis | None = None,
    padding: PoolPadding = "VALID",
    dilation: PerAxis = 1,
    layout: Layout = "NHWC",
) -> Array:
    """(Σ x^p)^(1/p) over each window of `size`, channel by channel, as PyTorch's LPPool.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      p: the power, 1 or more; 1 gives the sum. No absolute value is taken of x: where entries are below 0 an odd p may
        give a negative sum, and a p that is no whole number no power at all; y is then NaN.
      size, stride, padding, dilation, layout: as in `max_pool`; padding adds nothing to a sum.

    Returns: (n, *out, c), or (n, c, *out). Half-precision input is summed in float32.

    Where a sum is 0 and p > 1, y is 0 and the window's gradient is 0, as in PyTorch; so it never is infinite. With
    p = 1 the gradient is 1 there, as everywhere, where PyTorch's is 0. PyTorch's ceil_mode, which scales the sum of a
    window that the border cuts, is left out.

    Raises: ValueError as `max_pool`, and for a p below 1 or not finite.

    The backward pass and its derivation: `lp_pool.backward`.
    """
    expected = "a number of 1 or more, such as 2; for p = infinity use max_pool"
    p = exponent(number("lp_pool", "p", p, expected, lambda v: 1 <= v < float("inf")))
    x, options = checked("lp_pool", x, layout, size=size, stride=stride, padding=padding, dilation=dilation)
    return channels_back(lp_pool.apply(x, p=p, **options), layout)
