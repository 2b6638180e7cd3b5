"""Mistakes in the backward pass of local response normalisation."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed

RULE = "local_response_norm"


def _sums(x: Any, low: int, high: int) -> Any:
    """The sum of channels c - low to c + high for each channel c."""
    ends = (*[(0, 0)] * (x.ndim - 1), (low, high))
    return lax.reduce_window(x, 0.0, lax.add, (*[1] * (x.ndim - 1), low + high + 1), (1,) * x.ndim, ends)


def _ends(options: Options) -> tuple[int, int]:
    """How many channels the window reaches back and ahead."""
    return options["size"] // 2, (options["size"] - 1) // 2


def _under_the_power(x: Any, options: Options) -> Any:
    return options["k"] + options["alpha"] / options["size"] * _sums(jnp.square(x), *_ends(options))


def _through(arrays: Arrays, dy: Any, options: Options, *, low: int, high: int, power: float = -1.0) -> Any:
    """2 αβ/size x Σ dy x s^(-β + power), the sum from `low` channels before to `high` after."""
    (x,), beta = arrays, options["beta"]
    s = _under_the_power(x, options)
    factor = 2 * options["alpha"] * beta / options["size"]
    return factor * x * _sums(dy * x * s ** (-beta + power), low, high)


def _right_through(arrays: Arrays, dy: Any, options: Options) -> Any:
    low, high = _ends(options)
    return _through(arrays, dy, options, low=high, high=low)


def _times(factor: Any) -> Any:
    """dx with the path through the sums multiplied by factor(options, channels)."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        return d - (factor(options, d.shape[-1]) - 1) * _right_through(arrays, dy, options)

    return wrong


def _instead(window: Any, **power: float) -> Any:
    """dx with the path through the sums over another window, or with another power of s."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        low, high = window(*_ends(options))
        other = _through(arrays, dy, options, low=low, high=high, **power)
        return d + _right_through(arrays, dy, options) - other

    return wrong


def _inside(options: Options, channels: int) -> Any:
    """`size` over the number of channels that each window holds."""
    return options["size"] / _sums(jnp.ones(channels), *_ends(options))


FAULTS: list[Fault] = [
    changed(RULE, 0, "sums-constant", "takes the sums of squares for constants", _times(lambda o, c: 0.0)),
    changed(RULE, 0, "factor-2", "misses the 2 of the square's derivative", _times(lambda o, c: 0.5)),
    changed(
        RULE, 0, "factor-beta", "misses the factor β of the power's derivative", _times(lambda o, c: 1 / o["beta"])
    ),
    changed(RULE, 0, "factor-size", "misses the division of α by the window's size", _times(lambda o, c: o["size"])),
    changed(
        RULE, 0, "windows-counted", "divides α by the channels that a window holds, not by its size", _times(_inside)
    ),
    changed(RULE, 0, "own-channel-only", "misses the paths through the neighbours", _instead(lambda low, high: (0, 0))),
    changed(
        RULE,
        0,
        "window-not-mirrored",
        "sums over the forward's window; the channels that an entry acts in are that window mirrored",
        _instead(lambda low, high: (low, high)),
    ),
    changed(
        RULE,
        0,
        "power",
        "has s^(-β) under the sum, where s^(-β - 1) belongs",
        _instead(lambda low, high: (high, low), power=0.0),
    ),
    as_if(
        RULE,
        0,
        "size-as-for-the-paper",
        "takes alpha undivided, as the paper; here it is alpha / size",
        lambda arrays, dy, options: (arrays, dy, options | {"alpha": options["alpha"] * options["size"]}),
    ),
]
