"""Mistakes in the backward passes of resizing."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.matrices import bins, by_matrix, everywhere, inside, transposed


def _shares(w: int, o: int) -> Any:
    each = inside(w, *bins(w, o))
    return each / each.sum(1, keepdims=True)


def _copies(w: int, o: int) -> Any:
    return np.eye(w)[np.arange(o) * w // o]


def _copies_at_centres(w: int, o: int) -> Any:
    return np.eye(w)[(2 * np.arange(o) + 1) * w // (2 * o)]


def _copies_from_the_end(w: int, o: int) -> Any:
    return np.eye(w)[np.minimum(-(-np.arange(o) * w // o), w - 1)]


def _once(w: int, o: int) -> Any:
    """Of the outputs that copy a position only the last one."""
    copies = _copies(w, o)
    return copies * (np.cumsum(copies[::-1], 0)[::-1] == 1)


def _lines(w: int, o: int, *, align: bool, clipped: bool = True, far: bool = True, swapped: bool = False) -> Any:
    """The weights of linear interpolation, with a mistake in them."""
    i = np.arange(o)
    at = i * (w - 1) / max(o - 1, 1) if align else (i + 0.5) * w / o - 0.5
    at = np.clip(at, 0, w - 1) if clipped else at
    low = np.floor(at).astype(int)
    part = 1 - (at - low) if swapped else at - low
    padded = np.zeros((o, w + 2))  # one position more at each end
    padded[i, low + 1] += 1 - part
    padded[i, np.minimum(low + 2, w + 1)] += part if far else 0
    return padded[:, 1:-1]


def _wrong_lines(**mistake: bool) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx with that mistake in the weights."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        matrix = functools.partial(_lines, align=options["align_corners"], **mistake)
        return transposed(matrix)(d, arrays, dy, options)

    return change


def _other_corners(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"align_corners": not options["align_corners"]}


NEAREST = [
    *everywhere("resize_nearest"),
    by_matrix(
        "resize_nearest",
        "centres",
        "copies from floor((i + 1/2) W / O), PyTorch's nearest-exact, instead of floor(i W / O)",
        _copies_at_centres,
    ),
    by_matrix("resize_nearest", "rounded-up", "copies from i W / O rounded up instead of down", _copies_from_the_end),
    by_matrix(
        "resize_nearest",
        "overwritten",
        "keeps the last of several outputs that copy one position, instead of adding them",
        _once,
    ),
    by_matrix("resize_nearest", "mean", "is averaged over the bins instead of summed over the copies", _shares),
]

BILINEAR = [
    *everywhere("resize_bilinear"),
    as_if(
        "resize_bilinear",
        0,
        "align-corners-swapped",
        "has align_corners the other way round",
        _other_corners,
    ),
    *(
        changed("resize_bilinear", 0, name, cause, _wrong_lines(**mistake))
        for name, cause, mistake in [
            ("weights-swapped", "gives the lower neighbour the upper one's weight, and the reverse", {"swapped": True}),
            ("upper-dropped", "leaves out the upper neighbour of each output", {"far": False}),
            ("border-lost", "is lost beyond the border, where positions are clipped to the image", {"clipped": False}),
        ]
    ),
    by_matrix("resize_bilinear", "nearest", "goes to one position only, as in nearest-neighbour resizing", _copies),
]

FAULTS: list[Fault] = [*NEAREST, *BILINEAR]
