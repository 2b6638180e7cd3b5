"""Wrong tangents, planted in every rule: what forward mode can get wrong while the backward pass is right.

They are made of JAX's own tangent of the plain forward, as the other faults are of its cotangents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.rule import RULES
from jaxcnn.primitive import TangentOf
from jaxcnn.verify.catalog.fault import differentiable


@dataclass(frozen=True)
class TangentFault:
    """A wrong `tangent(arrays, tangents, **options)` of the rule `rule`; `cause` completes "The tangent ..."."""

    rule: str
    name: str
    cause: str
    tangent: Callable[..., Any]

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"


def right(rule: str, arrays: Any, tangents: Any, **options: Any) -> Any:
    """The right tangent of a rule; what is no float has none."""
    moving = [t if differentiable(a) else None for a, t in zip(arrays, tangents, strict=True)]
    return TangentOf(RULES[rule].plain)(arrays, moving, **options)


def _halved(d: Any) -> Any:
    return d.ravel().at[jnp.argmax(jnp.abs(d))].multiply(0.5).reshape(d.shape)


def _of_y(name: str, cause: str, change: Callable[[Any], Any]) -> Callable[[str], TangentFault]:
    """A change of the right tangent."""

    def planted(rule: str) -> TangentFault:
        def tangent(arrays: Any, tangents: Any, **options: Any) -> Any:
            dy = right(rule, arrays, tangents, **options)
            return jax.tree.map(lambda d: change(d) if jnp.issubdtype(d.dtype, jnp.floating) else d, dy)

        return TangentFault(rule, name, cause, tangent)

    return planted


def _of_arguments(name: str, cause: str, change: Callable[[int, Any, Any], Any]) -> Callable[[str], TangentFault]:
    """The right tangent of changed tangents of the arguments: `change(place, array, tangent)`."""

    def planted(rule: str) -> TangentFault:
        def tangent(arrays: Any, tangents: Any, **options: Any) -> Any:
            changed = [
                change(i, a, t) if t is not None and differentiable(a) else t
                for i, (a, t) in enumerate(zip(arrays, tangents, strict=True))
            ]
            return right(rule, arrays, changed, **options)

        return TangentFault(rule, name, cause, tangent)

    return planted


PLANTED = [
    _of_y("zero", "is zero everywhere", jnp.zeros_like),
    _of_y("sign", "has the wrong sign", lambda d: -d),
    _of_y("scale", "is too large by a factor 1.0004", lambda d: d * (1 + 4e-4)),
    _of_y("size", "has lost its signs: it is not linear in the tangents", jnp.abs),
    _of_y("one-element", "is half of what it should be in its largest entry", _halved),
    _of_arguments(
        "first-argument-ignored",
        "does not depend on the first argument's tangent",
        lambda i, a, t: jnp.zeros_like(t) if i == 0 else t,
    ),
    _of_arguments("mean", "takes each tangent for its mean over the array", lambda i, a, t: jnp.full_like(t, t.mean())),
    _of_arguments("primal", "takes the arrays themselves for their tangents", lambda i, a, t: a),
]

FAULTS = [plant(rule) for rule in sorted(RULES) for plant in PLANTED]


def of_rule(rule: str) -> list[TangentFault]:
    """The faults of one rule's tangent."""
    return [fault for fault in FAULTS if fault.rule == rule]
