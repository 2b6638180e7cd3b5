"""Mistakes in the backward pass of the triplet loss: which points pull and push, and how far."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.loss.faults.per_example import constant, rows


def _triplet(argument: int, name: str, cause: str, direction: Callable[..., Any]) -> Fault:
    """dloss direction(a - p, a - n, p - n, unit) where the margin is not kept.

    With `swap` one of a - n and p - n is 0 in each example, without it the last; `unit` is a norm's gradient.
    """

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        anchor, positive, negative = arrays
        p, epsilon = options["p"], options["epsilon"]
        near, far, between = anchor - positive + epsilon, anchor - negative + epsilon, positive - negative + epsilon
        swapped = (options["swap"] & (_norm(between, p) < _norm(far, p)))[:, None]
        far, between = jnp.where(swapped, 0, far), jnp.where(swapped, between, 0)
        counts = (_norm(near, p) - _norm(far + between, p) + options["margin"])[:, None] > 0
        return rows(dy, d) * jnp.where(counts, direction(near, far, between, lambda v: _unit(v, p)), 0)

    return changed("triplet", argument, name, cause, change)


def _norm(v: Any, p: float) -> Any:
    return jnp.abs(v).max(-1) if p == math.inf else (jnp.abs(v) ** p).sum(-1) ** (1 / p)


def _unit(v: Any, p: float) -> Any:
    size = _norm(v, p)[:, None]
    if p == math.inf:
        largest = (jnp.abs(v) == size) & (v != 0)
        return jnp.sign(v) * largest / jnp.maximum(1, largest.sum(-1, keepdims=True))
    power = jnp.where(v == 0, 0, jnp.abs(jnp.where(v == 0, 1, v)) ** (p - 1))
    return jnp.sign(v) * jnp.where(size > 0, power / jnp.where(size > 0, size, 1) ** (p - 1), 0)


def _whole(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    return d * jnp.maximum(1, (d != 0).sum(-1, keepdims=True)) if options["p"] == math.inf else d


def _options(argument: int, name: str, cause: str, **others: float) -> Fault:
    return as_if("triplet", argument, name, cause, lambda a, dy, o: (a, dy, {**o, **others}))


FAULTS: list[Fault] = [
    _triplet(0, "negative-dropped", "misses the push from the negative", lambda near, far, between, unit: unit(near)),
    _triplet(0, "positive-dropped", "misses the pull to the positive", lambda near, far, between, unit: -unit(far)),
    _triplet(
        0,
        "both-pull",
        "is pulled to the negative too: its sign is wrong",
        lambda near, far, between, unit: unit(near) + unit(far),
    ),
    _triplet(
        0, "squared", "is that of squared distances, 2 (n - p)", lambda near, far, between, unit: 2 * (near - far)
    ),
    _options(0, "mask-ignored", "is not 0 where the margin is kept", margin=1e9),
    _options(0, "margin-default", "has margin 1 whatever `margin` is", margin=1.0),
    _options(0, "epsilon-dropped", "leaves epsilon out of the distances", epsilon=0.0),
    _triplet(1, "not-normalised", "is p - a, not divided by the distance", lambda near, far, between, unit: -near),
    _triplet(1, "of-the-negative", "has the direction of the negative", lambda near, far, between, unit: -unit(far)),
    _triplet(
        1,
        "over-the-square",
        "is divided by the squared distance",
        lambda near, far, between, unit: -unit(near) / jnp.maximum(1e-3, jnp.linalg.norm(near, axis=-1, keepdims=True)),
    ),
    _triplet(
        2,
        "negative-pulled",
        "pulls the negative to the anchor: its sign is wrong",
        lambda near, far, between, unit: -unit(far),
    ),
    constant("triplet", 2, "negatives"),
    _options(0, "euclidean", "is that of the Euclidean distance, whatever `p` is", p=2),
    _triplet(
        0,
        "power-dropped",
        "has the signs alone, without their powers: that is right for p = 1",
        lambda near, far, between, unit: jnp.sign(near) - jnp.sign(far),
    ),
    changed(
        "triplet", 1, "largest-not-shared", "is whole, for p = infinity, at each of several largest entries", _whole
    ),
    _options(0, "swap-ignored", "is pushed from the negative where the positive is nearer to it", swap=False),
    _triplet(
        1,
        "swap-not-pushed",
        "misses the push from the negative where swap measures that from the positive",
        lambda near, far, between, unit: -unit(near),
    ),
    _triplet(
        2,
        "swap-direction",
        "has the direction from the anchor where swap takes that from the positive",
        lambda near, far, between, unit: unit(far) + jnp.where(between != 0, unit(near + between), 0),
    ),
]
