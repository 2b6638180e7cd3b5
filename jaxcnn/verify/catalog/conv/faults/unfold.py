"""Mistakes in the backward passes of unfold and fold, each of which is the other."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.windows.faults import border_zeroed, swapped_padding, window_faults


def _rows(rows: Any, options: Options) -> Any:
    """(n, places, c, *window)."""
    window = options["window"]
    return rows.reshape(*rows.shape[:2], rows.shape[2] // math.prod(window), *window)


def _taps_first(rows: Any, options: Options) -> Any:
    """Rows (k, c) where they are (c, k)."""
    return jnp.moveaxis(_rows(rows, options), 2, -1).reshape(rows.shape)


def _flipped(rows: Any, options: Options) -> Any:
    """The taps of each window in reverse order."""
    taps = tuple(range(3, 3 + len(options["window"])))
    return jnp.flip(_rows(rows, options), taps).reshape(rows.shape)


def _columns_first(rows: Any, options: Options) -> Any:
    """The taps of each window counted column by column."""
    axes = len(options["window"])
    return _rows(rows, options).transpose(0, 1, 2, *range(2 + axes, 2, -1)).reshape(rows.shape)


MISTAKES: list[tuple[str, str, Callable[[Any, Options], Any]]] = [
    (
        "taps-first",
        "counts the taps before the channels in each row, instead of the channels before the taps",
        _taps_first,
    ),
    ("flipped", "has the taps of each window in reverse order", _flipped),
    ("columns-first", "counts the taps of each window column by column instead of row by row", _columns_first),
]


def _of_dy(name: str, cause: str, change: Callable[[Any, Options], Any]) -> Fault:
    """Of unfold, whose dy are rows."""
    return as_if("unfold", 0, name, cause, lambda a, dy, o: (a, change(dy, o), o))


def _of_dx(name: str, cause: str, change: Callable[[Any, Options], Any]) -> Fault:
    """Of fold, whose dx are rows."""
    return changed("fold", 0, name, cause, lambda d, a, dy, o: change(d, o))


def _averaged(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """d divided by how many taps there are."""
    return d / math.prod(options["window"])


UNFOLD = [
    *window_faults("unfold", lambda arrays, options: options["window"]),
    *(_of_dy(*mistake) for mistake in MISTAKES),
    changed("unfold", 0, "averaged", "is averaged over the taps of a window instead of summed", _averaged),
]

FOLD = [
    as_if("fold", 0, "padding-swapped", "has the low and the high padding swapped", swapped_padding),
    as_if(
        "fold",
        0,
        "border-zeroed",
        "leaves out what the outermost places of the image give back",
        lambda a, dy, o: (a, border_zeroed(dy, a, dy, o), o),
    ),
    as_if(
        "fold",
        0,
        "dy-reversed",
        "reads dy in reverse order along the spatial axes",
        lambda a, dy, o: (a, jnp.flip(dy, tuple(range(1, dy.ndim - 1))), o),
    ),
    *(_of_dx(*mistake) for mistake in MISTAKES),
    changed("fold", 0, "averaged", "is divided by the number of taps, as if fold were a mean", _averaged),
    changed("fold", 0, "last-row-dropped", "is zero for the last window", lambda d, a, dy, o: d.at[:, -1].set(0)),
]

FAULTS: list[Fault] = [*UNFOLD, *FOLD]
