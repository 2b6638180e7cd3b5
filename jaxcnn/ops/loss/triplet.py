"""The triplet loss of embeddings: an anchor should be nearer to a positive than to a negative, by a margin."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, floating, is_number, same_dtype, same_shape, shape_only
from jaxcnn.ops.loss.per_example import PerExample, behind, hinged
from jaxcnn.ops.rule import rule


def _triplet_plain(anchor: Array, positive: Array, negative: Array, *, margin: float, epsilon: float) -> PerExample:
    """max(0, |anchor - positive + ε| - |anchor - negative + ε| + margin)."""
    near, _ = _distance(anchor, positive, epsilon)
    far, _ = _distance(anchor, negative, epsilon)
    return hinged(near - far + margin).astype(anchor.dtype)


def _triplet_forward(
    anchor: Array, positive: Array, negative: Array, *, margin: float, epsilon: float
) -> tuple[PerExample, Any]:
    """The loss, and the directions from positive and from negative to anchor; 0 where the margin is kept."""
    near, from_positive = _distance(anchor, positive, epsilon)
    far, from_negative = _distance(anchor, negative, epsilon)
    gap = near - far + margin
    kept = gap[:, None] <= 0
    directions = (jnp.where(kept, 0, from_positive), jnp.where(kept, 0, from_negative))
    return hinged(gap).astype(anchor.dtype), (*directions, shape_only(anchor))


def _triplet_backward(
    residuals: Any, dloss: PerExample, *, margin: float, epsilon: float
) -> tuple[Array, Array, Array]:
    """The cotangents (danchor, dpositive, dnegative) of max(0, |a - p + ε| - |a - n + ε| + margin).

    The gradient of a norm |v| is the unit vector v / |v|, and 0 by choice where v = 0. So where the margin is not kept,
    with u and w the unit vectors of a - p + ε and a - n + ε,

        danchor = dloss (u - w),    dpositive = -dloss u,    dnegative = dloss w.

    Source: Weinberger & Saul 2009, "Distance metric learning for large margin nearest neighbor classification".
    """
    u, w, anchor = residuals
    dloss = behind(dloss, anchor)
    cotangents = dloss * (u - w), -dloss * u, dloss * w
    return tuple(c.astype(anchor.dtype) for c in cotangents)


def _distance(x: Array, y: Array, epsilon: float) -> tuple[Array, Array]:
    """|x - y + ε| along the last axis, and its gradient for x: the unit vector, or 0 where that has no direction."""
    wide = accumulator(x)
    v = x.astype(wide) - y.astype(wide) + epsilon
    squares = (v * v).sum(-1)
    apart = squares != 0  # NaN is
    distance = jnp.sqrt(jnp.where(apart, squares, 1))
    return jnp.where(apart, distance, 0), jnp.where(apart[:, None], v / distance[:, None], 0)


@rule(_triplet_plain, _triplet_forward, _triplet_backward)
def triplet(
    anchor: ArrayLike, positive: ArrayLike, negative: ArrayLike, *, margin: float = 1.0, epsilon: float = 1e-6
) -> Array:
    """max(0, |anchor - positive| - |anchor - negative| + margin): the positive should be nearer, by the margin.

    As PyTorch's `triplet_margin_loss` with Euclidean distances, and with its epsilon, which is added to each
    difference, so that equal points have a gradient too. With an epsilon of 0 it is 0 there.

    Args:
      anchor, positive, negative: (n, d), one embedding in each row.
      margin: a positive number.
      epsilon: 0 or more.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer data, shapes that differ or are not (n, d), or options outside their range.

    The backward pass and its derivation: `triplet.backward`.
    """
    op = "triplet"
    if not is_number(margin) or not 0 < margin < math.inf:
        raise ValueError(f"{op}: margin is {margin!r}; expected a positive number, such as 1.0.")
    if not is_number(epsilon) or not 0 <= epsilon < math.inf:
        raise ValueError(f"{op}: epsilon is {epsilon!r}; expected a number of 0 or more, such as 1e-6.")
    anchor, others = floating(op, "anchor", anchor), {"positive": positive, "negative": negative}
    if anchor.ndim != 2:
        raise ValueError(f"{op}: anchor has shape {anchor.shape}; expected (n, d), one embedding in each row.")
    arrays = [anchor]
    for name, other in others.items():
        arrays.append(floating(op, name, other))
        same_shape(op, "anchor", anchor, name, arrays[-1])
    return triplet.apply(*same_dtype(*arrays), margin=float(margin), epsilon=float(epsilon))
