"""Resizing, one output at a time."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

from jaxcnn.verify.catalog.windows.naive import outputs


def resize_nearest(x: Any, *, sizes: Any) -> Any:
    """y[i] = x[⌊i W / O⌋] along each axis."""

    def copy(image: Any, place: Any, sizes: Any) -> Any:
        return image[tuple(math.floor(Fraction(i * w, o)) for i, w, o in zip(place, image.shape, sizes, strict=True))]

    return outputs(x, sizes, copy)


def resize_bilinear(x: Any, *, sizes: Any, align_corners: Any = False) -> Any:
    """(1 - f) x[⌊s⌋] + f x[⌊s⌋ + 1] along each axis, f the fraction of the source position s of i."""

    def blend(image: Any, place: Any, sizes: Any) -> Any:
        total = 0.0
        where = [_where(*axis, align_corners) for axis in zip(place, image.shape, sizes, strict=True)]
        for corner in product((0, 1), repeat=len(where)):
            weight, at = 1.0, []
            for upper, source, w in zip(corner, where, image.shape, strict=True):
                weight *= float(source % 1 if upper else 1 - source % 1)
                at.append(min(math.floor(source) + upper, w - 1))
            total += weight * image[tuple(at)]
        return total

    return outputs(x, sizes, blend)


def _where(i: Any, w: Any, o: Any, align_corners: Any) -> Any:
    if align_corners:
        return Fraction(i * (w - 1), o - 1) if o > 1 else Fraction(0)
    return max(Fraction(2 * i + 1, 2) * Fraction(w, o) - Fraction(1, 2), Fraction(0))


LOOPS: list[Callable[..., Any]] = [resize_nearest, resize_bilinear]
