"""Mistakes in the backward passes of losses of a difference, and of the Kullback-Leibler divergence."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.faults.fault import Fault, as_if, changed
from jaxcnn.verify.faults.loss import constant, entries, rows, share, wrong_divisor


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


def _kl(argument: int, name: str, cause: str, slope: Callable[..., Any]) -> Fault:
    """dloss slope(log_p, q)."""
    return changed("kl_divergence", argument, name, cause, lambda d, a, dy, o: rows(dy, d) * slope(*a))


def _log(q: Any) -> Any:
    """log q, and 0 where q is 0."""
    return jnp.log(jnp.where(q == 0, 1, q))


KL = [
    changed(
        "kl_divergence",
        0,
        "mean",
        "is divided by the number of entries of an example: a divergence is their sum",
        lambda d, a, dy, o: d / entries(d),
    ),
    _kl(0, "of-p", "is -dloss p: p was taken for q", lambda log_p, q: -jnp.exp(log_p)),
    _kl(
        0,
        "through-softmax",
        "is p - q, which is for logits: log_p is normalised already",
        lambda log_p, q: jnp.exp(log_p) - q,
    ),
    _kl(0, "over-p", "is divided by p: that for p, not for its logarithm", lambda log_p, q: -q / jnp.exp(log_p)),
    _kl(
        1,
        "one-dropped",
        "misses the 1 of the product rule: d(q log q) = (log q + 1) dq",
        lambda log_p, q: jnp.where(q == 0, 0, _log(q) - log_p),
    ),
    _kl(
        1,
        "entropy-dropped",
        "is -dloss log p: that of the cross-entropy",
        lambda log_p, q: jnp.where(q == 0, 0, -log_p),
    ),
    _kl(1, "infinite-at-zero", "is infinite where q is 0", lambda log_p, q: jnp.log(q) - log_p + 1),
    _kl(
        1,
        "finite-at-zero",
        "is dloss (1 - log p) where q is 0: an entry that adds nothing has no gradient",
        lambda log_p, q: _log(q) - log_p + 1,
    ),
    constant("kl_divergence", 1, "targets"),
]

FAULTS: list[Fault] = [*MSE, *L1, *HUBER, *KL]
