"""Local response normalisation: each channel is damped by its neighbours' activity at the same place."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, accumulator, channels_back, floating, positive, spatial
from jaxcnn.ops.geometry import count
from jaxcnn.ops.pool.windows import Windows
from jaxcnn.ops.rule import rule

Image = Float[Array, "*n c"]


def _plain(x: Image, *, size: int, alpha: float, beta: float, k: float) -> Image:
    """y = x (k + α/size Σ x²)^(-β), the sum over a window of channels by XLA."""
    wide = x.astype(accumulator(x))
    window, step = (*[1] * (x.ndim - 1), size), (1,) * x.ndim
    padding = (*[(0, 0)] * (x.ndim - 1), (size // 2, (size - 1) // 2))
    total = lax.reduce_window(jnp.square(wide), 0.0, lax.add, window, step, padding)
    return (wide * (k + alpha / size * total) ** -beta).astype(x.dtype)


def _neighbours(x: Image, low: int, high: int) -> Image:
    """Σ x[c - low], ..., x[c + high] for each channel c; beyond the first and the last channel is nothing."""
    low, high = min(low, x.shape[-1]), min(high, x.shape[-1])
    return Windows(x.ndim - 1, low + 1 + high, 1, (low, high)).total(x)


def _forward(x: Image, *, size: int, alpha: float, beta: float, k: float) -> tuple[Image, Any]:
    """y, and x with the sums s under the power."""
    wide = x.astype(accumulator(x))
    s = k + alpha / size * _neighbours(jnp.square(wide), size // 2, (size - 1) // 2)
    return (wide * s**-beta).astype(x.dtype), (x, s)


def _backward(residuals: Any, dy: Image, *, size: int, alpha: float, beta: float, k: float) -> tuple[Image]:
    """The cotangent dx of y[c] = x[c] s[c]^(-β), s[c] = k + α/size Σ_{j in W(c)} x[j]².

    x[i] acts in y[i] itself, and in s[c] of every c whose window W(c) = c - size // 2, ..., c + (size - 1) // 2 it lies
    in: ∂s[c] / ∂x[i] = 2 α/size x[i]. With ∂s^(-β)/∂s = -β s^(-β - 1),

        dx[i] = s[i]^(-β) dy[i] - 2 αβ/size x[i] Σ_{c: i in W(c)} dy[c] x[c] s[c]^(-β - 1).

    i lies in W(c) exactly where c is in i - (size - 1) // 2, ..., i + size // 2: the window mirrored.

    Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks",
    section 3.3.
    """
    x, s = residuals
    direct = dy.astype(s.dtype) * s**-beta
    through = _neighbours(direct * x / s, (size - 1) // 2, size // 2)
    return ((direct - 2 * alpha * beta / size * x * through).astype(x.dtype),)


@rule(_plain, _forward, _backward)
def local_response_norm(
    x: ArrayLike,
    size: int = 5,
    *,
    alpha: float = 1e-4,
    beta: float = 0.75,
    k: float = 1.0,
    layout: Layout = "NHWC",
) -> Array:
    """Divide x by (k + alpha / size · Σ x²)^beta, the sum over `size` neighbouring channels at the same place.

    As PyTorch's `local_response_norm`: the window reaches from size // 2 channels before to (size - 1) // 2 after, and
    alpha is divided by `size` also where it hangs over the first or last channel. The paper has alpha where
    alpha / size is here, so its numbers are size=5, k=2, alpha=5e-4, beta=0.75.

    Args:
      x: (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      size: how many channels count.
      alpha, beta, k: positive numbers.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Raises: ValueError for a wrong rank, integer data, a size below 1, and an alpha, beta or k that is not positive.

    The backward pass and its derivation: `local_response_norm.backward`.
    """
    op = "local_response_norm"
    x, _ = spatial(op, floating(op, "x", x), layout)
    size = count(op, "size", size)
    numbers = {name: positive(op, name, value) for name, value in {"alpha": alpha, "beta": beta, "k": k}.items()}
    y = local_response_norm.apply(x, size=size, **numbers)
    return channels_back(y, layout)
