"""Mistakes in the backward passes of sigmoid cross-entropy and of the focal loss."""

from collections.abc import Callable
from typing import Any

import jax

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.loss.faults.per_example import constant, share, wrong_divisor


def _with_sigmoid_derivative(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    s = jax.nn.sigmoid(arrays[0])
    return d * s * (1 - s)


def _no_weight(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return (*arrays[:2], None), dy, options


def _weight_of_negatives_too(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    z, t, w = arrays
    return share(dy, z) * (1 if w is None else w) * (jax.nn.sigmoid(z) - t)


def _labels_unmasked(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    z, _, w = arrays
    return (share(dy, z) * jax.nn.softplus(-z)).sum(tuple(range(z.ndim - w.ndim)))


SIGMOID = [
    *wrong_divisor("sigmoid_cross_entropy"),
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
        lambda d, a, dy, o: share(dy, d) * jax.nn.sigmoid(a[0]),
    ),
    changed(
        "sigmoid_cross_entropy",
        0,
        "logits-for-probabilities",
        "has the logits where their sigmoid belongs",
        lambda d, a, dy, o: share(dy, d) * (a[0] - a[1]),
    ),
    as_if("sigmoid_cross_entropy", 0, "weight-ignored", "ignores positive_weight", _no_weight),
    changed(
        "sigmoid_cross_entropy",
        0,
        "weight-of-negatives-too",
        "has positive_weight on the part of the labels 0 too",
        _weight_of_negatives_too,
    ),
    constant("sigmoid_cross_entropy", 1, "labels"),
    changed(
        "sigmoid_cross_entropy",
        1,
        "labels-sign",
        "has the sign of + z / m: the labels' is wrong",
        lambda d, a, dy, o: -d,
    ),
    as_if("sigmoid_cross_entropy", 1, "labels-weight-ignored", "ignores positive_weight", _no_weight),
    constant("sigmoid_cross_entropy", 2, "positive_weight"),
    as_if("sigmoid_cross_entropy", 2, "weight-first-example", "is summed over the first example only", first_example),
    changed(
        "sigmoid_cross_entropy",
        2,
        "weight-labels-dropped",
        "is summed over the labels 0 too: the factor t is missing",
        _labels_unmasked,
    ),
]


def _focal(name: str, cause: str, slope: Callable[..., Any]) -> Fault:
    """dlogits = dloss / m (t slope(p, -log p, 1 - p, α, γ) - (1 - t) slope(1 - p, -log (1 - p), p, 1 - α, γ)).

    The right slope for the label 1 is -α q^γ (q + γ p a), and that for the label 0 the same with p and q exchanged.
    """

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        z, t = arrays
        alpha, gamma = options["alpha"], options["gamma"]
        weights = (1, 1) if alpha is None else (alpha, 1 - alpha)
        p, q = jax.nn.sigmoid(z), jax.nn.sigmoid(-z)
        missed = slope(p, jax.nn.softplus(-z), q, weights[0], gamma)
        wrong = slope(q, jax.nn.softplus(z), p, weights[1], gamma)
        return share(dy, z) * (t * missed - (1 - t) * wrong)

    return changed("focal", 0, name, cause, change)


def _with(**others: Any) -> Callable[..., Any]:
    return lambda arrays, dy, options: (arrays, dy, {**options, **others})


def _swapped(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    alpha = options["alpha"]
    return arrays, dy, {**options, "alpha": None if alpha is None else 1 - alpha}


FOCAL = [
    *wrong_divisor("focal"),
    as_if("focal", 0, "gamma-ignored", "ignores gamma: it is that of cross-entropy", _with(gamma=0.0)),
    as_if("focal", 0, "gamma-default", "has gamma 2 whatever `gamma` is", _with(gamma=2.0)),
    as_if("focal", 0, "alpha-ignored", "ignores alpha", _with(alpha=None)),
    as_if("focal", 0, "alpha-swapped", "has 1 - alpha for the label 1 and alpha for 0", _swapped),
    _focal(
        "factor-constant",
        "takes the factor (1 - p)^γ for a constant: the product rule's second term is missing",
        lambda p, a, q, alpha, gamma: -alpha * q**gamma * q,
    ),
    _focal(
        "factor-only",
        "differentiates the factor (1 - p)^γ only: the product rule's first term is missing",
        lambda p, a, q, alpha, gamma: -alpha * q**gamma * gamma * p * a,
    ),
    _focal(
        "second-term-sign",
        "has the sign of the product rule's second term wrong",
        lambda p, a, q, alpha, gamma: -alpha * q**gamma * (q - gamma * p * a),
    ),
    _focal(
        "gamma-dropped",
        "misses the factor γ of the power's derivative",
        lambda p, a, q, alpha, gamma: -alpha * q**gamma * (q + p * a),
    ),
    _focal(
        "factor-of-p",
        "has the factor p^γ where (1 - p)^γ belongs",
        lambda p, a, q, alpha, gamma: -alpha * p**gamma * (q + gamma * p * a),
    ),
    constant("focal", 1, "labels"),
    as_if("focal", 1, "labels-gamma-ignored", "ignores gamma: it is that of cross-entropy", _with(gamma=0.0)),
    as_if("focal", 1, "labels-alpha-ignored", "ignores alpha", _with(alpha=None)),
]

FAULTS: list[Fault] = [*SIGMOID, *FOCAL]
