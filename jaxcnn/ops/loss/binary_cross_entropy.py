"""Losses of independent yes-or-no labels, a logit for each: one number for each example of the batch."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, floating, known_values, number, same_dtype, same_shape
from jaxcnn.ops.loss.per_example import PerExample, counted, example_mean, share
from jaxcnn.ops.rule import rule


def _sigmoid_plain(logits: Array, labels: Array, positive_weight: Array | None) -> PerExample:
    """The mean of -weight labels log σ(logits) - (1 - labels) log (1 - σ(logits))."""
    wide, labels, weight = _widened(logits, labels, positive_weight)
    return example_mean(_entries(-jax.nn.log_sigmoid(wide), -jax.nn.log_sigmoid(-wide), labels, weight), logits)


def _sigmoid_forward(logits: Array, labels: Array, positive_weight: Array | None) -> tuple[PerExample, Any]:
    """The loss with one exponential, and its arguments."""
    z, t, weight = _widened(logits, labels, positive_weight)
    return example_mean(_entries(*_surprises(z), t, weight), logits), (logits, labels, positive_weight)


def _sigmoid_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array, Array | None]:
    """The cotangents (dlogits, dlabels, dpositive_weight) of the mean over m entries of

        w t softplus(-z) + (1 - t) softplus(z),    softplus(-z) = -log σ(z), softplus(z) = -log (1 - σ(z)),

    with w = 1 where no weight is given. Each is dloss / m times the entry's derivative:

    * for z, with softplus' = σ: (1 - t) σ(z) - w t σ(-z). That is σ - t for w = 1, of which nothing is left where σ
      rounds to 1;
    * for t: w softplus(-z) - softplus(z), and -z for w = 1. With softplus(z) = max(z, 0) + s, s = log (1 + e^-|z|),
      that is (w - 1) s - z where z > 0 and (w - 1) s - w z elsewhere;
    * for w: t softplus(-z), summed over the entries that share the weight.
    """
    logits, labels, positive_weight = residuals
    z, t, w = _widened(logits, labels, positive_weight)
    each = share(dloss, logits)
    dlogits = each * _entries(-jax.nn.sigmoid(-z), jax.nn.sigmoid(z), t, w)
    if w is None:
        return dlogits.astype(logits.dtype), (-each * z).astype(labels.dtype), None
    dlabels = each * ((w - 1) * _tail(z) - jnp.where(z > 0, z, w * counted(z, w)))
    dweight = (each * t * counted(jax.nn.softplus(-z), t)).sum(range(z.ndim - w.ndim))
    return dlogits.astype(logits.dtype), dlabels.astype(labels.dtype), dweight.astype(positive_weight.dtype)


def _widened(logits: Array, labels: Array, weight: Array | None) -> tuple[Array, Array, Array | None]:
    wide = accumulator(logits)
    return logits.astype(wide), labels.astype(wide), None if weight is None else weight.astype(wide)


def _surprises(z: Array) -> tuple[Array, Array]:
    """-log σ(z) and -log (1 - σ(z)), with one exponential.

    The first is log (1 + e^-z) = max(-z, 0) + log (1 + e^-|z|), where nothing overflows, and the second has -z for z.
    Both are sums of positive terms, so that a small one keeps its digits.
    """
    return jnp.maximum(-z, 0) + _tail(z), jnp.maximum(z, 0) + _tail(z)


def _tail(z: Array) -> Array:
    """log (1 + e^-|z|)."""
    return jnp.log1p(jnp.exp(-jnp.abs(z)))


def _entries(a: Array, b: Array, labels: Array, weight: Array | None) -> Array:
    """weight labels a + (1 - labels) b."""
    positive, negative = _positive(labels, weight), 1 - labels
    return positive * counted(a, positive) + negative * counted(b, negative)


def _positive(labels: Array, weight: Array | None) -> Array:
    return labels if weight is None else weight * labels


@rule(_sigmoid_plain, _sigmoid_forward, _sigmoid_backward)
def sigmoid_cross_entropy(logits: ArrayLike, labels: ArrayLike, positive_weight: ArrayLike | None = None) -> Array:
    """Binary cross-entropy of each logit with its label, in nats, averaged over all axes but the first.

    Args:
      logits: (n, ...), before the sigmoid.
      labels: of the same shape, between 0 and 1; integers 0 and 1 will do.
      positive_weight: a factor for the part of the loss that labels of 1 have, where those are rare: one number, or one
        for each entry of the last axis, as PyTorch's `pos_weight`.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer logits, shapes that differ, or labels outside 0 to 1 where they can be looked at.

    The backward pass and its derivation: `sigmoid_cross_entropy.backward`.
    """
    op = "sigmoid_cross_entropy"
    logits, labels = _binary(op, logits, labels)
    weight = None if positive_weight is None else jnp.asarray(positive_weight)
    if weight is not None:
        if weight.shape not in ((), logits.shape[1:][-1:]):
            raise ValueError(
                f"{op}: positive_weight has shape {weight.shape} and logits {logits.shape}; expected one weight, (), "
                "or one for each entry of the last axis. To weigh examples multiply the losses that come back."
            )
        weight = weight.astype(jnp.result_type(weight, logits))
    return sigmoid_cross_entropy.apply(*same_dtype(logits, labels, weight))


def _focal_plain(logits: Array, labels: Array, *, alpha: float | None, gamma: float) -> PerExample:
    """The mean of -labels α (1 - p)^γ log p - (1 - labels) (1 - α) p^γ log (1 - p), p = σ(logits)."""
    wide, labels, _ = _widened(logits, labels, None)
    positive, negative = _balance(alpha)
    a, b = -jax.nn.log_sigmoid(wide), -jax.nn.log_sigmoid(-wide)
    missed, wrong = positive * labels * _power(gamma, b), negative * (1 - labels) * _power(gamma, a)
    return example_mean(missed * counted(a, missed) + wrong * counted(b, wrong), logits)


def _focal_forward(logits: Array, labels: Array, *, alpha: float | None, gamma: float) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    z, t, _ = _widened(logits, labels, None)
    positive, negative = _balance(alpha)
    a, b = _surprises(z)
    missed, wrong = positive * t * _power(gamma, b), negative * (1 - t) * _power(gamma, a)
    return example_mean(missed * counted(a, missed) + wrong * counted(b, wrong), logits), (logits, labels)


def _focal_backward(residuals: Any, dloss: PerExample, *, alpha: float | None, gamma: float) -> tuple[Array, Array]:
    """The cotangents (dlogits, dlabels) of the mean over m entries of t F + (1 - t) G, with

        a = -log p = softplus(-z),    b = -log (1 - p) = softplus(z),    p = σ(z),
        F = α (1 - p)^γ (-log p) = α e^(-γ b) a,    G = (1 - α) p^γ (-log (1 - p)) = (1 - α) e^(-γ a) b.

    a' = -(1 - p) and b' = p, so by the product rule

        F' = -α e^(-γ b) ((1 - p) + γ p a),    G' = (1 - α) e^(-γ a) (p + γ (1 - p) b).

    dlogits = dloss / m (t F' + (1 - t) G') and dlabels = dloss / m (F - G). Powers of probabilities are exponentials
    of logarithms and the terms of F' and of G' have one sign: nothing cancels, and where p or 1 - p rounds to 0 there
    is no 0^(γ - 1), which would be infinite for γ < 1.
    """
    logits, labels = residuals
    z, t, _ = _widened(logits, labels, None)
    positive, negative = _balance(alpha)
    a, b = jax.nn.softplus(-z), jax.nn.softplus(z)
    p, q = jax.nn.sigmoid(z), jax.nn.sigmoid(-z)
    missed, wrong = positive * _power(gamma, b), negative * _power(gamma, a)
    down, up = t * missed, (1 - t) * wrong
    slope = up * counted(p + gamma * q * counted(b, q), up) - down * counted(q + gamma * p * counted(a, p), down)
    each = share(dloss, logits)
    return (each * slope).astype(logits.dtype), (
        each * (missed * counted(a, missed) - wrong * counted(b, wrong))
    ).astype(labels.dtype)


def _power(gamma: float, surprise: Array) -> Array | float:
    """e^(-gamma surprise), a probability to the power of gamma."""
    return jnp.exp(-gamma * surprise) if gamma else 1.0


def _balance(alpha: float | None) -> tuple[float, float]:
    """The factors of labels 1 and 0."""
    return (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)


@rule(_focal_plain, _focal_forward, _focal_backward)
def focal(logits: ArrayLike, labels: ArrayLike, *, alpha: float | None = 0.25, gamma: float = 2.0) -> Array:
    """Binary cross-entropy with less weight on what is classified well, averaged over all axes but the first.

    -α (1 - p)^γ log p where the label is 1 and -(1 - α) p^γ log (1 - p) where it is 0, p = σ(logit): Lin et al. 2017,
    "Focal loss for dense object detection", equation 5; torchvision's `sigmoid_focal_loss` but for the mean. Labels
    between 0 and 1, which neither of the two defines, weigh the two terms.

    Args:
      logits: (n, ...), before the sigmoid.
      labels: of the same shape, between 0 and 1; integers 0 and 1 will do.
      alpha: from 0 to 1, the weight of the label 1 against that of 0; None for no weights.
      gamma: 0 or more; 0 is cross-entropy.

    Returns: (n,), one loss for each example.

    Raises: ValueError for integer logits, shapes that differ, labels outside 0 to 1 where they can be looked at, or
      options outside their range.

    The backward pass and its derivation: `focal.backward`.
    """
    if alpha is not None:
        alpha = number("focal", "alpha", alpha, "a number from 0 to 1, or None for no weights", lambda v: 0 <= v <= 1)
    gamma = number("focal", "gamma", gamma, "a number of 0 or more, such as 2.0", lambda v: 0 <= v < math.inf)
    return focal.apply(*same_dtype(*_binary("focal", logits, labels)), alpha=alpha, gamma=gamma)


def _binary(op: str, logits: ArrayLike, given: ArrayLike) -> tuple[Array, Array]:
    """Logits and labels from 0 to 1 as floats of one shape (n, ...); ValueError otherwise."""
    logits, labels = floating(op, "logits", logits), jnp.asarray(given)
    integers = not jnp.issubdtype(labels.dtype, jnp.floating)
    k = logits.shape[-1] if logits.ndim > 1 else 2
    hint = f"For integer classes write jax.nn.one_hot(labels, {k})." if integers else ""
    same_shape(op, "logits", logits, "labels", labels, hint)
    values = known_values(given)
    if values is not None and values.size and not 0 <= values.min() <= values.max() <= 1:
        raise ValueError(
            f"{op}: labels go from {values.min()} to {values.max()}; expected probabilities from 0 to 1. "
            "For one class out of many use softmax_cross_entropy."
        )
    return logits, labels.astype(jnp.result_type(labels, logits))
