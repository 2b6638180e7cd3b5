"""Where windows lie, by counting."""

from itertools import product
from typing import Any


def windows(sizes: Any, window: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """For each output place: its index, and the (tap, input position) pairs that lie inside the input."""

    def axes(value: Any) -> Any:
        return (value,) * len(sizes) if isinstance(value, int) else tuple(value)

    stride, dilation = axes(stride), axes(dilation)
    pads, outs = [], []
    for a, (w, k) in enumerate(zip(sizes, window, strict=True)):
        e = (k - 1) * dilation[a] + 1
        if padding == "VALID":
            low, high = 0, 0
        elif padding == "FULL":
            low, high = e - 1, e - 1
        elif padding == "CAUSAL":
            low, high = e - 1, 0
        elif padding == "SAME":
            out = (w + stride[a] - 1) // stride[a]
            total = max((out - 1) * stride[a] + e - w, 0)
            low, high = total // 2, total - total // 2
        else:
            low, high = (padding, padding) if isinstance(padding, int) else padding[a]
        pads.append(low)
        outs.append((w + low + high - e) // stride[a] + 1)
    for place in product(*map(range, outs)):
        taps = []
        for tap in product(*map(range, window)):
            at = tuple(p * s - low + t * d for p, s, low, t, d in zip(place, stride, pads, tap, dilation, strict=True))
            if all(0 <= i < w for i, w in zip(at, sizes, strict=True)):
                taps.append((tap, at))
        yield tuple(outs), place, taps
