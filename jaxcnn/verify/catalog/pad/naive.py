"""Padding, one entry at a time, by asking where a position beyond the border is copied from."""

from collections.abc import Callable
from typing import Any

import numpy as np


def pad(x: Any, padding: Any, *, mode: Any = "zeros", value: Any = 0.0) -> Any:
    """y[q] = x[the position that q shows], and the value where the mode is "zeros" and q beyond the border.

    Ends below 0 are cropped, before the image repeats itself where the mode is "circular".
    """
    ends = [(padding, padding)] * (x.ndim - 2) if isinstance(padding, int) else padding
    if mode == "circular":
        x = x[:, *(slice(max(-a, 0), w - max(-b, 0)) for w, (a, b) in zip(x.shape[1:-1], ends, strict=True))]
        ends = [(max(a, 0), max(b, 0)) for a, b in ends]
    sizes = [w + a + b for w, (a, b) in zip(x.shape[1:-1], ends, strict=True)]
    y = np.full((len(x), *sizes, x.shape[-1]), float(value))
    for place in np.ndindex(y.shape[1:-1]):
        source = [_source(p - a, w, mode) for p, (a, _), w in zip(place, ends, x.shape[1:-1], strict=True)]
        if None not in source:
            y[(slice(None), *place)] = x[(slice(None), *source)]
    return y


def _source(q: Any, w: Any, mode: Any) -> Any:
    """The position inside 0 .. w - 1 that position q shows."""
    if 0 <= q < w:
        return q
    if mode == "zeros":
        return None
    if mode == "replicate":
        return 0 if q < 0 else w - 1
    if mode == "circular":
        return q + w if q < 0 else q - w
    skip = 1 if mode == "reflect" else 0
    return -q - 1 + skip if q < 0 else 2 * w - 1 - q - skip


LOOPS: list[Callable[..., Any]] = [pad]
