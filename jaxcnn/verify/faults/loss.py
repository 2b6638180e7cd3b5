"""Mistakes in the backward passes of losses: what is subtracted, what is divided by."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed


def _rows(dloss: Any, like: Any) -> Any:
    """dloss (n,) with axes of length 1 behind it, to multiply an array (n, ...)."""
    return jnp.expand_dims(dloss, tuple(range(1, like.ndim)))


def _target(arrays: Arrays, smoothing: float, share: float) -> Any:
    """Labels as (n, k), smoothed: (1 - smoothing) labels + share."""
    logits, labels = arrays
    if labels.ndim == 1:
        labels = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
    return (1 - smoothing) * labels + share


def _over_the_other_classes(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """p - t with the smoothing shared by the k - 1 wrong classes only."""
    s, k = options["label_smoothing"], d.shape[-1]
    hard = _target(arrays, 0, 0)
    target = (1 - s) * hard + s / max(1, k - 1) * (1 - hard)
    return _rows(dy, d) * (target.sum(-1, keepdims=True) * jax.nn.softmax(arrays[0]) - target)


def _no_smoothing(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, {"label_smoothing": 0.0}


def _probabilities_only(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return _rows(dy, d) * jax.nn.softmax(arrays[0])


def _sum_taken_for_one(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    s = options["label_smoothing"]
    return _rows(dy, d) * (jax.nn.softmax(arrays[0]) - _target(arrays, s, s / d.shape[-1]))


def _softmax_twice(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    p = jax.nn.softmax(arrays[0])
    return d + _rows(dy, d) * (jax.nn.softmax(p) - p)


def _through_softmax(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """p - t pulled back through softmax once more."""
    return jax.vjp(jax.nn.softmax, arrays[0])[1](d)[0]


SOFTMAX = [
    as_if("softmax_cross_entropy", 0, "smoothing-ignored", "ignores label_smoothing", _no_smoothing),
    as_if(
        "softmax_cross_entropy", 1, "labels-smoothing-ignored", "misses the factor 1 - label_smoothing", _no_smoothing
    ),
    changed(
        "softmax_cross_entropy",
        0,
        "smoothing-other-classes",
        "shares the smoothing among the k - 1 wrong classes instead of all k",
        _over_the_other_classes,
    ),
    changed(
        "softmax_cross_entropy", 0, "target-dropped", "is dloss p: the target is not subtracted", _probabilities_only
    ),
    changed(
        "softmax_cross_entropy",
        0,
        "target-sum-taken-for-one",
        "is p - t, where labels that do not sum to 1 need (Σ t) p - t",
        _sum_taken_for_one,
    ),
    changed("softmax_cross_entropy", 0, "softmax-twice", "takes the softmax of the probabilities", _softmax_twice),
    changed(
        "softmax_cross_entropy",
        0,
        "through-softmax",
        "is pulled back through the softmax a second time: p - t is for the logits already",
        _through_softmax,
    ),
    changed(
        "softmax_cross_entropy",
        0,
        "mean-over-classes",
        "is divided by the number of classes",
        lambda d, a, dy, o: d / d.shape[-1],
    ),
    changed(
        "softmax_cross_entropy",
        1,
        "labels-constant",
        "is zero: soft labels are taken for constants",
        lambda d, a, dy, o: 0 * d,
    ),
    changed(
        "softmax_cross_entropy",
        1,
        "labels-probability",
        "has the probability where the log-probability belongs",
        lambda d, a, dy, o: -(1 - o["label_smoothing"]) * _rows(dy, d) * jax.nn.softmax(a[0]),
    ),
]


def _entries(d: Any) -> int:
    """Entries of one example."""
    return math.prod(d.shape[1:])


def _wrong_divisor(rule: str) -> list[Fault]:
    """The mean over an example's entries taken otherwise."""
    return [
        changed(
            rule, 0, "sum", "is not divided by the number of entries of an example", lambda d, a, dy, o: d * _entries(d)
        ),
        changed(
            rule,
            0,
            "mean-over-the-batch",
            "is divided by the batch size instead of the number of entries of an example",
            lambda d, a, dy, o: d * _entries(d) / max(1, len(d)),
        ),
        changed(
            rule,
            0,
            "mean-over-last-axis",
            "is divided by the length of the last axis instead of the number of entries of an example",
            lambda d, a, dy, o: d * _entries(d) / (d.shape[-1] if d.ndim > 1 else 1),
        ),
        changed(
            rule, 0, "mean-over-everything", "is divided by the batch size too", lambda d, a, dy, o: d / max(1, len(d))
        ),
    ]


def _with_sigmoid_derivative(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    s = jax.nn.sigmoid(arrays[0])
    return d * s * (1 - s)


SIGMOID = [
    *_wrong_divisor("sigmoid_cross_entropy"),
    changed(
        "sigmoid_cross_entropy",
        0,
        "through-sigmoid",
        "has σ' as a factor: σ - t is for the logits already",
        _with_sigmoid_derivative,
    ),
    changed(
        "sigmoid_cross_entropy",
        0,
        "target-dropped",
        "is dloss σ / m: the labels are not subtracted",
        lambda d, a, dy, o: _rows(dy, d) * jax.nn.sigmoid(a[0]) / _entries(d),
    ),
    changed(
        "sigmoid_cross_entropy",
        0,
        "logits-for-probabilities",
        "has the logits where their sigmoid belongs",
        lambda d, a, dy, o: _rows(dy, d) * (a[0] - a[1]) / _entries(d),
    ),
    changed(
        "sigmoid_cross_entropy",
        1,
        "labels-constant",
        "is zero: the labels are taken for constants",
        lambda d, a, dy, o: 0 * d,
    ),
    changed("sigmoid_cross_entropy", 1, "labels-sign", "is + z / m: the labels' sign is wrong", lambda d, a, dy, o: -d),
]

MSE = [
    *_wrong_divisor("mse"),
    changed("mse", 0, "factor-2-dropped", "misses the 2 of the square's derivative", lambda d, a, dy, o: d / 2),
    changed(
        "mse",
        0,
        "absolute",
        "is that of the absolute difference",
        lambda d, a, dy, o: _rows(dy, d) * jnp.sign(a[0] - a[1]) / _entries(d),
    ),
    changed(
        "mse",
        0,
        "target-dropped",
        "is 2 p / m: the target is not subtracted",
        lambda d, a, dy, o: 2 * _rows(dy, d) * a[0] / _entries(d),
    ),
    changed("mse", 1, "target-sign", "has the prediction's sign: dt = -dp", lambda d, a, dy, o: -d),
    changed("mse", 1, "target-constant", "is zero: the target is taken for a constant", lambda d, a, dy, o: 0 * d),
]

FAULTS: list[Fault] = [*SOFTMAX, *SIGMOID, *MSE]
