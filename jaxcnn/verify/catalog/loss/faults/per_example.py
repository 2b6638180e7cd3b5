"""What the faults of losses share: the mean over an example's entries taken otherwise."""

import math
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Fault, changed


def rows(dloss: Any, like: Any) -> Any:
    """dloss (n,) with axes of length 1 behind it, to multiply an array (n, ...)."""
    return jnp.expand_dims(dloss, tuple(range(1, like.ndim)))


def entries(d: Any) -> int:
    """Entries of one example."""
    return math.prod(d.shape[1:])


def share(dloss: Any, like: Any) -> Any:
    """dloss / m for each of the m entries of an example."""
    return rows(dloss, like) / entries(like)


def wrong_divisor(rule: str) -> list[Fault]:
    """The mean over an example's entries taken otherwise."""
    return [
        changed(
            rule, 0, "sum", "is not divided by the number of entries of an example", lambda d, a, dy, o: d * entries(d)
        ),
        changed(
            rule,
            0,
            "mean-over-the-batch",
            "is divided by the batch size instead of the number of entries of an example",
            lambda d, a, dy, o: d * entries(d) / max(1, len(d)),
        ),
        changed(
            rule,
            0,
            "mean-over-last-axis",
            "is divided by the length of the last axis instead of the number of entries of an example",
            lambda d, a, dy, o: d * entries(d) / (d.shape[-1] if d.ndim > 1 else 1),
        ),
        changed(
            rule, 0, "mean-over-everything", "is divided by the batch size too", lambda d, a, dy, o: d / max(1, len(d))
        ),
    ]


def constant(rule: str, argument: int, name: str) -> Fault:
    """An argument, `name`, that is taken for a constant."""
    cause = f"is zero: the {name.replace('_', ' ')} are taken for constants"
    return changed(rule, argument, f"{name}-constant".replace("_", "-"), cause, lambda d, a, dy, o: 0 * d)
