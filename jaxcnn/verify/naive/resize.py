"""Adaptive pooling and resizing, one output at a time."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.naive.windows import per_axis


def _outputs(x: Any, sizes: Any, output: Any) -> Any:
    """`output(image, place, sizes)` for each image of one channel and each place of the new spatial sizes."""
    sizes = per_axis(sizes, x.ndim - 2)
    y = np.zeros((len(x), *sizes, x.shape[-1]))
    for n, c in product(range(len(x)), range(x.shape[-1])):
        for place in product(*map(range, sizes)):
            y[(n, *place, c)] = output(x[n, ..., c], place, sizes)
    return y


def _bin(image: Any, place: Any, sizes: Any) -> Any:
    axes = [
        range(math.floor(Fraction(i * w, o)), math.ceil(Fraction((i + 1) * w, o)))
        for i, w, o in zip(place, image.shape, sizes, strict=True)
    ]
    return [image[at] for at in product(*axes)]


def adaptive_avg_pool(x: Any, *, sizes: Any) -> Any:
    """The mean over the bin ⌊i W / O⌋ to ⌈(i + 1) W / O⌉ - 1 along each axis."""
    return _outputs(x, sizes, lambda *at: sum(_bin(*at)) / len(_bin(*at)))


def adaptive_max_pool(x: Any, *, sizes: Any) -> Any:
    """The largest entry of the bin ⌊i W / O⌋ to ⌈(i + 1) W / O⌉ - 1 along each axis."""
    return _outputs(x, sizes, lambda *at: max(_bin(*at)))


def resize_nearest(x: Any, *, sizes: Any) -> Any:
    """y[i] = x[⌊i W / O⌋] along each axis."""

    def copy(image: Any, place: Any, sizes: Any) -> Any:
        return image[tuple(math.floor(Fraction(i * w, o)) for i, w, o in zip(place, image.shape, sizes, strict=True))]

    return _outputs(x, sizes, copy)


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

    return _outputs(x, sizes, blend)


def _where(i: Any, w: Any, o: Any, align_corners: Any) -> Any:
    if align_corners:
        return Fraction(i * (w - 1), o - 1) if o > 1 else Fraction(0)
    return max(Fraction(2 * i + 1, 2) * Fraction(w, o) - Fraction(1, 2), Fraction(0))


LOOPS: list[Callable[..., Any]] = [adaptive_avg_pool, adaptive_max_pool, resize_nearest, resize_bilinear]
