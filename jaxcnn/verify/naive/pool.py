"""Pooling as loops over windows."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.naive.windows import padded, per_axis, windows


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
    size = per_axis(size, x.ndim - 2)
    return _pool(x, lambda values, _: max(values), size, stride or size, padding, dilation, ceil_mode)


def avg_pool(
    x: Any, *, size: Any, stride: Any = None, padding: Any = "VALID", count_padding: Any = False, ceil_mode: Any = False
) -> Any:
    """`count_padding` is a bool, or says how much of each axis's padding counts."""
    axes = x.ndim - 2
    size, stride = per_axis(size, axes), per_axis(stride or size, axes)
    pads = padded(x.shape[1:-1], size, stride, padding, 1)
    counted = [(0, 0)] * axes if count_padding is False else pads if count_padding is True else count_padding

    def mean(values: Any, place: Any) -> Any:
        count = 1
        for p, k, s, w, (low, _), (more, most) in zip(place, size, stride, x.shape[1:-1], pads, counted, strict=True):
            count *= sum(-more <= p * s - low + t < w + most for t in range(k))
        return sum(values) / count

    return _pool(x, mean, size, stride, padding, 1, ceil_mode)


def global_max_pool(x: Any) -> Any:
    return np.array([[max(image[..., c].ravel()) for c in range(x.shape[-1])] for image in x])


def global_avg_pool(x: Any) -> Any:
    return np.array([[sum(image[..., c].ravel()) / image[..., c].size for c in range(x.shape[-1])] for image in x])


LOOPS: list[Callable[..., Any]] = [max_pool, avg_pool, global_max_pool, global_avg_pool]
