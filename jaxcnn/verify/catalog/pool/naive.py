"""Pooling as loops over windows, over bins, and over the whole image."""

import math
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.windows.naive import outputs, padded, per_axis, windows


def _pool(x: Any, combine: Any, *geometry: Any) -> Any:
    """`combine(values, place)` of each window's entries inside x; `geometry` as `windows` takes it."""
    y = None
    for outs, place, taps in windows(x.shape[1:-1], *geometry):
        if y is None:
            y = np.zeros((len(x), *outs, x.shape[-1]))
        for n, c in product(range(len(x)), range(x.shape[-1])):
            y[(n, *place, c)] = combine([x[(n, *at, c)] for _, at in taps], place)
    return y


def max_pool(
    x: Any, *, size: Any, stride: Any = None, padding: Any = "VALID", dilation: Any = 1, ceil_mode: Any = False
) -> Any:
    """The largest x[o s - low + t d] of the taps t inside x."""
    size = per_axis(size, x.ndim - 2)
    return _pool(x, lambda values, _: max(values), size, stride or size, padding, dilation, ceil_mode)


def avg_pool(
    x: Any,
    *,
    size: Any,
    stride: Any = None,
    padding: Any = "VALID",
    dilation: Any = 1,
    count_padding: Any = False,
    divisor_override: Any = None,
    ceil_mode: Any = False,
) -> Any:
    """Σ_t x[o s - low + t d] over the taps inside x, divided by how many taps lie there or in padding that counts.

    `count_padding` is a bool, or says how much of each axis's padding counts. A divisor that is given divides instead.
    """
    axes = x.ndim - 2
    size, stride, dilation = per_axis(size, axes), per_axis(stride or size, axes), per_axis(dilation, axes)
    pads = padded(x.shape[1:-1], size, stride, padding, dilation)
    counted = [(0, 0)] * axes if count_padding is False else pads if count_padding is True else count_padding

    def mean(values: Any, place: Any) -> Any:
        count = 1
        along = zip(place, size, stride, dilation, x.shape[1:-1], pads, counted, strict=True)
        for p, k, s, d, w, (low, _), (more, most) in along:
            count *= sum(-more <= p * s - low + t * d < w + most for t in range(k))
        return sum(values) / (divisor_override or count)

    return _pool(x, mean, size, stride, padding, dilation, ceil_mode)


def lp_pool(x: Any, *, p: Any, size: Any, stride: Any = None, padding: Any = "VALID", dilation: Any = 1) -> Any:
    """(Σ_t x[o s - low + t d]^p)^(1/p) over the taps inside x."""
    size = per_axis(size, x.ndim - 2)
    return _pool(x, lambda values, _: sum(v**p for v in values) ** (1 / p), size, stride or size, padding, dilation)


def max_pool_with_indices(x: Any, *, size: Any, **options: Any) -> Any:
    """y, and where in its image each maximum stands first."""
    size = per_axis(size, x.ndim - 2)
    geometry = {"stride": size, "padding": "VALID", "dilation": 1} | options
    y = max_pool(x, size=size, **options)
    indices = np.zeros(y.shape, int)
    for _, place, taps in windows(x.shape[1:-1], size, **geometry):
        for n, c in product(range(len(x)), range(x.shape[-1])):
            first = max((at for _, at in taps), key=lambda at: x[(n, *at, c)])  # max keeps the first
            indices[(n, *place, c)] = np.ravel_multi_index(first, x.shape[1:-1])
    return y, indices


def max_unpool(x: Any, indices: Any, *, sizes: Any) -> Any:
    """y[index[p]] = x[p], one p after the other in row-major order, and 0 elsewhere."""
    sizes = per_axis(sizes, x.ndim - 2)
    y = np.zeros((len(x), *sizes, x.shape[-1]))
    for n, *place, c in np.ndindex(x.shape):
        at = np.unravel_index(indices[(n, *place, c)], sizes)
        y[(n, *at, c)] = x[(n, *place, c)]
    return y


def _bin(image: Any, place: Any, sizes: Any) -> Any:
    axes = [
        range(math.floor(Fraction(i * w, o)), math.ceil(Fraction((i + 1) * w, o)))
        for i, w, o in zip(place, image.shape, sizes, strict=True)
    ]
    return [image[at] for at in product(*axes)]


def adaptive_avg_pool(x: Any, *, sizes: Any) -> Any:
    """The mean over the bin ⌊i W / O⌋ to ⌈(i + 1) W / O⌉ - 1 along each axis."""
    return outputs(x, sizes, lambda *at: sum(_bin(*at)) / len(_bin(*at)))


def adaptive_max_pool(x: Any, *, sizes: Any) -> Any:
    """The largest entry of the bin ⌊i W / O⌋ to ⌈(i + 1) W / O⌉ - 1 along each axis."""
    return outputs(x, sizes, lambda *at: max(_bin(*at)))


def adaptive_max_pool_with_indices(x: Any, *, sizes: Any) -> Any:
    """y, and where in its image each maximum stands first."""

    def first(image: Any, place: Any, sizes: Any) -> Any:
        bins = _bin(np.arange(image.size).reshape(image.shape), place, sizes)
        return max(bins, key=lambda at: image.flat[at])  # max keeps the first

    return adaptive_max_pool(x, sizes=sizes), outputs(x, sizes, first).astype(int)


def global_max_pool(x: Any) -> Any:
    """The largest entry of each channel of each example."""
    return np.array([[max(image[..., c].ravel()) for c in range(x.shape[-1])] for image in x])


def global_avg_pool(x: Any) -> Any:
    """The sum of each channel's entries, over their number."""
    return np.array([[sum(image[..., c].ravel()) / image[..., c].size for c in range(x.shape[-1])] for image in x])


LOOPS: list[Callable[..., Any]] = [
    max_pool,
    avg_pool,
    lp_pool,
    max_unpool,
    adaptive_avg_pool,
    adaptive_max_pool,
    global_max_pool,
    global_avg_pool,
]
