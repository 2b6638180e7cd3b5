"""Where windows lie, by counting; and outputs of given sizes, one after the other."""

from itertools import product
from typing import Any

import numpy as np


def per_axis(value: Any, axes: int) -> Any:
    """One value for each axis, from one for all or a sequence."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def padded(sizes: Any, window: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """The (low, high) padding of each axis."""
    stride, dilation = per_axis(stride, len(sizes)), per_axis(dilation, len(sizes))
    pads = []
    for a, (w, k) in enumerate(zip(sizes, window, strict=True)):
        e = (k - 1) * dilation[a] + 1
        if padding == "VALID":
            pads.append((0, 0))
        elif padding == "FULL":
            pads.append((e - 1, e - 1))
        elif padding == "CAUSAL":
            pads.append((e - 1, 0))
        elif padding == "SAME":
            out = (w + stride[a] - 1) // stride[a]
            total = max((out - 1) * stride[a] + e - w, 0)
            pads.append((total // 2, total - total // 2))
        else:
            pads.append((padding, padding) if isinstance(padding, int) else tuple(padding[a]))
    return pads


def windows(sizes: Any, window: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any = False) -> Any:
    """For each output place: its index, and the (tap, input position) pairs that lie inside the input."""
    stride, dilation = per_axis(stride, len(sizes)), per_axis(dilation, len(sizes))
    pads, outs = padded(sizes, window, stride, padding, dilation), []
    for w, k, s, d, (low, high) in zip(sizes, window, stride, dilation, pads, strict=True):
        room = w + low + high - (k - 1) * d - 1
        out = room // s + 1
        if ceil_mode:
            out = (room + s - 1) // s + 1
            if (out - 1) * s >= w + low:  # it would start in the high padding
                out -= 1
        outs.append(out)
    for place in product(*map(range, outs)):
        taps = []
        for tap in product(*map(range, window)):
            at = tuple(
                p * s - low + t * d for p, s, (low, _), t, d in zip(place, stride, pads, tap, dilation, strict=True)
            )
            if all(0 <= i < w for i, w in zip(at, sizes, strict=True)):
                taps.append((tap, at))
        yield tuple(outs), place, taps


def outputs(x: Any, sizes: Any, output: Any) -> Any:
    """`output(image, place, sizes)` for each image of one channel and each place of the new spatial sizes."""
    sizes = per_axis(sizes, x.ndim - 2)
    y = np.zeros((len(x), *sizes, x.shape[-1]))
    for n, c in product(range(len(x)), range(x.shape[-1])):
        for place in product(*map(range, sizes)):
            y[(n, *place, c)] = output(x[n, ..., c], place, sizes)
    return y
