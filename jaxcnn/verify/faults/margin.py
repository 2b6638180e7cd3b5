"""Mistakes in the backward passes of losses with a margin: which scores count, and what pulls them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.faults.loss import constant, rows, share, wrong_divisor


def _hinge(name: str, cause: str, slope: Callable[..., Any]) -> Fault:
    """dscores = dloss / m slope(scores, labels)."""
    return changed("hinge", 0, name, cause, lambda d, a, dy, o: share(dy, d) * slope(*a))


HINGE = [
    *wrong_divisor("hinge"),
    _hinge("one-at-margin", "pulls a score that keeps the margin just so", lambda s, t: jnp.where(t * s <= 1, -t, 0)),
    _hinge(
        "half-at-margin",
        "takes half at a score that keeps the margin just so, the derivative of jnp.maximum",
        lambda s, t: -t * (jnp.sign(1 - t * s) + 1) / 2,
    ),
    _hinge("mask-ignored", "pulls scores that keep the margin too", lambda s, t: -t),
    _hinge("perceptron", "pulls only scores of the wrong sign: the margin is 1, not 0", lambda s, t: -t * (t * s < 0)),
    _hinge("label-dropped", "pulls all scores up, whatever the label", lambda s, t: jnp.where(t * s < 1, -1, 0)),
    _hinge(
        "label-ignored-in-mask", "is masked by scores < 1, where labels scores < 1 belongs", lambda s, t: -t * (s < 1)
    ),
    _hinge("squared", "is that of the squared hinge", lambda s, t: -2 * t * jnp.maximum(0, 1 - t * s)),
    constant("hinge", 1, "labels"),
    changed(
        "hinge",
        1,
        "labels-mask-ignored",
        "is -s / m where the margin is kept too",
        lambda d, a, dy, o: -share(dy, d) * a[0],
    ),
]


def _multi(name: str, cause: str, change: Callable[[Any, Any, Any, Options], Any]) -> Fault:
    """dscores = dloss / k change(the right slope, the excess of the other classes, one-hot labels, options)."""

    def changed_slope(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        scores, labels = arrays
        target = jax.nn.one_hot(labels, scores.shape[-1], dtype=scores.dtype)
        excess = options["margin"] - (target * scores).sum(-1, keepdims=True) + scores
        excess = jnp.where(target == 1, -1, excess)  # the label's own class does not count
        return share(dy, d) * change(_balanced(_slope(excess, options), target), excess, target, options)

    return changed("multi_margin", 0, name, cause, changed_slope)


def _slope(excess: Any, options: Options) -> Any:
    return jnp.where(excess > 0, 1.0 if options["p"] == 1 else 2 * excess, 0)


def _balanced(slope: Any, target: Any) -> Any:
    """The slope, and minus its sum at the label's own class."""
    return slope - target * slope.sum(-1, keepdims=True)


def _worst_only(d: Any, excess: Any, target: Any, options: Options) -> Any:
    return _balanced(_slope(excess, options) * jax.nn.one_hot(excess.argmax(-1), excess.shape[-1]), target)


MULTI_MARGIN = [
    _multi(
        "one-at-margin",
        "pulls a class that keeps the margin just so",
        lambda d, excess, t, o: _balanced(jnp.where((excess == 0) & (o["p"] == 1), 1, _slope(excess, o)), t),
    ),
    _multi(
        "mask-ignored",
        "pushes down classes that keep the margin too",
        lambda d, excess, t, o: _balanced(jnp.where(t == 1, 0, 1 if o["p"] == 1 else 2 * excess), t),
    ),
    _multi("own-dropped", "does not pull up the score of the label", lambda d, excess, t, o: d * (1 - t)),
    _multi(
        "own-once",
        "pulls the score of the label up once, not once for each class that is too near",
        lambda d, excess, t, o: d * (1 - t) - t * _slope(excess, o).max(-1, keepdims=True),
    ),
    _multi("own-only", "does not push down the other classes", lambda d, excess, t, o: d * t),
    _multi("worst-only", "counts only the class that is nearest (Crammer & Singer)", _worst_only),
    _multi("sum", "is not divided by the number of classes", lambda d, excess, t, o: d * d.shape[-1]),
    _multi(
        "mean-of-the-others",
        "is divided by k - 1, the number of the other classes, instead of k",
        lambda d, excess, t, o: d * d.shape[-1] / max(1, d.shape[-1] - 1),
    ),
    as_if(
        "multi_margin",
        0,
        "margin-default",
        "has margin 1 whatever `margin` is",
        lambda a, dy, o: (a, dy, {**o, "margin": 1.0}),
    ),
    as_if(
        "multi_margin", 0, "power-ignored", "is that of p = 1 whatever `p` is", lambda a, dy, o: (a, dy, {**o, "p": 1})
    ),
    _multi("factor-2-dropped", "misses the 2 of the square's derivative", lambda d, excess, t, o: d / o["p"]),
]


def _vectors(arrays: Arrays, options: Options) -> tuple[Any, Any, Any]:
    """anchor - positive + ε, anchor - negative + ε, and (n, 1) whether the margin is not kept."""
    anchor, positive, negative = arrays
    near, far = anchor - positive + options["epsilon"], anchor - negative + options["epsilon"]
    gap = jnp.linalg.norm(near, axis=-1) - jnp.linalg.norm(far, axis=-1) + options["margin"]
    return near, far, gap[:, None] > 0


def _unit(v: Any) -> Any:
    size = jnp.linalg.norm(v, axis=-1, keepdims=True)
    return jnp.where(size > 0, v / jnp.where(size > 0, size, 1), 0)


def _triplet(argument: int, name: str, cause: str, direction: Callable[[Any, Any], Any]) -> Fault:
    """dloss direction(anchor - positive, anchor - negative) where the margin is not kept."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        near, far, counts = _vectors(arrays, options)
        return rows(dy, d) * jnp.where(counts, direction(near, far), 0)

    return changed("triplet", argument, name, cause, change)


def _options(argument: int, name: str, cause: str, **others: float) -> Fault:
    return as_if("triplet", argument, name, cause, lambda a, dy, o: (a, dy, {**o, **others}))


TRIPLET = [
    _triplet(0, "negative-dropped", "misses the push from the negative", lambda near, far: _unit(near)),
    _triplet(0, "positive-dropped", "misses the pull to the positive", lambda near, far: -_unit(far)),
    _triplet(
        0, "both-pull", "is pulled to the negative too: its sign is wrong", lambda near, far: _unit(near) + _unit(far)
    ),
    _triplet(0, "squared", "is that of squared distances, 2 (n - p)", lambda near, far: 2 * (near - far)),
    _options(0, "mask-ignored", "is not 0 where the margin is kept", margin=1e9),
    _options(0, "margin-default", "has margin 1 whatever `margin` is", margin=1.0),
    _options(0, "epsilon-dropped", "leaves epsilon out of the distances", epsilon=0.0),
    _triplet(1, "not-normalised", "is p - a, not divided by the distance", lambda near, far: -near),
    _triplet(1, "of-the-negative", "has the direction of the negative", lambda near, far: -_unit(far)),
    _triplet(
        1,
        "over-the-square",
        "is divided by the squared distance",
        lambda near, far: -_unit(near) / jnp.maximum(1e-3, jnp.linalg.norm(near, axis=-1, keepdims=True)),
    ),
    _triplet(
        2, "negative-pulled", "pulls the negative to the anchor: its sign is wrong", lambda near, far: -_unit(far)
    ),
    constant("triplet", 2, "negatives"),
]

FAULTS: list[Fault] = [*HINGE, *MULTI_MARGIN, *TRIPLET]
