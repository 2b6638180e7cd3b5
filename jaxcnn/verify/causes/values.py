"""Explanations by the two cotangents alone: a factor, another order, a place."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import jax
import numpy as np

from jaxcnn.verify.causes.mistake import Mistake, axes_names, flips, swaps


def zero_or_sign(error: Mistake) -> Iterator[str]:
    """Zero everywhere, or the right one with its sign turned."""
    if not error.wrong.any():
        yield "is zero everywhere: what should reach this argument never does"
    elif error.explained_by(-error.right):
        yield "has the wrong sign"


def meaningful_factor(error: Mistake, args: Any, dy: Any, static: Any) -> Iterator[str]:
    """A factor that is a size of the problem, or one over it."""
    factor = _ratio(error)
    if factor is None:
        return
    for size, meaning in _sizes(error, args, dy, static):
        if size > 1 and math.isclose(factor, 1 / size, rel_tol=error.tolerance):
            yield f"is divided by {size}, {meaning}: a mean where the sum belongs"
        if size > 1 and math.isclose(factor, size, rel_tol=error.tolerance):
            yield f"is multiplied by {size}, {meaning}: a sum where the mean belongs"


def any_factor(error: Mistake) -> Iterator[str]:
    """Any constant factor, as a fraction where it is one."""
    factor = _ratio(error)
    if factor is not None:
        nearest = Fraction(factor).limit_denominator(64)
        plain = str(nearest) if math.isclose(nearest, factor, rel_tol=error.tolerance) else f"{factor:.7g}"
        yield f"is the right one times {plain}"


def _ratio(error: Mistake) -> float | None:
    """The number that times the right cotangent is the wrong one."""
    square = float(np.vdot(error.right, error.right))
    if not square:
        return None
    factor = float(np.vdot(error.right, error.wrong)) / square
    return factor if error.explained_by(factor * error.right) else None


def _sizes(error: Mistake, args: Any, dy: Any, static: Any) -> Iterator[tuple[int, str]]:
    """Numbers that mistaken sums and means have as a factor."""
    first, y = np.shape(args[0]), np.shape(jax.tree.leaves(dy)[0])
    if first:
        yield first[0], "the batch size"
        yield math.prod(first[1:]), "the number of entries of an example"
        yield math.prod(first[1:-1]), "the number of places of the input"
        if len(first) > 2:  # of two axes the batch size is the same
            yield math.prod(first[:-1]), "the number of values of each channel"
        yield first[-1], "the number of channels"
    if y:
        yield math.prod(y[1:-1]), "the number of places of the output"
        if len(y) > 2:
            yield math.prod(y[:-1]), "the number of batch entries and output places"
    for option in ("size", "window"):
        if isinstance(static.get(option), tuple):
            yield math.prod(static[option]), "the window's size"
    if isinstance(static.get("groups"), int):
        yield static["groups"], "the number of groups"


def reordered(error: Mistake) -> Iterator[str]:
    """The right entries, elsewhere."""
    for (a, b), swapped in swaps(error.right):
        if error.explained_by(swapped):
            yield f"is transposed: axes {a} and {b} are swapped"
    for axes, flipped in flips(error.right):
        if error.explained_by(flipped):
            yield f"is flipped along {axes_names(axes, error.right.ndim)}"
    for axis, size in enumerate(error.right.shape):
        for shift in {1, -1} if size > 2 else set():
            if error.explained_by(np.roll(error.right, shift, axis)):
                yield f"is shifted by {shift} along axis {axis}"


def place(error: Mistake) -> Iterator[str]:
    """Where the wrong entries lie, if anywhere special."""
    off = np.abs(error.wrong - error.right) > error.tolerance * error.scale
    where = np.argwhere(off)
    if len(where) == 1 and off.size > 1:
        yield f"is wrong in the single element {where[0].tolist()}"
        return
    lost = bool((error.wrong[off] == 0).all())
    what = "is zero" if lost else "is wrong"
    for axis, size in enumerate(off.shape):
        touched = set(where[:, axis].tolist())
        if len(touched) == 1 and size > 1:
            (only,) = touched
            side = {0: "the first slice", size - 1: "the last slice"}.get(only, f"slice {only}")
            yield f"{what} only in {side} of axis {axis}"
    if off.ndim > 2 and len(off) > 1 and not off[0].any() and off[1:].any():
        yield f"{what} in every example but the first"
    inner = tuple(slice(1, -1) if 1 <= axis < off.ndim - 1 else slice(None) for axis in range(off.ndim))
    if off.ndim > 2 and off[inner].size and not off[inner].any():
        yield f"{what} at the border only"
    if lost:
        yield f"is zero in {len(where)} of {off.size} entries, and right in the others"
