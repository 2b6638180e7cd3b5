"""Losses, one number for each example of the batch; average them for the batch's loss."""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import accumulator, floating, is_number, known_values, same_dtype, same_shape, shape_only
from jaxcnn.ops.rule import rule

PerExample = Float[Array, " n"]


def _softmax_plain(logits: Float[Array, "n k"], labels: Array, *, label_smoothing: float) -> PerExample:
    """-Σ_k target[k] log softmax(logits)[k]."""
    log_p = jax.nn.log_softmax(logits.astype(accumulator(logits)))
    return -(_target(labels, log_p, label_smoothing) * log_p).sum(-1).astype(logits.dtype)


def _softmax_forward(logits: Float[Array, "n k"], labels: Array, *, label_smoothing: float) -> tuple[PerExample, Any]:
    """The loss, and the probabilities; for labels that want a cotangent also their logarithms."""
    wide = logits.astype(accumulator(logits))
    shifted = wide - lax.stop_gradient(wide.max(-1, keepdims=True))  # so that no exponential overflows
    powers = jnp.exp(shifted)
    total = powers.sum(-1, keepdims=True)
    log_p = shifted - jnp.log(total)
    loss = -(_target(labels, log_p, label_smoothing) * log_p).sum(-1)
    kept = (powers / total, None if labels.ndim == 1 else log_p, labels, shape_only(logits))
    return loss.astype(logits.dtype), kept


def _softmax_backward(residuals: Any, dloss: PerExample, *, label_smoothing: float) -> tuple[Array, Array | None]:
    """The cotangents (dlogits, dlabels) of softmax cross-entropy.

    For one example with logits z and target t, which need not sum to 1,

        loss = -Σ_k t[k] log p[k] = -Σ_k t[k] (z[k] - log Σ_i e^z[i]) = (Σ_k t[k]) log Σ_i e^z[i] - Σ_k t[k] z[k].

    ∂ log Σ_i e^z[i] / ∂z[k] = p[k], so dlogits[k] = dloss ((Σ_i t[i]) p[k] - t[k]); for a distribution that is p - t.
    ∂loss / ∂t[k] = -log p[k], and smoothing made t = (1 - s) labels + s / K of the labels, so
    dlabels[k] = -dloss (1 - s) log p[k]; integer labels have no cotangent.

    Source: Bridle 1990; label smoothing: Szegedy et al. 2015, "Rethinking the Inception architecture", section 7.
    """
    p, log_p, labels, logits = residuals
    target = _target(labels, p, label_smoothing)
    dloss = dloss[:, None].astype(p.dtype)
    if log_p is None:
        return (dloss * (p - target)).astype(logits.dtype), None
    dlogits = dloss * (target.sum(-1, keepdims=True) * p - target)
    return dlogits.astype(logits.dtype), (-(1 - label_smoothing) * dloss * log_p).astype(labels.dtype)


def _target(labels: Array, like: Array, label_smoothing: float) -> Array:
    """The distribution to be met, (n, k); NaN for an integer label that is no class."""
    classes = like.shape[-1]
    if labels.ndim == 1:
        labels = labels.astype(jnp.int32)  # uint8 can't be compared with 256
        known = (labels >= 0) & (labels < classes)
        target = jnp.where(known[:, None], jax.nn.one_hot(labels, classes, dtype=like.dtype), jnp.nan)
    else:
        target = labels.astype(like.dtype)
    return (1 - label_smoothing) * target + label_smoothing / classes


@rule(_softmax_plain, _softmax_forward, _softmax_backward)
def softmax_cross_entropy(logits: ArrayLike, labels: ArrayLike, *, label_smoothing: float = 0.0) -> Array:
    """-log of the probability that softmax(logits) gives to the label, in nats; safe for any finite logits.

    Args:
      logits: (n, k), before softmax.
      labels: integer classes (n,), 0 to k - 1; or (n, k), one-hot or any weights for the classes.
      label_smoothing: s with 0 <= s <= 1; the target is (1 - s) labels + s / k.

    Returns: (n,), one loss for each example.

    Raises: ValueError for shapes or dtypes that do not match, a label_smoothing outside its range, or a label that is
      no class. Where the labels can't be looked at (under `jit`), that example's loss and gradient are NaN.

    The backward pass and its derivation: `softmax_cross_entropy.backward`.
    """
    op = "softmax_cross_entropy"
    logits = floating(op, "logits", logits)
    if logits.ndim != 2 or logits.shape[1] < 1:
        raise ValueError(
            f"{op}: logits has shape {logits.shape}; expected (n, k), one row of k class scores for each example."
        )
    if not is_number(label_smoothing) or not 0 <= label_smoothing <= 1:
        raise ValueError(f"{op}: label_smoothing is {label_smoothing!r}; expected a number from 0 to 1.")
    labels = _checked_labels(op, labels, *logits.shape)
    if labels.ndim == 2:
        labels = labels.astype(jnp.result_type(labels, logits))
        return softmax_cross_entropy.apply(*same_dtype(logits, labels), label_smoothing=float(label_smoothing))
    return softmax_cross_entropy.apply(logits, labels, label_smoothing=float(label_smoothing))


def _checked_labels(op: str, given: ArrayLike, n: int, k: int) -> Array:
    labels = jnp.asarray(given)
    if labels.shape == (n, k):
        return labels
    if labels.shape != (n,):
        raise ValueError(
            f"{op}: labels has shape {labels.shape} and logits {(n, k)}; expected integer classes of shape ({n},), or "
            f"one-hot labels or probabilities of shape {(n, k)}."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(
            f"{op}: labels has shape {labels.shape} and dtype {labels.dtype}; classes must be integers. Write "
            f"labels.astype(jnp.int32), or give probabilities of shape {(n, k)}."
        )
    if (values := known_values(given)) is not None and n:
        low, high = values.min(), values.max()
        if low < 0 or high >= k:
            raise ValueError(
                f"{op}: labels holds {low if low < 0 else high}, but logits of shape {(n, k)} have the classes 0 to "
                f"{k - 1}. Labels that count from 1 need labels - 1; else give the network more outputs."
            )
    return labels


def _sigmoid_plain(logits: Array, labels: Array) -> PerExample:
    """The mean of -labels log σ(logits) - (1 - labels) log (1 - σ(logits))."""
    wide = logits.astype(accumulator(logits))
    each = -labels * jax.nn.log_sigmoid(wide) - (1 - labels) * jax.nn.log_sigmoid(-wide)
    return _example_mean(each, logits)


def _sigmoid_forward(logits: Array, labels: Array) -> tuple[PerExample, Any]:
    """The loss with one exponential, and its arguments.

    -z t + log (1 + e^z) = max(z, 0) - z t + log (1 + e^-|z|), where no exponential overflows.
    """
    wide = logits.astype(accumulator(logits))
    each = jnp.maximum(wide, 0) - wide * labels + jnp.log1p(jnp.exp(-jnp.abs(wide)))
    return _example_mean(each, logits), (logits, labels)


def _sigmoid_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents (dlogits, dlabels) of the mean over m entries of -t log σ(z) - (1 - t) log (1 - σ(z)).

    log σ(z) - log (1 - σ(z)) = z and d log (1 - σ(z)) / dz = -σ(z), so an entry is -z t - log (1 - σ(z)):
    its derivative for z is σ(z) - t, for t it is -z. Both times dloss / m.
    """
    logits, labels = residuals
    share = _share(dloss, logits)
    dlogits = share * (jax.nn.sigmoid(logits.astype(share.dtype)) - labels)
    return dlogits.astype(logits.dtype), (-share * logits).astype(labels.dtype)


@rule(_sigmoid_plain, _sigmoid_forward, _sigmoid_backward)
def sigmoid_cross_entropy(logits: ArrayLike, labels: ArrayLike) -> Array:
    """Binary cross-entropy of each logit with its label, in nats, averaged over all axes but the first.

    Args:
      logits: (n, ...), before the sigmoid.
      labels: of the same shape, between 0 and 1; integers 0 and 1 will do.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer logits, shapes that differ, or labels outside 0 to 1 where they can be looked at.

    The backward pass and its derivation: `sigmoid_cross_entropy.backward`.
    """
    op = "sigmoid_cross_entropy"
    logits, given, labels = floating(op, "logits", logits), labels, jnp.asarray(labels)
    integers = not jnp.issubdtype(labels.dtype, jnp.floating)
    classes = logits.shape[-1] if logits.ndim > 1 else 2
    same_shape(
        op,
        "logits",
        logits,
        "labels",
        labels,
        f"For integer classes write jax.nn.one_hot(labels, {classes})." if integers else "",
    )
    values = known_values(given)
    if values is not None and values.size and not 0 <= values.min() <= values.max() <= 1:
        raise ValueError(
            f"{op}: labels go from {values.min()} to {values.max()}; expected probabilities from 0 to 1. "
            "For one class out of many use softmax_cross_entropy."
        )
    return sigmoid_cross_entropy.apply(*same_dtype(logits, labels.astype(jnp.result_type(labels, logits))))


def _mse_plain(prediction: Array, target: Array) -> PerExample:
    """The mean of (prediction - target)²."""
    wide = prediction.astype(accumulator(prediction))
    return _example_mean(jnp.square(wide - target), prediction)


def _mse_forward(prediction: Array, target: Array) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _mse_plain(prediction, target), (prediction, target)


def _mse_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents of 1/m Σ (p - t)²: dp = 2/m (p - t) dloss, and dt = -dp."""
    prediction, target = residuals
    dprediction = (2 * _share(dloss, prediction) * (prediction - target)).astype(prediction.dtype)
    return dprediction, -dprediction


@rule(_mse_plain, _mse_forward, _mse_backward)
def mse(prediction: ArrayLike, target: ArrayLike) -> Array:
    """The squared difference, averaged over all axes but the first: (n, ...) and (n, ...) to (n,).

    Raises: ValueError for integer data or shapes that differ; nothing is broadcast. The backward: `mse.backward`.
    """
    prediction, target = floating("mse", "prediction", prediction), floating("mse", "target", target)
    same_shape("mse", "prediction", prediction, "target", target)
    return mse.apply(*same_dtype(prediction, target))


def _example_mean(each: Array, like: Array) -> PerExample:
    return each.mean(range(1, each.ndim)).astype(like.dtype)


def _share(dloss: PerExample, x: Array) -> Array:
    """dloss / m for each of the m entries of an example."""
    share = dloss.astype(accumulator(x)) / math.prod(x.shape[1:])
    return share.reshape(-1, *[1] * (x.ndim - 1))
