"""Convolution and its two gradients as loops."""

from itertools import product

import numpy as np

from tests.ops.naive.windows import windows


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
