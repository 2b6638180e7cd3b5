"""The triplet loss of embeddings: an anchor should be nearer to a positive than to a negative, by a margin."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, epsilon_of, exponent, floating, number, same_dtype, same_shape, shape_only
from jaxcnn.ops.loss.per_example import PerExample, behind, hinged
from jaxcnn.ops.rule import rule


def _triplet_plain(
    anchor: Array, positive: Array, negative: Array, *, margin: float, p: float, epsilon: float, swap: bool
) -> PerExample:
    """max(0, |anchor - positive + ε| - |anchor - negative + ε| + margin)."""
    near, _ = _distance(anchor, positive, p, epsilon)
    far, _ = _distance(anchor, negative, p, epsilon)
    if swap:
        between, _ = _distance(positive, negative, p, epsilon)
        far = jnp.where(between < far, between, far)
    return hinged(near - far + margin).astype(anchor.dtype)


def _triplet_forward(
    anchor: Array, positive: Array, negative: Array, *, margin: float, p: float, epsilon: float, swap: bool
) -> tuple[PerExample, Any]:
    """The loss, and the directions u, w, s of `_triplet_backward`; 0 where the margin is kept."""
    near, u = _distance(anchor, positive, p, epsilon)
    far, w = _distance(anchor, negative, p, epsilon)
    s = None
    if swap:
        between, direction = _distance(positive, negative, p, epsilon)
        nearer = between < far
        far = jnp.where(nearer, between, far)
        w, s = jnp.where(nearer[:, None], 0, w), jnp.where(nearer[:, None], direction, 0)
    gap = near - far + margin
    kept = gap[:, None] <= 0
    directions = tuple(None if v is None else jnp.where(kept, 0, v) for v in (u, w, s))
    return hinged(gap).astype(anchor.dtype), (*directions, shape_only(anchor))


def _triplet_backward(residuals: Any, dloss: PerExample, **_: Any) -> tuple[Array, Array, Array]:
    """The cotangents (danchor, dpositive, dnegative) of max(0, |a - p + ε| - |a - n + ε| + margin).

    The gradient of the p-norm |v| = (Σ_i |v[i]|^p)^(1/p) has the entries sign(v[i]) (|v[i]| / |v|)^(p - 1): for p = 2
    the unit vector v / |v|. As p goes to infinity the norm goes to max |v[i]| and the gradient to the sign of v[i]
    where that is largest, else 0; equally large entries share it. It is 0 by choice where v = 0, and so are its entries
    where v[i] = 0, also for p < 1, where they grow without bound as v[i] goes to 0. So where the margin is not kept,
    with u and w the gradients for a - p + ε and a - n + ε,

        danchor = dloss (u - w),    dpositive = -dloss u,    dnegative = dloss w.

    With `swap` |p - n + ε| takes the place of |a - n + ε| where it is less; then, with s its gradient,

        danchor = dloss u,    dpositive = -dloss (u + s),    dnegative = dloss s.

    Source: Weinberger & Saul 2009, "Distance metric learning for large margin nearest neighbor classification"; the
    swap: Balntas et al. 2016, "Learning local feature descriptors with triplets and shallow convolutional neural
    networks", section 3.
    """
    u, w, s, anchor = residuals
    dloss = behind(dloss, anchor)
    from_positive, to_negative = (u, w) if s is None else (u + s, w + s)
    cotangents = dloss * (u - w), -dloss * from_positive, dloss * to_negative
    return tuple(c.astype(anchor.dtype) for c in cotangents)


def _distance(x: Array, y: Array, p: float, epsilon: float) -> tuple[Array, Array]:
    """The p-norm |x - y + ε| along the last axis, and its gradient for x, 0 where that has no direction."""
    wide = accumulator(x)
    v = x.astype(wide) - y.astype(wide) + epsilon
    nothing = v == 0  # an entry that adds 0, with the derivative 0
    size = jnp.abs(jnp.where(nothing, 1, v))
    if p == 2:
        total = (v * v).sum(-1)
    elif p == math.inf:
        total = jnp.where(nothing, 0, size).max(-1, initial=0)
    else:
        total = jnp.where(nothing, 0, size**p).sum(-1)
    apart = total != 0  # NaN is
    some = jnp.where(apart, total, 1)
    if p == 2:
        distance = jnp.sqrt(some)
        gradient = v / distance[:, None]
    elif p == math.inf:
        distance = some
        nearly = 1 - 4 * float(jnp.finfo(wide).eps)  # type: ignore[no-untyped-call]
        largest = ~nothing & (size >= nearly * distance[:, None])  # whichever way each was rounded
        gradient = jnp.sign(v) * largest / jnp.where(apart, largest.sum(-1), 1)[:, None]
    else:
        distance = some ** (1 / p)
        gradient = jnp.sign(v) * (size / distance[:, None]) ** (p - 1)
    return jnp.where(apart, distance, 0), jnp.where(apart[:, None] & ~nothing, gradient, 0)


@rule(_triplet_plain, _triplet_forward, _triplet_backward)
def triplet(
    anchor: ArrayLike,
    positive: ArrayLike,
    negative: ArrayLike,
    *,
    margin: float = 1.0,
    p: float = 2,
    epsilon: float = 1e-6,
    swap: bool = False,
) -> Array:
    """max(0, |anchor - positive| - |anchor - negative| + margin): the positive should be nearer, by the margin.

    As PyTorch's `triplet_margin_loss`, and with its epsilon, which is added to each difference, so that equal points
    have a gradient too. With an epsilon of 0 it is 0 there.

    Args:
      anchor, positive, negative: (n, d), one embedding in each row.
      margin: a positive number.
      p: of the norm that distances are taken in, a positive number or math.inf; 2 is Euclidean, infinity the largest
        difference.
      epsilon: 0 or more.
      swap: take |positive - negative| instead of |anchor - negative| where it is less.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer data, shapes that differ or are not (n, d), or options outside their range.

    The backward pass and its derivation: `triplet.backward`.
    """
    op = "triplet"
    margin = number(op, "margin", margin, "a positive number, such as 1.0", lambda v: 0 < v < math.inf)
    p = number(op, "p", p, "a positive number, such as 2, or math.inf", lambda v: v > 0)
    epsilon = epsilon_of(op, epsilon)
    anchor, others = floating(op, "anchor", anchor), {"positive": positive, "negative": negative}
    if anchor.ndim != 2:
        raise ValueError(f"{op}: anchor has shape {anchor.shape}; expected (n, d), one embedding in each row.")
    arrays = [anchor]
    for name, other in others.items():
        arrays.append(floating(op, name, other))
        same_shape(op, "anchor", anchor, name, arrays[-1])
    options = {"margin": margin, "p": exponent(p), "epsilon": epsilon, "swap": bool(swap)}
    return triplet.apply(*same_dtype(*arrays), **options)
