"""Mistakes in the backward passes of global pooling."""

import math
from collections.abc import Callable
from typing import Any

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed
from jaxcnn.verify.catalog.pool.faults.taps import MAX_SHARES, first_tap, places_shared


def _divided(by: Callable[[Any], float]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """The global mean's dx with another divisor than the number of places."""
    return lambda d, arrays, dy, options: d * math.prod(d.shape[1:-1]) / by(d)


GLOBAL_AVG = [
    changed("global_avg_pool", 0, name, cause, change)
    for name, cause, change in [
        ("no-divisor", "is not divided by the number of places", _divided(lambda d: 1)),
        ("one-axis-divisor", "is divided by the length of the first spatial axis only", _divided(lambda d: d.shape[1])),
        ("channels-divisor", "is divided by the number of channels too", _divided(lambda d: math.prod(d.shape[1:]))),
        ("first-place", "goes to the first place only", places_shared(first_tap)),
    ]
]

GLOBAL_MAX = [changed("global_max_pool", 0, name, cause, places_shared(s)) for name, cause, s in MAX_SHARES]


FAULTS: list[Fault] = [*GLOBAL_AVG, *GLOBAL_MAX]
