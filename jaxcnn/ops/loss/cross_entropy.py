"""Cross-entropy of one class out of many, of logits or of log-probabilities: one number for each example of the batch.

Average them for the loss of the batch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.activation.softmax import exponentials
from jaxcnn.ops.check import accumulator, number, same_dtype, shape_only
from jaxcnn.ops.geometry import whole
from jaxcnn.ops.loss.labels import class_scores, classes, one_hot
from jaxcnn.ops.loss.per_example import PerExample, behind, counted
from jaxcnn.ops.rule import rule


def _softmax_plain(
    logits: Float[Array, "n k"],
    labels: Array,
    class_weights: Float[Array, " k"] | None,
    *,
    label_smoothing: float,
    ignore_index: int | None,
) -> PerExample:
    """-Σ_k weight[k] target[k] log softmax(logits)[k]."""
    log_p = jax.nn.log_softmax(logits.astype(accumulator(logits)))
    weighted = _weighted(_target(labels, log_p, label_smoothing, ignore_index), class_weights)
    return (weighted * -counted(log_p, weighted)).sum(-1).astype(logits.dtype)


def _softmax_forward(
    logits: Float[Array, "n k"],
    labels: Array,
    class_weights: Float[Array, " k"] | None,
    *,
    label_smoothing: float,
    ignore_index: int | None,
) -> tuple[PerExample, Any]:
    """The loss, and e^z with its sum less 1; for labels or weights that want a cotangent also -log p."""
    shifted, powers, rest = exponentials(logits.astype(accumulator(logits)), -1)
    surprise = jnp.log1p(rest) - shifted  # -log p; a small one keeps its digits
    weighted = _weighted(_target(labels, surprise, label_smoothing, ignore_index), class_weights)
    loss = (weighted * counted(surprise, weighted)).sum(-1)
    needed = labels.ndim == 2 or class_weights is not None
    kept = (powers, rest, surprise if needed else None, labels, class_weights, shape_only(logits))
    return loss.astype(logits.dtype), kept


def _softmax_backward(
    residuals: Any, dloss: PerExample, *, label_smoothing: float, ignore_index: int | None
) -> tuple[Array, Array | None, Array | None]:
    """The cotangents (dlogits, dlabels, dclass_weights) of softmax cross-entropy.

    For one example with logits z, target t and class weights w (all 1 where none are given), with m[k] = w[k] t[k],
    which need not sum to 1,

        loss = -Σ_k m[k] log p[k] = -Σ_k m[k] (z[k] - log Σ_i e^z[i]) = (Σ_k m[k]) log Σ_i e^z[i] - Σ_k m[k] z[k].

    ∂ log Σ_i e^z[i] / ∂z[k] = p[k], so dlogits[k] = dloss ((Σ_i m[i]) p[k] - m[k]); for a distribution without weights
    that is p - t, of which nothing is left where p rounds to t. So what both have is taken out first:

        dlogits[k] = dloss (p[k] Σ_{i≠k} m[i] - m[k] Σ_{i≠k} p[i]).

    ∂loss / ∂m[k] = -log p[k]. Smoothing made t = (1 - s) labels + s / K of the labels, so
    dlabels[k] = -dloss (1 - s) w[k] log p[k]; integer labels have no cotangent. The weights serve every example, so
    dclass_weights[k] is the sum over the batch of -dloss t[k] log p[k]. An ignored example has t = 0.

    Source: Bridle 1990; label smoothing: Szegedy et al. 2015, "Rethinking the Inception architecture", section 7.
    """
    powers, rest, surprise, labels, class_weights, logits = residuals
    target = _target(labels, powers, label_smoothing, ignore_index)
    weighted, dloss = _weighted(target, class_weights), behind(dloss, powers)
    whole = labels.ndim == 1 and class_weights is None and ignore_index is None
    mass = 1 if whole else weighted.sum(-1, keepdims=True)
    others = rest - (powers - 1)  # than k, of the exponentials; no difference of large numbers, see `exponentials`
    dlogits = dloss / (1 + rest) * ((mass - weighted) * powers - weighted * others)  # one division for each example
    if not whole:
        dlogits = jnp.where(mass == 0, 0 - dloss * weighted, dlogits)  # whatever an ignored example's logits are
    dlabels = dclass_weights = None
    if surprise is not None:
        surprise = counted(surprise, weighted)
    if labels.ndim == 2:
        dlabels = ((1 - label_smoothing) * dloss * _weighted(surprise, class_weights)).astype(labels.dtype)
    if class_weights is not None:
        dclass_weights = (dloss * target * surprise).sum(0).astype(class_weights.dtype)
    return dlogits.astype(logits.dtype), dlabels, dclass_weights


def _target(
    labels: Array, like: Array, label_smoothing: float, ignore_index: int | None, classes: int | None = None
) -> Float[Array, "n k"]:
    """The distribution to be met: 0 for a label that is ignored, NaN for any other integer that is no class."""
    k = like.shape[-1] if classes is None else classes
    target = one_hot(labels, k, like.dtype) if labels.ndim == 1 else labels.astype(like.dtype)
    target = (1 - label_smoothing) * target + label_smoothing / k
    if ignore_index is None:
        return target
    return jnp.where((labels.astype(jnp.int32) == ignore_index)[:, None], 0, target)


def _weighted(target: Array, weights: Array | None) -> Array:
    return target if weights is None else weights * target


@rule(_softmax_plain, _softmax_forward, _softmax_backward)
def softmax_cross_entropy(
    logits: ArrayLike,
    labels: ArrayLike,
    class_weights: ArrayLike | None = None,
    *,
    label_smoothing: float = 0.0,
    ignore_index: int | None = None,
) -> Array:
    """-log of the probability that softmax(logits) gives to the label, in nats; safe for any finite logits.

    As PyTorch's `cross_entropy(..., reduction="none")`, with its weights, smoothing and ignored labels.

    Args:
      logits: (n, k), before softmax.
      labels: integer classes (n,), 0 to k - 1; or (n, k), one-hot or any weights for the classes.
      class_weights: (k,), a factor w for each class: the loss is -Σ_k w[k] target[k] log p[k], for an integer label
        without smoothing its class's weight times the loss. PyTorch's weighted mean is
        `loss.sum() / class_weights[labels].sum()`, over the labels that are not ignored.
      label_smoothing: s with 0 <= s <= 1; the target is (1 - s) labels + s / k.
      ignore_index: integer labels equal to it, a class or not, have the loss 0 and the gradient 0. The mean over the
        rest is `loss.sum() / (labels != ignore_index).sum()`.

    Returns: (n,), one loss for each example.

    Raises: ValueError for shapes or dtypes that do not match, options outside their range, or a label that is no class.
      Where the labels can't be looked at (under `jit`), that example's loss and gradient are NaN.

    The backward pass and its derivation: `softmax_cross_entropy.backward`.
    """
    op = "softmax_cross_entropy"
    logits = class_scores(op, "logits", logits)
    smoothing = number(op, "label_smoothing", label_smoothing, "a number from 0 to 1", lambda v: 0 <= v <= 1)
    arrays, ignored = _checked(op, "logits", logits, labels, class_weights, ignore_index)
    return softmax_cross_entropy.apply(*arrays, label_smoothing=smoothing, ignore_index=ignored)


def _nll_plain(
    log_p: Float[Array, "n k"], labels: Array, class_weights: Float[Array, " k"] | None, *, ignore_index: int | None
) -> PerExample:
    """-Σ_k weight[k] label[k] log_p[k]."""
    wide = log_p.astype(accumulator(log_p))
    weighted = _weighted(_target(labels, wide, 0.0, ignore_index), class_weights)
    return (weighted * -counted(wide, weighted)).sum(-1).astype(log_p.dtype)


def _nll_forward(
    log_p: Float[Array, "n k"], labels: Array, class_weights: Float[Array, " k"] | None, *, ignore_index: int | None
) -> tuple[PerExample, Any]:
    """The loss, and its arguments; log_p itself only for labels or weights that want a cotangent."""
    needed = labels.ndim == 2 or class_weights is not None
    loss = _nll_plain(log_p, labels, class_weights, ignore_index=ignore_index)
    return loss, (log_p if needed else None, labels, class_weights, shape_only(log_p))


def _nll_backward(
    residuals: Any, dloss: PerExample, *, ignore_index: int | None
) -> tuple[Array, Array | None, Array | None]:
    """The cotangents (dlog_p, dlabels, dclass_weights) of loss = -Σ_k w[k] t[k] log_p[k].

    It is linear in each: dlog_p[k] = -dloss w[k] t[k], whatever the log-probabilities were made of, which their own
    backward knows; dlabels[k] = -dloss w[k] log_p[k]; and, since the weights serve every example, dclass_weights[k] is
    the sum over the batch of -dloss t[k] log_p[k]. Integer labels have no cotangent; w = 1 where no weights are given;
    an ignored example has t = 0.
    """
    log_p, labels, class_weights, like = residuals
    dloss = behind(dloss, like)
    target = _target(labels, dloss, 0.0, ignore_index, like.shape[-1])
    weighted = _weighted(target, class_weights)
    dlabels = dclass_weights = None
    if log_p is not None:
        counts = counted(log_p.astype(dloss.dtype), weighted)
    if labels.ndim == 2:
        dlabels = (-dloss * _weighted(counts, class_weights)).astype(labels.dtype)
    if class_weights is not None:
        dclass_weights = -(dloss * target * counts).sum(0).astype(class_weights.dtype)
    return (
        (0 - dloss * weighted).astype(like.dtype),
        dlabels,
        dclass_weights,
    )  # 0, and not -0, for what is not the label


@rule(_nll_plain, _nll_forward, _nll_backward)
def nll(
    log_p: ArrayLike, labels: ArrayLike, class_weights: ArrayLike | None = None, *, ignore_index: int | None = None
) -> Array:
    """Negative log-likelihood: -log p of the label, in nats, where log p is given, such as by `log_softmax`.

    As PyTorch's `nll_loss(..., reduction="none")`. From logits `softmax_cross_entropy` is faster and has more digits.

    Args:
      log_p: (n, k), the logarithm of each class's probability; -inf where that is 0.
      labels, class_weights, ignore_index: as in `softmax_cross_entropy`. What labels and weights make 0 does not count,
        also where log p is infinite.

    Returns: (n,), one loss for each example.

    Raises: ValueError for shapes or dtypes that do not match, or a label that is no class. Where the labels can't be
      looked at (under `jit`), that example's loss and gradient are NaN.

    The backward pass and its derivation: `nll.backward`.
    """
    log_p = class_scores("nll", "log_p", log_p)
    arrays, ignored = _checked("nll", "log_p", log_p, labels, class_weights, ignore_index)
    return nll.apply(*arrays, ignore_index=ignored)


def _checked(
    op: str, argument: str, scores: Array, labels: ArrayLike, class_weights: ArrayLike | None, ignore_index: int | None
) -> tuple[list[Array | None], int | None]:
    """Scores, labels and weights, those of floats in one dtype, and the label to be ignored."""
    if ignore_index is not None:
        ignore_index = whole(op, "ignore_index", ignore_index, "an int such as -1 or 255, or None")
    labels = _checked_labels(op, argument, labels, scores, ignore_index)
    weights = None if class_weights is None else _checked_weights(op, argument, class_weights, scores)
    soft = labels.astype(jnp.result_type(labels, scores)) if labels.ndim == 2 else None
    arrays = same_dtype(scores, soft, weights)
    if soft is None:
        arrays[1] = labels
    return arrays, ignore_index


def _checked_labels(op: str, argument: str, given: ArrayLike, scores: Array, ignore_index: int | None) -> Array:
    labels = jnp.asarray(given)
    if ignore_index is not None and labels.ndim == 2:
        raise ValueError(
            f"{op}: ignore_index is {ignore_index} and labels has shape {labels.shape}; only integer classes of "
            f"shape ({scores.shape[0]},) can be ignored. Give rows of zeros to the examples that should not count."
        )
    if labels.shape == scores.shape:
        return labels
    if labels.shape != scores.shape[:1]:
        raise ValueError(
            f"{op}: labels has shape {labels.shape} and {argument} {scores.shape}; expected integer classes of shape "
            f"({scores.shape[0]},), or one-hot labels or probabilities of shape {scores.shape}."
        )
    return classes(op, argument, scores, given, ignore_index)


def _checked_weights(op: str, argument: str, given: ArrayLike, scores: Array) -> Array:
    weights = jnp.asarray(given)
    if weights.shape != scores.shape[1:]:
        raise ValueError(
            f"{op}: class_weights has shape {weights.shape} and {argument} {scores.shape}; expected one weight for "
            f"each class, {scores.shape[1:]}. To weigh examples multiply the losses that come back."
        )
    return weights.astype(jnp.result_type(weights, scores))
