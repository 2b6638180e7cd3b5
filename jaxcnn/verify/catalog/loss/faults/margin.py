"""Mistakes in the backward passes of hinge and multi-margin: which scores count, and what pulls them."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.loss.faults.per_example import constant, share, wrong_divisor


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
        "multi_margin",
        0,
        "margin-not-negative",
        "takes a margin below 0 for 0",
        lambda a, dy, o: (a, dy, {**o, "margin": max(0.0, o["margin"])}),
    ),
    as_if(
        "multi_margin", 0, "power-ignored", "is that of p = 1 whatever `p` is", lambda a, dy, o: (a, dy, {**o, "p": 1})
    ),
    _multi("factor-2-dropped", "misses the 2 of the square's derivative", lambda d, excess, t, o: d / o["p"]),
]

FAULTS: list[Fault] = [*HINGE, *MULTI_MARGIN]
