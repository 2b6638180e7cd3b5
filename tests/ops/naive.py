"""The operations as loops in NumPy, written from their definitions and from nothing in jaxcnn.

`NAIVE[name](*arrays, **options)` takes what the rule's door takes, channels last.
"""

from itertools import product

import numpy as np


def windows(sizes, window, stride, padding, dilation):
    """For each output place: its index, and the (tap, input position) pairs that lie inside the input."""

    def axes(value):
        return (value,) * len(sizes) if isinstance(value, int) else tuple(value)

    stride, dilation = axes(stride), axes(dilation)
    pads, outs = [], []
    for a, (w, k) in enumerate(zip(sizes, window, strict=True)):
        e = (k - 1) * dilation[a] + 1
        if padding == "VALID":
            low, high = 0, 0
        elif padding == "FULL":
            low, high = e - 1, e - 1
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


def conv(x, kernel, bias=None, *, stride=1, padding="SAME", dilation=1, groups=1):
    cin, cout = kernel.shape[-2:]
    y = None
    for outs, place, taps in windows(x.shape[1:-1], kernel.shape[:-2], stride, padding, dilation):
        if y is None:
            y = np.zeros((len(x), *outs, cout))
        for n, o in product(range(len(x)), range(cout)):
            first = o // (cout // groups) * cin
            for tap, at in taps:
                y[(n, *place, o)] += x[(n, *at)][first : first + cin] @ kernel[tap][:, o]
            if bias is not None:
                y[(n, *place, o)] += bias[o]
    return y


def conv_dgrad(dy, kernel, sizes, *, groups=1, **options):
    cin, cout = kernel.shape[-2:]
    dx = np.zeros((len(dy), *sizes, cin * groups))
    for _, place, taps in windows(sizes, kernel.shape[:-2], **_filled(options)):
        for n, o, (tap, at) in product(range(len(dy)), range(cout), taps):
            first = o // (cout // groups) * cin
            dx[(n, *at)][first : first + cin] += kernel[tap][:, o] * dy[(n, *place, o)]
    return dx


def conv_wgrad(x, dy, window, *, groups=1, **options):
    cin, cout = x.shape[-1] // groups, dy.shape[-1]
    dkernel = np.zeros((*window, cin, cout))
    for _, place, taps in windows(x.shape[1:-1], window, **_filled(options)):
        for n, o, (tap, at) in product(range(len(x)), range(cout), taps):
            first = o // (cout // groups) * cin
            dkernel[tap][:, o] += x[(n, *at)][first : first + cin] * dy[(n, *place, o)]
    return dkernel


def _filled(options):
    return {"stride": 1, "padding": "SAME", "dilation": 1} | options


NAIVE = {f.__name__: f for f in (conv, conv_dgrad, conv_wgrad)}
