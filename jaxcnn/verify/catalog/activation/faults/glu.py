"""Mistakes in the backward pass of the gated linear unit, x = (a, b), y = a σ(b)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed

# da and db from a, σ(b) and dy.
Halves = Callable[[Any, Any, Any], tuple[Any, Any]]


def _halves(name: str, cause: str, of: Halves) -> Fault:
    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        a, b = jnp.split(arrays[0], 2, options["axis"])
        return jnp.concatenate(of(a, jax.nn.sigmoid(b), dy), options["axis"])

    return changed("glu", 0, name, cause, change)


FAULTS: list[Fault] = [
    _halves("gate-dropped", "misses the gate σ(b) in da", lambda a, s, dy: (dy, dy * a * s * (1 - s))),
    _halves("value-dropped", "misses the factor a in db", lambda a, s, dy: (dy * s, dy * s * (1 - s))),
    _halves("gate-constant", "is zero for the gate b", lambda a, s, dy: (dy * s, 0 * dy)),
    _halves("slope-dropped", "misses the factor 1 - σ(b) in db", lambda a, s, dy: (dy * s, dy * a * s)),
    _halves("slope-as-tanh", "has tanh's slope 1 - σ² in db", lambda a, s, dy: (dy * s, dy * a * (1 - s * s))),
    _halves("halves-swapped", "has the halves in the wrong order", lambda a, s, dy: (dy * a * s * (1 - s), dy * s)),
    _halves(
        "gated-value", "has σ(a), the halves of x in the wrong order", lambda a, s, dy: (dy * jax.nn.sigmoid(a), dy)
    ),
]
