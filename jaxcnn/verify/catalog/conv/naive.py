"""Convolution and its two gradients as loops. They compute in float64, which does not heed `precision`."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.verify.catalog.windows.naive import padded, per_axis, windows


def conv(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "SAME",
    dilation: Any = 1,
    groups: Any = 1,
    precision: Any = None,
) -> Any:
    """y[p, o] = bias[o] + Σ_k Σ_i x[p s + k d - low, i] kernel[k, i, o], i over the channels of o's group."""
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


def conv_dgrad(dy: Any, kernel: Any, sizes: Any, *, groups: Any = 1, precision: Any = None, **options: Any) -> Any:
    """dx[p s + k d - low, i] adds kernel[k, i, o] dy[p, o], for each place p, tap k and output channel o."""
    cin, cout = kernel.shape[-2:]
    dx = np.zeros((len(dy), *sizes, cin * groups))
    for _, place, taps in windows(sizes, kernel.shape[:-2], **_filled(options)):
        for n, o, (tap, at) in product(range(len(dy)), range(cout), taps):
            first = o // (cout // groups) * cin
            dx[(n, *at)][first : first + cin] += kernel[tap][:, o] * dy[(n, *place, o)]
    return dx


def conv_wgrad(x: Any, dy: Any, window: Any, *, groups: Any = 1, precision: Any = None, **options: Any) -> Any:
    """dkernel[k, i, o] adds x[p s + k d - low, i] dy[p, o], for each example and place p."""
    cin, cout = x.shape[-1] // groups, dy.shape[-1]
    dkernel = np.zeros((*window, cin, cout))
    for _, place, taps in windows(x.shape[1:-1], window, **_filled(options)):
        for n, o, (tap, at) in product(range(len(x)), range(cout), taps):
            first = o // (cout // groups) * cin
            dkernel[tap][:, o] += x[(n, *at)][first : first + cin] * dy[(n, *place, o)]
    return dkernel


def _filled(options: Any) -> Any:
    return {"stride": 1, "padding": "SAME", "dilation": 1} | options


def conv_transpose(
    x: Any,
    kernel: Any,
    bias: Any = None,
    *,
    stride: Any = 1,
    padding: Any = "SAME",
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: Any = 1,
    precision: Any = None,
    sizes: Any = None,
) -> Any:
    """Each x[n, p] adds its own copy of the kernel to the output from p stride - low on; `sizes` where known."""
    window, axes = kernel.shape[:-2], x.ndim - 2
    stride, dilation, extra = (per_axis(value, axes) for value in (stride, dilation, output_padding))
    grown = [w * s for w, s in zip(x.shape[1:-1], stride, strict=True)]
    pads = padded(grown, window, stride, padding, dilation)
    if sizes is None and padding == "SAME":
        sizes = grown
    elif sizes is None:
        places = zip(x.shape[1:-1], window, stride, dilation, pads, extra, strict=True)
        sizes = [(w - 1) * s + (k - 1) * d + 1 - low - high + o for w, k, s, d, (low, high), o in places]
    out, cin = kernel.shape[-2], x.shape[-1]
    y = np.zeros((len(x), *sizes, out * groups))
    for n, place, tap, i in product(range(len(x)), np.ndindex(x.shape[1:-1]), np.ndindex(window), range(cin)):
        at = tuple(p * s - low + t * d for p, s, (low, _), t, d in zip(place, stride, pads, tap, dilation, strict=True))
        if all(0 <= q < size for q, size in zip(at, sizes, strict=True)):
            first = i // (cin // groups) * out
            y[(n, *at)][first : first + out] += x[(n, *place, i)] * kernel[tap][:, i]
    return y if bias is None else y + bias


def unfold(x: Any, window: Any, **options: Any) -> Any:
    """Row p holds x[p s + k d - low, c] at (c, k), 0 where that lies in the padding."""
    window = per_axis(window, x.ndim - 2)
    taps = list(np.ndindex(window))
    places = [reached for _, _, reached in windows(x.shape[1:-1], window, **_unpadded(options))]
    y = np.zeros((len(x), len(places), x.shape[-1] * len(taps)))
    for n, (p, reached), c in product(range(len(x)), enumerate(places), range(x.shape[-1])):
        for tap, at in reached:
            y[n, p, c * len(taps) + taps.index(tap)] = x[(n, *at, c)]
    return y


def fold(x: Any, sizes: Any, window: Any, **options: Any) -> Any:
    """y[p s + k d - low, c] adds (c, k) of row p."""
    window = per_axis(window, len(sizes))
    taps = list(np.ndindex(window))
    y = np.zeros((len(x), *sizes, x.shape[-1] // len(taps)))
    for p, (_, _, reached) in enumerate(windows(sizes, window, **_unpadded(options))):
        for n, c, (tap, at) in product(range(len(x)), range(y.shape[-1]), reached):
            y[(n, *at, c)] += x[n, p, c * len(taps) + taps.index(tap)]
    return y


def _unpadded(options: Any) -> Any:
    return {"stride": 1, "padding": "VALID", "dilation": 1} | options


LOOPS: list[Callable[..., Any]] = [conv, conv_dgrad, conv_wgrad, conv_transpose, unfold, fold]
