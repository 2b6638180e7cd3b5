"""Mistakes in the backward pass of nearest-neighbour resizing."""

from typing import Any

import numpy as np

from jaxcnn.verify.catalog.fault import Fault
from jaxcnn.verify.catalog.matrices import bins, by_matrix, everywhere, inside
from jaxcnn.verify.catalog.resize.faults.places import place_faults

RULE = "resize_nearest"


def _shares(w: int, o: int) -> Any:
    each = inside(w, *bins(w, o))
    return each / each.sum(1, keepdims=True)


def copies(w: int, o: int) -> Any:
    """Each output a copy of i W / O, rounded down."""
    return np.eye(w)[np.arange(o) * w // o]


def _copies_from_the_end(w: int, o: int) -> Any:
    return np.eye(w)[np.minimum(-(-np.arange(o) * w // o), w - 1)]


def _copies_at_centres(w: int, o: int) -> Any:
    return np.eye(w)[(2 * np.arange(o) + 1) * w // (2 * o)]


def _once(w: int, o: int) -> Any:
    """Of the outputs that copy a position only the last one."""
    taken = copies(w, o)
    return taken * (np.cumsum(taken[::-1], 0)[::-1] == 1)


FAULTS: list[Fault] = [
    *everywhere(RULE),
    *place_faults(RULE),
    by_matrix(
        RULE,
        "centres",
        "copies from floor((i + 1/2) W / O), PyTorch's nearest-exact, instead of floor(i W / O)",
        _copies_at_centres,
    ),
    by_matrix(RULE, "rounded-up", "copies from i W / O rounded up instead of down", _copies_from_the_end),
    by_matrix(
        RULE,
        "overwritten",
        "keeps the last of several outputs that copy one position, instead of adding them",
        _once,
    ),
    by_matrix(RULE, "mean", "is averaged over the bins instead of summed over the copies", _shares),
]
