"""Images of other sizes, one output at a time."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.windows.naive import outputs, per_axis


def _sizes(x: Any, sizes: Any, scale: Any) -> Any:
    """The output's sizes, and the scale of each axis or None."""
    axes = x.ndim - 2
    scale = scale if isinstance(scale, tuple) else (scale,) * axes
    if sizes is None:
        return tuple(math.floor(w * s) for w, s in zip(x.shape[1:-1], scale, strict=True)), scale
    return per_axis(sizes, axes), scale


def _source(i: int, w: int, o: int, scale: Any, coordinates: str) -> Fraction:
    """Where output i of o lies among w positions."""
    if coordinates == "align_corners":
        larger = o if scale is None else w * Fraction(scale).limit_denominator(1000)
        return Fraction(i * (w - 1)) / (larger - 1) if o > 1 else Fraction(0)
    if scale == math.inf:
        step = Fraction(0)
    else:
        step = Fraction(w, o) if scale is None else 1 / Fraction(scale).limit_denominator(1000)
    if coordinates == "asymmetric" or (coordinates == "pytorch_half_pixel" and o == 1):
        return i * step
    moved = (w - o * step) / 2 if coordinates == "half_pixel_symmetric" else 0
    return (i + Fraction(1, 2)) * step - Fraction(1, 2) + moved


ROUNDED = {
    "floor": math.floor,
    "ceil": math.ceil,
    "round_prefer_floor": lambda s: math.ceil(s - Fraction(1, 2)),
    "round_prefer_ceil": lambda s: math.floor(s + Fraction(1, 2)),
}


def resize_nearest(
    x: Any, sizes: Any = None, *, scale: Any = None, coordinates: str = "asymmetric", rounding: str = "floor"
) -> Any:
    """y[i] = x[s], s the rounded place of i along each axis, and no further than the last position."""
    sizes, scale = _sizes(x, sizes, scale)

    def copy(image: Any, place: Any, sizes: Any) -> Any:
        at = (_source(*axis, coordinates) for axis in zip(place, image.shape, sizes, scale, strict=True))
        return image[tuple(min(max(ROUNDED[rounding](s), 0), w - 1) for s, w in zip(at, image.shape, strict=True))]

    return outputs(x, sizes, copy)


def _tent(d: float) -> float:
    return max(0.0, 1 - d)


def _cubic(d: float, a: float) -> float:
    if d < 1:
        return (a + 2) * d**3 - (a + 3) * d**2 + 1
    return a * (d**3 - 5 * d**2 + 8 * d - 4) if d < 2 else 0.0


def _filtered(
    x: Any, sizes: Any, scale: Any, of: Any, support: int, coordinates: str, corners: Any, antialias: Any, outside: Any
) -> Any:
    """Each output the sum of all positions that the filter reaches, along every axis."""
    sizes, scale = _sizes(x, sizes, scale)
    if corners and antialias:
        axes = zip(x.shape[1:-1], sizes, strict=True)
        scale = [(o - 1) / (w - 1) if min(o, w) > 1 else math.inf for w, o in axes]
    elif corners:
        scale, coordinates = [None] * len(sizes), "align_corners"

    def taken(i: int, w: int, o: int, s: Any) -> Any:
        """(position, weight) of each position that output i takes."""
        at, width = float(_source(i, w, o, s, coordinates)), max(1.0, 1 / s if s else w / o) if antialias else 1.0
        reached = range(math.floor(at - support * width), math.ceil(at + support * width) + 1)
        pairs = [(q, of(abs(q - at) / width)) for q in reached if 0 <= q < w or not outside]
        total = sum(weight for _, weight in pairs) if antialias or outside else 1.0
        return [(min(max(q, 0), w - 1), weight / total) for q, weight in pairs]

    def blend(image: Any, place: Any, sizes: Any) -> Any:
        total = 0.0
        for taps in product(*(taken(*axis) for axis in zip(place, image.shape, sizes, scale, strict=True))):
            total += math.prod(weight for _, weight in taps) * image[tuple(q for q, _ in taps)]
        return total

    return outputs(x, sizes, blend)


def resize_bilinear(
    x: Any,
    sizes: Any = None,
    *,
    scale: Any = None,
    align_corners: Any = False,
    coordinates: str = "half_pixel",
    antialias: Any = False,
    exclude_outside: Any = None,
    a: Any = None,
) -> Any:
    """The sum of what a tent over each output's place takes; as wide as an output where that is antialiased."""
    outside = antialias if exclude_outside is None else exclude_outside
    return _filtered(x, sizes, scale, _tent, 1, coordinates, align_corners, antialias, outside)


def resize_bicubic(
    x: Any,
    sizes: Any = None,
    *,
    scale: Any = None,
    a: Any = None,
    align_corners: Any = False,
    coordinates: str = "half_pixel",
    antialias: Any = False,
    exclude_outside: Any = None,
) -> Any:
    """The sum of what Keys's cubic over each output's place takes."""
    outside = antialias if exclude_outside is None else exclude_outside
    slope = (-0.5 if antialias else -0.75) if a is None else a
    return _filtered(x, sizes, scale, lambda d: _cubic(d, slope), 2, coordinates, align_corners, antialias, outside)


def pixel_shuffle(x: Any, factor: Any, *, mode: str = "CRD") -> Any:
    """Tap k of the block at p is channel c Πr + k of x, or, in the mode "DCR", k C + c."""
    factor = per_axis(factor, x.ndim - 2)
    taps = list(np.ndindex(factor))
    sizes = [w * r for w, r in zip(x.shape[1:-1], factor, strict=True)]
    y = np.zeros((len(x), *sizes, x.shape[-1] // len(taps)))
    for n, p, c in product(range(len(x)), np.ndindex(x.shape[1:-1]), range(y.shape[-1])):
        for number, tap in enumerate(taps):
            at = tuple(i * r + k for i, r, k in zip(p, factor, tap, strict=True))
            y[(n, *at, c)] = x[(n, *p, _channel(c, number, y.shape[-1], len(taps), mode))]
    return y


def pixel_unshuffle(x: Any, factor: Any, *, mode: str = "CRD") -> Any:
    """Tap k of the block that begins at p r is channel c Πr + k of y at p, or, in the mode "DCR", k C + c."""
    factor = per_axis(factor, x.ndim - 2)
    taps = list(np.ndindex(factor))
    y = np.zeros((len(x), *(w // r for w, r in zip(x.shape[1:-1], factor, strict=True)), x.shape[-1] * len(taps)))
    for n, p, c in product(range(len(x)), np.ndindex(y.shape[1:-1]), range(x.shape[-1])):
        for number, tap in enumerate(taps):
            at = tuple(i * r + k for i, r, k in zip(p, factor, tap, strict=True))
            y[(n, *p, _channel(c, number, x.shape[-1], len(taps), mode))] = x[(n, *at, c)]
    return y


def _channel(c: int, tap: int, channels: int, taps: int, mode: str) -> int:
    """Where a tap of channel c of the larger image is among the channels of the smaller one."""
    return c * taps + tap if mode == "CRD" else tap * channels + c


def grid_sample(
    x: Any, grid: Any, *, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: Any = False
) -> Any:
    """y[p] = Σ_q x[q] Π k(|q - s|) over the pixels around the place s of p, k a tent or a cubic; or the nearest one."""
    y = np.zeros((*grid.shape[:-1], x.shape[-1]))
    for n, *p in np.ndindex(grid.shape[:-1]):
        image, lengths = x[n], x.shape[1:-1]
        inside = "zeros" if mode == "bicubic" else padding_mode
        place = [_among(g, w, inside, align_corners) for g, w in zip(grid[(n, *p)][::-1], lengths, strict=True)]
        around: Any
        if mode == "nearest":
            around, place = [(round(s),) for s in place], [float(round(s)) for s in place]
        elif mode == "bilinear":
            around = [(math.floor(s), math.floor(s) + 1) for s in place]
        else:
            around = [range(math.floor(s) - 1, math.floor(s) + 3) for s in place]
        for q in product(*around):
            distances = [abs(i - s) for i, s in zip(q, place, strict=True)]
            weight = math.prod(_cubic(d, -0.75) if mode == "bicubic" else 1 - d for d in distances)
            if mode == "bicubic" and padding_mode != "zeros":
                q = tuple(int(_turned(i, w, padding_mode, align_corners)) for i, w in zip(q, lengths, strict=True))
            if all(0 <= i < w for i, w in zip(q, lengths, strict=True)):
                y[(n, *p)] += weight * image[q]
    return y


def _among(g: float, w: int, padding_mode: str, align_corners: Any) -> float:
    """The place that -1 ... 1 names among the pixels 0 ... w - 1."""
    low, high = (0.0, w - 1.0) if align_corners else (-0.5, w - 0.5)
    s = low + (g + 1) / 2 * (high - low)
    return s if padding_mode == "zeros" else _turned(s, w, padding_mode, align_corners)


def _turned(s: float, w: int, padding_mode: str, align_corners: Any) -> float:
    """A place beyond the image turned back at its borders, and held at the border pixels."""
    low, high = (0.0, w - 1.0) if align_corners else (-0.5, w - 0.5)
    if padding_mode == "reflection":
        while high > low and not low <= s <= high:
            s = 2 * low - s if s < low else 2 * high - s
    return min(max(s, 0.0), w - 1.0)


def affine_grid(theta: Any, sizes: Any, *, align_corners: Any = False) -> Any:
    """g[p] = theta (x, y, 1), x and y from -1 to 1 across the corner pixels' centres, or the image."""
    axes = theta.shape[1]
    sizes = per_axis(sizes, axes)
    grid = np.zeros((len(theta), *sizes, axes))
    for n, p in product(range(len(theta)), np.ndindex(*sizes)):
        b = [_across(i, size, align_corners) for i, size in zip(p, sizes, strict=True)][::-1]
        grid[(n, *p)] = [sum(t * v for t, v in zip(row, [*b, 1.0], strict=True)) for row in theta[n]]
    return grid


def _across(i: int, size: int, align_corners: Any) -> float:
    if align_corners:
        return 2 * i / (size - 1) - 1 if size > 1 else 0.0
    return (2 * i + 1) / size - 1


LOOPS: list[Callable[..., Any]] = [
    resize_nearest,
    resize_bilinear,
    resize_bicubic,
    pixel_shuffle,
    pixel_unshuffle,
    grid_sample,
    affine_grid,
]
