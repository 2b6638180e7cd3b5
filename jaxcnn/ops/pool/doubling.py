"""Sums and maxima of windows with many taps: of two windows one of twice the size.

Written out, a window of 1,000 taps is a program of 1,000 additions, which XLA takes long to compile. Here it takes ten
or so. The windows stand at every position of `x`, which is padded already; `step` is the distance of their taps.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxcnn.ops.bins import along


def total(x: Array, axis: int, size: int, step: int) -> Array:
    """Σ_t x[i + t step], t = 0, ..., size - 1: the powers of 2 of which `size` is the sum, one behind the other."""
    length = x.shape[axis] - (size - 1) * step
    part, span, taken, y = x, 1, 0, jnp.zeros((), x.dtype)  # part: the sums of `span` taps
    while True:
        if size & span:
            y = y + lax.slice_in_dim(part, taken * step, taken * step + length, axis=axis)
            taken += span
        if taken == size:
            return y
        left, right = _halves(part, axis, span * step)
        part, span = left + right, 2 * span


def maximum(x: Array, axis: int, size: int, step: int, inside: Any) -> tuple[Array, Array]:
    """max_t x[i + t step], and the first t that holds it: a NaN always, a position that is not `inside` never.

    The last two windows may overlap: an entry that is in both counts as the left one's.
    """
    y, first, span = x, jnp.zeros(x.shape, np.min_scalar_type(size)), 1
    while span < size:
        behind = min(span, size - span)
        (left, right), (first, other) = (_halves(a, axis, behind * step) for a in (y, first))
        in_left, in_right = inside[: -behind * step], inside[behind * step :]
        wins = ~(right <= left) & (left == left)  # larger, or NaN where the left one is none
        wins |= along(in_right & ~in_left, axis, x.ndim)  # both may be -inf
        first = jnp.where(wins, other + jnp.asarray(behind, first.dtype), first)
        y, inside, span = jnp.where(wins, right, left), in_left | in_right, span + behind
    return y, first


def _halves(a: Array, axis: int, behind: int) -> tuple[Array, Array]:
    """The windows that begin at each position, and those that begin `behind` positions later."""
    length = a.shape[axis] - behind
    return lax.slice_in_dim(a, 0, length, axis=axis), lax.slice_in_dim(a, behind, None, axis=axis)
