"""Mistakes in the backward passes of resizing along lines and cubic curves."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.matrices import by_matrix, everywhere, transposed
from jaxcnn.verify.catalog.resize.faults.nearest import copies
from jaxcnn.verify.catalog.resize.faults.places import place_faults


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
        matrix = functools.partial(_lines, align=options["coordinates"] == "align_corners", **mistake)
        return transposed(matrix)(d, arrays, dy, options)

    return change


def _as_if_told(**instead: Any) -> Callable[[Arrays, Any, Options], tuple[Arrays, Any, Options]]:
    return lambda arrays, dy, options: (arrays, dy, options | instead)


def _other_border(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"exclude_outside": not options["exclude_outside"]}


def _shared(rule: str) -> list[Fault]:
    return [
        *everywhere(rule),
        *place_faults(rule),
        as_if(
            rule,
            0,
            "not-antialiased",
            "goes to the neighbours of each output only, where all that it covers was averaged",
            _as_if_told(antialias=False),
        ),
        as_if(
            rule,
            0,
            "border-otherwise",
            "takes the border's value for what lies outside where that is left out, or the reverse",
            _other_border,
        ),
        by_matrix(rule, "nearest", "goes to one position only, as in nearest-neighbour resizing", copies),
    ]


BILINEAR = [
    *_shared("resize_bilinear"),
    *(
        changed("resize_bilinear", 0, name, cause, _wrong_lines(**mistake))
        for name, cause, mistake in [
            ("weights-swapped", "gives the lower neighbour the upper one's weight, and the reverse", {"swapped": True}),
            ("upper-dropped", "leaves out the upper neighbour of each output", {"far": False}),
            ("border-lost", "is lost beyond the border, where positions are clipped to the image", {"clipped": False}),
        ]
    ),
    as_if(
        "resize_bilinear",
        0,
        "cubic",
        "goes to four neighbours along each axis, as in bicubic resizing",
        _as_if_told(a=-0.75),
    ),
]

BICUBIC = [
    *_shared("resize_bicubic"),
    as_if(
        "resize_bicubic",
        0,
        "linear",
        "goes to two neighbours along each axis, as in bilinear resizing",
        _as_if_told(a=None),
    ),
    *(
        as_if("resize_bicubic", 0, f"slope-{a}", f"has the slope {a} at 1, whatever a is", _as_if_told(a=a))
        for a in (-0.5, -0.75)
    ),
]

FAULTS: list[Fault] = [*BILINEAR, *BICUBIC]
