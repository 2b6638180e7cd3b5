"""A draw made larger than a space draws, to sizes that no tile of 4, 8 or 16 divides.

Small arrays show most mistakes and are small in a report, but what works tile by tile goes wrong in the last,
incomplete one. Which axes of a rule may grow, and which of its other arrays' must with them, is found by trying: its
door tells.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any

import jax
import numpy as np

from jaxcnn.verify.catalog.spaces import Draw, worked_out

MOST = 8000  # entries of all arrays
LAST, FIRST, OTHER = (17, 18, 5), (6,), (5,)  # 18 where groups divide an axis, 5 where there is no room for more

Axes = tuple[tuple[int, int], ...]  # of arrays, by their places


def stretched(rule: str, draw: Draw) -> Draw:
    """The draw with the first array's axes as long as its rule and `MOST` allow: the last, the first, the others.

    Then the last once more: it may have been as long as another, and that kept it from growing.
    """
    axes = np.ndim(draw.args[0])
    for axis in [*dict.fromkeys([axes - 1, 0, *range(1, axes)])] + [axes - 1] * bool(axes):
        n, tried = draw.args[0].shape[axis], LAST if axis == axes - 1 else OTHER if axis else FIRST
        lengths = [length for length in tried if 0 < n < min(length, tried[0])]  # what has grown stays as it is
        longer = (grown for length in lengths for grown in _longer(draw, axis, length))
        draw = next((d for d in longer if _entries(d) <= MOST and _is_taken(rule, d)), draw)
    return draw


def _longer(draw: Draw, axis: int, length: int) -> Iterator[Draw]:
    """This axis of the first array, alone or with others of its length."""
    n = draw.args[0].shape[axis]
    others_of = enumerate(draw.args[1:], 1)
    arrays = [(i, a) for i, a in others_of if isinstance(a, np.ndarray)]  # a random key is none
    places = [(i, k) for i, a in arrays for k, m in enumerate(a.shape) if m == n]
    for others in chain([()], ((place,) for place in places), [tuple(places)]):
        yield replace(draw, args=_grown(draw.args, ((0, axis), *others), length))


def _grown(args: tuple[Any, ...], axes: Axes, length: int) -> tuple[Any, ...]:
    """These axes repeat until they are that long."""
    grown = list(args)
    for i, axis in axes:
        grown[i] = np.take(grown[i], np.arange(length) % grown[i].shape[axis], axis)
    return tuple(grown)


def _entries(draw: Draw) -> int:
    return sum(np.size(a) for a in draw.args)


def _is_taken(rule: str, draw: Draw) -> bool:
    """Whether the rule's door takes it."""
    try:
        jax.eval_shape(lambda *args: worked_out(rule, Draw(args, draw.options))[0], *draw.args)
    except (ValueError, TypeError):
        return False
    return True
