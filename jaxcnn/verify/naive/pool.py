"""Pooling as loops over windows."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.naive.windows import windows


def _pool(x: Any, size: Any, stride: Any, padding: Any, combine: Any) -> Any:
    axes = x.ndim - 2
    window = (size,) * axes if isinstance(size, int) else size
    y = None
    for outs, place, taps in windows(x.shape[1:-1], window, window if stride is None else stride, padding, 1):
        if y is None:
            y = np.zeros((len(x), *outs, x.shape[-1]))
        for n, c in product(range(len(x)), range(x.shape[-1])):
            y[(n, *place, c)] = combine([x[(n, *at, c)] for _, at in taps], np.prod(window))
    return y


def max_pool(x: Any, *, size: Any, stride: Any = None, padding: Any = "VALID") -> Any:
    return _pool(x, size, stride, padding, lambda values, _: max(values))


def avg_pool(x: Any, *, size: Any, stride: Any = None, padding: Any = "VALID", count_padding: Any = False) -> Any:
    return _pool(x, size, stride, padding, lambda v, taps: sum(v) / (taps if count_padding else len(v)))


def global_max_pool(x: Any) -> Any:
    return np.array([[max(image[..., c].ravel()) for c in range(x.shape[-1])] for image in x])


def global_avg_pool(x: Any) -> Any:
    return np.array([[sum(image[..., c].ravel()) / image[..., c].size for c in range(x.shape[-1])] for image in x])


LOOPS: list[Callable[..., Any]] = [max_pool, avg_pool, global_max_pool, global_avg_pool]
