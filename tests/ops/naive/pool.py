"""Pooling as loops over windows."""

from itertools import product

import numpy as np

from tests.ops.naive.windows import windows


def _pool(x, size, stride, padding, combine):
    axes = x.ndim - 2
    window = (size,) * axes if isinstance(size, int) else size
    y = None
    for outs, place, taps in windows(x.shape[1:-1], window, window if stride is None else stride, padding, 1):
        if y is None:
            y = np.zeros((len(x), *outs, x.shape[-1]))
        for n, c in product(range(len(x)), range(x.shape[-1])):
            y[(n, *place, c)] = combine([x[(n, *at, c)] for _, at in taps], np.prod(window))
    return y


def max_pool(x, *, size, stride=None, padding="VALID"):
    return _pool(x, size, stride, padding, lambda values, _: max(values))


def avg_pool(x, *, size, stride=None, padding="VALID", count_padding=False):
    return _pool(x, size, stride, padding, lambda v, taps: sum(v) / (taps if count_padding else len(v)))


def global_max_pool(x):
    return np.array([[max(image[..., c].ravel()) for c in range(x.shape[-1])] for image in x])


def global_avg_pool(x):
    return np.array([[sum(image[..., c].ravel()) / image[..., c].size for c in range(x.shape[-1])] for image in x])
