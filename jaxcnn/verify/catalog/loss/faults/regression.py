"""Mistakes in the backward passes of losses of a difference."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Fault, as_if, changed
from jaxcnn.verify.catalog.loss.faults.per_example import constant, share, wrong_divisor


def _slope(rule: str, name: str, cause: str, slope: Callable[..., Any]) -> Fault:
    """dprediction = dloss / m slope(prediction - target, **options)."""
    return changed(rule, 0, name, cause, lambda d, a, dy, o: share(dy, d) * slope(a[0] - a[1], **o))


def _target(rule: str) -> list[Fault]:
    return [
        changed(rule, 1, "target-sign", "has the prediction's sign: dt = -dp", lambda d, a, dy, o: -d),
        constant(rule, 1, "targets"),
    ]


MSE = [
    *wrong_divisor("mse"),
    changed("mse", 0, "factor-2-dropped", "misses the 2 of the square's derivative", lambda d, a, dy, o: d / 2),
    _slope("mse", "absolute", "is that of the absolute difference", jnp.sign),
    changed(
        "mse",
        0,
        "target-dropped",
        "is 2 p / m: the target is not subtracted",
        lambda d, a, dy, o: 2 * share(dy, d) * a[0],
    ),
    *_target("mse"),
]

L1 = [
    *wrong_divisor("l1"),
    _slope("l1", "squared", "is that of the squared difference", lambda d: 2 * d),
    _slope("l1", "one-at-zero", "takes the derivative 1 where the two are equal", lambda d: jnp.where(d >= 0, 1, -1)),
    _slope("l1", "sign-dropped", "is dloss / m: the sign of the difference is missing", jnp.ones_like),
    _slope("l1", "one-sided", "is zero where the prediction is below the target", lambda d: d > 0),
    *_target("l1"),
]

HUBER = [
    *wrong_divisor("huber"),
    _slope("huber", "not-held", "is d / m beyond delta too: that of the square", lambda d, delta: d),
    _slope("huber", "sign-only", "is delta sign(d) / m within delta too", lambda d, delta: delta * jnp.sign(d)),
    _slope(
        "huber",
        "delta-dropped",
        "is sign(d) / m beyond delta: the factor delta is missing",
        lambda d, delta: jnp.where(jnp.abs(d) <= delta, d, jnp.sign(d)),
    ),
    _slope(
        "huber",
        "zero-beyond",
        "is zero beyond delta: the loss goes on growing there",
        lambda d, delta: jnp.where(jnp.abs(d) <= delta, d, 0),
    ),
    _slope(
        "huber",
        "over-delta",
        "is divided by delta: that of smooth_l1_loss",
        lambda d, delta: jnp.clip(d / delta, -1, 1),
    ),
    _slope(
        "huber",
        "factor-2",
        "is 2 d / m within delta: the loss is half of the square there",
        lambda d, delta: jnp.where(jnp.abs(d) <= delta, 2 * d, delta * jnp.sign(d)),
    ),
    as_if("huber", 0, "delta-default", "has delta 1 whatever `delta` is", lambda a, dy, o: (a, dy, {"delta": 1.0})),
    *_target("huber"),
]

FAULTS: list[Fault] = [*MSE, *L1, *HUBER]
