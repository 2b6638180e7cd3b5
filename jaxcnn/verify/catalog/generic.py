"""Mistakes that can be made in any backward pass, planted in every rule that is registered."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import Arrays, Fault, as_if, right

# name, cause, and what it makes of a right cotangent d in a batch of n.
CHANGES: list[tuple[str, str, Callable[[Any, int], Any]]] = [
    ("zero", "is zero everywhere: what should reach this argument never does", lambda d, n: jnp.zeros_like(d)),
    ("sign", "has the wrong sign", lambda d, n: -d),
    (
        "batch-mean",
        "is divided by the batch size: taken as the mean over the batch instead of the sum",
        lambda d, n: d / n,
    ),
    ("scale", "is too large by a factor 1.0004", lambda d, n: d * (1 + 4e-4)),
    ("one-element", "is half of what it should be in a single element", lambda d, n: _halved(d)),
    ("half-precision", "is computed in bfloat16, with 3 digits", lambda d, n: d.astype(jnp.bfloat16).astype(d.dtype)),
    ("dtype", "has a dtype of its own, float16, instead of its argument's", lambda d, n: d.astype(jnp.float16)),
    ("none", "is None, although its argument is an array of floats", lambda d, n: None),
]


def _halved(d: Any) -> Any:
    return d.ravel().at[d.size // 2].multiply(0.5).reshape(d.shape) if d.size else d


def batch_size(arrays: Arrays) -> int:
    """The length of the first argument's first axis, at least 1."""
    shape = arrays[0].shape
    return max(1, shape[0]) if shape else 1


def _planted(rule: str, turn: int, name: str, cause: str, change: Callable[[Any, int], Any]) -> Fault:
    """`change` made to the turn-th cotangent, counted round."""

    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        cotangents = list(right(rule, arrays, dy, **options))
        which = [i for i, d in enumerate(cotangents) if d is not None]
        argument = which[turn % len(which)]
        cotangents[argument] = change(cotangents[argument], batch_size(arrays))
        return tuple(cotangents)

    return Fault(rule, name, cause, backward)


def _missing(rule: str) -> Fault:
    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        return right(rule, arrays, dy, **options)[:-1]

    return Fault(rule, "missing", "is missing: fewer cotangents come back than there are arguments", backward)


def _dy_ignored(rule: str) -> Fault:
    return as_if(
        rule,
        None,
        "dy-ignored",
        "does not depend on dy: it is what dy = 1 everywhere gives",
        lambda arrays, dy, options: (arrays, jax.tree.map(jnp.ones_like, dy), options),
    )


def _faults() -> list[Fault]:
    planted = []
    for turn, rule in enumerate(sorted(RULES)):
        planted += [_planted(rule, turn + i, *change) for i, change in enumerate(CHANGES)]
        planted += [_missing(rule), _dy_ignored(rule)]
    return planted


FAULTS = _faults()
