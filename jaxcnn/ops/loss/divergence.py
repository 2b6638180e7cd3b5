"""The Kullback-Leibler divergence of a predicted distribution from a target: one number for each example."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, floating, known_values, same_dtype, same_shape
from jaxcnn.ops.loss.per_example import PerExample, behind
from jaxcnn.ops.rule import rule


def _present(log_p: Array, q: Array) -> tuple[Array, Array]:
    """Both in the accumulator's dtype, with log p = 0 and q = 1, which lose nothing, where q is 0."""
    wide, absent = accumulator(q), q == 0
    return jnp.where(absent, 0, log_p.astype(wide)), jnp.where(absent, 1, q.astype(wide))


def _kl_plain(log_p: Array, q: Array) -> PerExample:
    """The sum of q (log q - log p)."""
    wide_log_p, wide_q = _present(log_p, q)
    each = wide_q * (jnp.log(wide_q) - wide_log_p)
    return each.sum(range(1, q.ndim)).astype(q.dtype)


def _kl_forward(log_p: Array, q: Array) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _kl_plain(log_p, q), (log_p, q)


def _kl_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents (dlog_p, dq) of the sum of q (log q - log p).

    Its derivative for log p is -q, so dlog_p = -dloss q. For q it is, by the product rule, (log q - log p) + q / q, so
    dq = dloss (log q - log p + 1). Towards q = 0 that goes to minus infinity; there dq is 0, and so is dlog_p.

    Source: Kullback & Leibler 1951, "On information and sufficiency".
    """
    log_p, q = residuals
    wide_log_p, wide_q = _present(log_p, q)
    dloss = jnp.where(q == 0, 0, behind(dloss, q))
    dq = dloss * (jnp.log(wide_q) - wide_log_p + 1)
    return (0 - dloss * wide_q).astype(log_p.dtype), dq.astype(q.dtype)


@rule(_kl_plain, _kl_forward, _kl_backward)
def kl_divergence(log_p: ArrayLike, q: ArrayLike) -> Array:
    """Σ q (log q - log p) over all axes but the first, with 0 log 0 = 0: how far the prediction p is from the target q.

    The arguments of PyTorch's `kl_div`: its `reduction="batchmean"` is the mean of what comes back.

    Args:
      log_p: (n, ...), logarithms of the predicted probabilities, such as `log_softmax` gives.
      q: the target probabilities, of the same shape. An entry of 0 adds nothing, whatever log_p is there, and gets the
        gradient 0.

    Returns: (n,), one divergence for each example, in nats.

    Raises: ValueError for integer data, shapes that differ, or negative numbers in q; where q can't be looked at (under
      `jit`) those make their example's loss NaN.

    The backward pass and its derivation: `kl_divergence.backward`.
    """
    op = "kl_divergence"
    log_p, given, q = floating(op, "log_p", log_p), q, floating(op, "q", q)
    same_shape(op, "log_p", log_p, "q", q)
    values = known_values(given)
    if values is not None and values.size and not values.min() >= 0:
        raise ValueError(
            f"{op}: q holds {values.min()}; expected probabilities, which are not negative. If these are their "
            "logarithms write jnp.exp(q)."
        )
    return kl_divergence.apply(*same_dtype(log_p, q))
