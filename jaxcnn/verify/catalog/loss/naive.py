"""Losses by Python's own mathematics, one example at a time."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.activation.naive import log_softmax


def softmax_cross_entropy(
    logits: Any, labels: Any, class_weights: Any = None, *, label_smoothing: Any = 0.0, ignore_index: Any = None
) -> Any:
    """-Σ_k w[k] t[k] log p[k], t = (1 - s) labels + s / K; 0 for an ignored label."""
    log_p = np.array([log_softmax(row) for row in logits]).reshape(logits.shape)
    return _surprise(log_p, labels, class_weights, label_smoothing, ignore_index)


def nll(log_p: Any, labels: Any, class_weights: Any = None, *, ignore_index: Any = None) -> Any:
    """-Σ_k w[k] t[k] log p[k]; 0 for an ignored label."""
    return _surprise(log_p, labels, class_weights, 0.0, ignore_index)


def _surprise(log_p: Any, labels: Any, class_weights: Any, label_smoothing: Any, ignore_index: Any) -> Any:
    losses = []
    for scores, label in zip(log_p, labels, strict=True):
        k = len(scores)
        if not label.ndim and ignore_index is not None and label == ignore_index:
            losses.append(0.0)
            continue
        target = label if label.ndim else [float(i == label) for i in range(k)]
        mixed = [(1 - label_smoothing) * t + label_smoothing / k for t in target]
        weights = [1.0] * k if class_weights is None else class_weights
        losses.append(-sum(w * m * s for w, m, s in zip(weights, mixed, scores, strict=True)))
    return np.array(losses)


def sigmoid_cross_entropy(logits: Any, labels: Any, positive_weight: Any = None) -> Any:
    """The mean of -w t log σ(z) - (1 - t) log σ(-z)."""

    def one(z: Any, t: Any, w: Any) -> Any:
        return w * t * math.log1p(math.exp(-z)) + (1 - t) * math.log1p(math.exp(z))

    return _means(one, logits, labels, 1.0 if positive_weight is None else positive_weight)


def focal(logits: Any, labels: Any, *, alpha: Any = 0.25, gamma: Any = 2.0) -> Any:
    """The mean of -t α (1 - p)^γ log p - (1 - t) (1 - α) p^γ log (1 - p), p = σ(z)."""

    def one(z: Any, t: Any) -> Any:
        p, q = 1 / (1 + math.exp(-z)), 1 / (1 + math.exp(z))
        of_one, of_zero = (1, 1) if alpha is None else (alpha, 1 - alpha)
        missed, wrong = q**gamma * math.log1p(math.exp(-z)), p**gamma * math.log1p(math.exp(z))
        return t * of_one * missed + (1 - t) * of_zero * wrong

    return _means(one, logits, labels)


def mse(prediction: Any, target: Any) -> Any:
    """The mean of (p - t)²."""
    return _means(lambda p, t: (p - t) ** 2, prediction, target)


def l1(prediction: Any, target: Any) -> Any:
    """The mean of |p - t|."""
    return _means(lambda p, t: abs(p - t), prediction, target)


def huber(prediction: Any, target: Any, *, delta: Any = 1.0) -> Any:
    """The mean of d² / 2 where d = |p - t| < δ, else δ d - δ² / 2."""

    def one(p: Any, t: Any) -> Any:
        d = abs(p - t)
        return d * d / 2 if d < delta else delta * d - delta * delta / 2

    return _means(one, prediction, target)


def kl_divergence(log_p: Any, q: Any) -> Any:
    """Σ q (log q - log p), with 0 log 0 = 0."""

    def one(log_p: Any, q: Any) -> Any:
        return q * (math.log(q) - log_p) if q else 0.0

    return _means(one, log_p, q) * math.prod(q.shape[1:])


def hinge(scores: Any, labels: Any) -> Any:
    """The mean of max(0, 1 - t s), t = ±1."""
    return _means(lambda s, t: max(0.0, 1 - t * s), scores, labels)


def multi_margin(scores: Any, labels: Any, *, margin: Any = 1.0, p: Any = 1) -> Any:
    """1/k Σ_i max(0, margin - s[y] + s[i])^p, i ≠ y."""
    losses = []
    for row, y in zip(scores, labels, strict=True):
        others = [max(0.0, margin - row[y] + row[i]) ** p for i in range(len(row)) if i != y]
        losses.append(sum(others) / len(row))
    return np.array(losses)


def triplet(
    anchor: Any, positive: Any, negative: Any, *, margin: Any = 1.0, p: Any = 2, epsilon: Any = 1e-6, swap: Any = False
) -> Any:
    """max(0, |a - b + ε| - |a - c + ε| + margin) of a positive b and a negative c, in the p-norm.

    With `swap` the lesser of |a - c + ε| and |b - c + ε| is subtracted.
    """

    def distance(x: Any, y: Any) -> Any:
        sizes = [abs(v - w + epsilon) for v, w in zip(x, y, strict=True)]
        return max(sizes) if p == math.inf else sum(size**p for size in sizes) ** (1 / p)

    losses = []
    for a, b, c in zip(anchor, positive, negative, strict=True):
        far = min(distance(a, c), distance(b, c)) if swap else distance(a, c)
        losses.append(max(0.0, distance(a, b) - far + margin))
    return np.array(losses)


def _means(one: Any, *arrays: Any) -> Any:
    """The mean of one(...) over the entries of each example; arrays of fewer axes serve all."""
    n, *rest = arrays[0].shape
    rows = [a.reshape(n, math.prod(rest)) for a in np.broadcast_arrays(*arrays)]
    return np.array([sum(map(one, *row)) / len(row[0]) for row in zip(*rows, strict=True)])


LOOPS: list[Callable[..., Any]] = [
    softmax_cross_entropy,
    nll,
    sigmoid_cross_entropy,
    focal,
    mse,
    l1,
    huber,
    kl_divergence,
    hinge,
    multi_margin,
    triplet,
]
