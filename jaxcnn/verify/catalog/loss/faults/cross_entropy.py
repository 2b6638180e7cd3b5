"""Mistakes in the backward passes of softmax cross-entropy and NLL: what is subtracted, weighted, left out."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.loss.faults.per_example import constant, rows

RULE = "softmax_cross_entropy"


def _hard(arrays: Arrays) -> Any:
    """Labels as (n, k), not smoothed; zeros for an integer that is no class."""
    logits, labels, _ = arrays
    return labels if labels.ndim == 2 else jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)


def _target(arrays: Arrays, options: Options) -> Any:
    """Labels as (n, k), smoothed; zeros for what is ignored."""
    s, hard = options["label_smoothing"], _hard(arrays)
    return _counted(arrays, options) * ((1 - s) * hard + s / hard.shape[-1])


def _counted(arrays: Arrays, options: Options) -> Any:
    """(n, 1): 0 for an example whose label is ignored, else 1."""
    labels, ignored = arrays[1], options["ignore_index"]
    return jnp.ones((len(labels), 1)) if ignored is None else (labels != ignored)[:, None] * 1.0


def _weights(arrays: Arrays) -> Any:
    return 1.0 if arrays[2] is None else arrays[2]


def _less_target(weighted: Any, total: Any, arrays: Arrays, dy: Any) -> Any:
    """dloss (total p - weighted)."""
    return rows(dy, arrays[0]) * (total * jax.nn.softmax(arrays[0]) - weighted)


def _over_the_other_classes(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """p - t with the smoothing shared by the k - 1 wrong classes only."""
    s, k, hard = options["label_smoothing"], d.shape[-1], _hard(arrays)
    target = _weights(arrays) * _counted(arrays, options) * ((1 - s) * hard + s / max(1, k - 1) * (1 - hard))
    return _less_target(target, target.sum(-1, keepdims=True), arrays, dy)


def _no_smoothing(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, {**options, "label_smoothing": 0.0}


def _no_weights(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return (*arrays[:2], None), dy, options


def _nothing_ignored(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """A label that is no class counts as the last."""
    logits, labels, weights = arrays
    if labels.ndim == 1:
        labels = jnp.where(labels < 0, logits.shape[-1] - 1, labels)
    return (logits, labels, weights), dy, {**options, "ignore_index": None}


def _probabilities_only(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    total = (_weights(arrays) * _target(arrays, options)).sum(-1, keepdims=True)
    return _less_target(0, total, arrays, dy)


def _sum_taken_for_one(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return _less_target(_weights(arrays) * _target(arrays, options), _counted(arrays, options), arrays, dy)


def _weights_by_entry(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    target = _target(arrays, options)
    return _weights(arrays) * _less_target(target, target.sum(-1, keepdims=True), arrays, dy)


def _ignored_pulled(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return d + _less_target(0, 1 - _counted(arrays, options), arrays, dy)


def _p(arrays: Arrays) -> Any:
    """The probabilities whose logarithms are given."""
    return jnp.exp(jnp.minimum(arrays[0], 20.0))


def _softmax_twice(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    p = jax.nn.softmax(arrays[0])
    return d + rows(dy, d) * (jax.nn.softmax(p) - p)


def _through_softmax(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """p - t pulled back through softmax once more."""
    return jax.vjp(jax.nn.softmax, arrays[0])[1](d)[0]


LOGITS = [
    as_if(RULE, 0, "smoothing-ignored", "ignores label_smoothing", _no_smoothing),
    changed(
        RULE,
        0,
        "smoothing-other-classes",
        "shares the smoothing among the k - 1 wrong classes instead of all k",
        _over_the_other_classes,
    ),
    changed(RULE, 0, "target-dropped", "is dloss p: the target is not subtracted", _probabilities_only),
    changed(
        RULE,
        0,
        "target-sum-taken-for-one",
        "is p - t, where labels and weights that do not sum to 1 need (Σ t) p - t",
        _sum_taken_for_one,
    ),
    changed(RULE, 0, "softmax-twice", "takes the softmax of the probabilities", _softmax_twice),
    changed(
        RULE,
        0,
        "through-softmax",
        "is pulled back through the softmax a second time: p - t is for the logits already",
        _through_softmax,
    ),
    changed(
        RULE,
        0,
        "mean-over-classes",
        "is divided by the number of classes",
        lambda d, a, dy, o: d / d.shape[-1],
    ),
    as_if(RULE, 0, "weights-ignored", "ignores class_weights", _no_weights),
    changed(
        RULE,
        0,
        "weights-by-entry",
        "has on each entry its own class's weight, where the label's weight scales the whole row",
        _weights_by_entry,
    ),
    changed(
        RULE,
        0,
        "weights-normalised",
        "is divided by the sum of class_weights",
        lambda d, a, dy, o: d if a[2] is None else d / a[2].sum(),
    ),
    as_if(RULE, 0, "nothing-ignored", "does not leave out what ignore_index names", _nothing_ignored),
    changed(RULE, 0, "ignored-probability", "is dloss p for an ignored label, where it should be 0", _ignored_pulled),
    changed(
        RULE,
        0,
        "mean-of-the-counted",
        "is divided by the share of examples that are not ignored",
        lambda d, a, dy, o: d / jnp.maximum(_counted(a, o).mean() if len(d) else 1, 1 / 8),
    ),
]

LABELS = [
    as_if(RULE, 1, "labels-smoothing-ignored", "misses the factor 1 - label_smoothing", _no_smoothing),
    constant(RULE, 1, "labels"),
    changed(
        RULE,
        1,
        "labels-probability",
        "has the probability where the log-probability belongs",
        lambda d, a, dy, o: -(1 - o["label_smoothing"]) * _weights(a) * rows(dy, d) * jax.nn.softmax(a[0]),
    ),
    as_if(RULE, 1, "labels-weights-ignored", "misses the factor class_weights", _no_weights),
]

WEIGHTS = [
    constant(RULE, 2, "class_weights"),
    as_if(RULE, 2, "weights-first-example", "is summed over the first example only", first_example),
    as_if(RULE, 2, "weights-smoothing-ignored", "takes the labels before they are smoothed", _no_smoothing),
    changed(
        RULE,
        2,
        "weights-times-weight",
        "has the weight itself as a factor, although the loss is linear in it",
        lambda d, a, dy, o: d * a[2],
    ),
    changed(
        RULE,
        2,
        "weights-probability",
        "has the probability where the log-probability belongs",
        lambda d, a, dy, o: -(rows(dy, a[0]) * _target(a, o) * jax.nn.softmax(a[0])).sum(0),
    ),
]


def _nll(argument: int, name: str, cause: str, change: Any) -> Fault:
    return changed("nll", argument, name, cause, change)


NLL = [
    _nll(
        0,
        "through-softmax",
        "is that of the logits, p - t: log p is given, whatever made it",
        lambda d, a, dy, o: d - d.sum(-1, keepdims=True) * _p(a),
    ),
    _nll(0, "likelihood", "is divided by p, as if p were given and not its logarithm", lambda d, a, dy, o: d / _p(a)),
    _nll(0, "mean-over-classes", "is divided by the number of classes", lambda d, a, dy, o: d / d.shape[-1]),
    as_if("nll", 0, "weights-ignored", "ignores class_weights", _no_weights),
    _nll(
        0,
        "weights-normalised",
        "is divided by the sum of class_weights",
        lambda d, a, dy, o: d if a[2] is None else d / a[2].sum(),
    ),
    as_if("nll", 0, "nothing-ignored", "does not leave out what ignore_index names", _nothing_ignored),
    constant("nll", 1, "labels"),
    as_if("nll", 1, "labels-weights-ignored", "misses the factor class_weights", _no_weights),
    _nll(
        1,
        "labels-probability",
        "has the probability where the log-probability belongs",
        lambda d, a, dy, o: -_weights(a) * rows(dy, d) * _p(a),
    ),
    constant("nll", 2, "class_weights"),
    as_if("nll", 2, "weights-first-example", "is summed over the first example only", first_example),
    _nll(
        2,
        "weights-times-weight",
        "has the weight itself as a factor, although the loss is linear in it",
        lambda d, a, dy, o: d * a[2],
    ),
]

FAULTS: list[Fault] = [*LOGITS, *LABELS, *WEIGHTS, *NLL]
