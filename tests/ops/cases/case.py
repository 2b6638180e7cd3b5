"""What a row of the table is, and the kinds of arrays that rows are made of."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Case:
    """`arrays(rng)` returns the positional array arguments in float64 (labels and keys in their own dtype)."""

    rule: str
    name: str
    arrays: Callable[[np.random.Generator], tuple[Any, ...]]
    options: dict[str, Any] = field(default_factory=dict)
    smooth: bool = True  # False where a kink (a tie, a zero) lies on the point, so that differences mean nothing

    def __str__(self) -> str:
        return f"{self.rule}-{self.name}"


def normal(*shapes):
    """An `arrays` function: standard normal values of these shapes; None for an absent argument."""
    return lambda rng: tuple(None if s is None else rng.standard_normal(s) for s in shapes)


def distinct(shape):
    """An `arrays` function: values of which no two are closer than 0.1, so that no small step makes a tie."""
    return lambda rng: (rng.permutation(np.prod(shape)).reshape(shape) / 10 - 2.0,)


def tied(shape):
    """An `arrays` function: zeros and ones, so that almost every window has several maxima."""
    return lambda rng: (rng.integers(0, 2, shape).astype(float),)


def away_from_zero(shape):
    """An `arrays` function: values of both signs, none closer to 0 than 0.1."""
    return lambda rng: (rng.choice([-1, 1], shape) * rng.uniform(0.1, 3, shape),)


# name, spatial sizes, new sizes. 3 channels, batch 2 unless named.
RESIZED = [
    ("divides", (6, 4), (3, 2)),
    ("overlap", (7, 5), (3, 4)),
    ("unchanged", (3, 5), (3, 5)),
    ("one", (4, 5), 1),
    ("from-one", (1, 3), (4, 2)),
    ("twice", (3, 2), (6, 4)),
    ("larger", (4, 3), (7, 5)),
    ("larger-and-smaller", (2, 7), (5, 3)),
    ("much-smaller", (11, 9), (2, 3)),
    ("1d", (9,), 4),
    ("1d-larger", (4,), 11),
    ("3d", (3, 4, 2), (2, 5, 2)),
]
