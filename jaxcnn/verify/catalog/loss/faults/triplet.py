"""Mistakes in the backward pass of the triplet loss: which points pull and push, and how far."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.loss.faults.per_example import constant, rows


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


FAULTS: list[Fault] = [
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
