"""Mistakes in the backward passes of pooling, windowed and global."""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed, pulled_back
from jaxcnn.verify.faults.windows import window_faults

# Of the taps of each window (their first axis) the share of dy that each gets.
Shares = Callable[[Any], Any]


def _taps(x: Any, options: Options, padded_with: float, *, dilated: bool = True) -> Any:
    """The windows' entries (t, n, *out, c), t = 0, 1, ... the taps of a window in row-major order."""
    size, stride, padding = options["size"], options["stride"], options["padding"]
    dilation = options.get("dilation", (1,) * len(size))
    config = [(0, 0, 0), *((low, high, 0) for low, high in padding), (0, 0, 0)]
    padded = lax.pad(x, jnp.asarray(padded_with, x.dtype), config)
    places = [w - (k - 1) * d for w, k, d in zip(padded.shape[1:-1], size, dilation, strict=True)]
    steps = dilation if dilated else (1,) * len(size)
    views = [
        padded[:, *(slice(t * d, t * d + p, s) for t, d, p, s in zip(tap, steps, places, stride, strict=True))]
        for tap in product(*map(range, size))
    ]
    return jnp.stack(views)


def _shared(shares: Shares, *, dilated: bool = True) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx where each window's dy is handed to its taps by `shares`; to where they would be if not `dilated`."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        given = shares(_taps(arrays[0], options, -jnp.inf))
        return jax.vjp(lambda x: (given * _taps(x, options, 0, dilated=dilated)).sum(0), arrays[0])[1](dy)[0]

    return change


def _places_shared(shares: Shares) -> Callable[[Any, Arrays, Any, Options], Any]:
    """The same for a single window of the whole image."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        rows = jnp.moveaxis(arrays[0].reshape(len(dy), -1, dy.shape[-1]), 1, 0)
        return jnp.moveaxis(shares(rows) * dy, 0, 1).reshape(d.shape)

    return change


def _won(taps: Any) -> Any:
    return (taps == taps.max(0)).astype(taps.dtype)


def _last_won(taps: Any) -> Any:
    last = len(taps) - 1 - jnp.argmax(_won(taps)[::-1], 0)
    return jax.nn.one_hot(last, len(taps), axis=0, dtype=taps.dtype)


def _first_won(taps: Any) -> Any:
    return jax.nn.one_hot(jnp.argmax(taps, 0), len(taps), axis=0, dtype=taps.dtype)


def _first_tap(taps: Any) -> Any:
    return jnp.zeros_like(taps).at[0].set(1)


MAX_SHARES: list[tuple[str, str, Shares]] = [
    ("ties-to-all", "gives every one of several equal maxima the whole gradient", _won),
    ("ties-to-last", "gives the last of several equal maxima the gradient instead of the first", _last_won),
    ("ties-split", "splits the gradient among equal maxima", lambda t: _won(t) / _won(t).sum(0)),
    (
        "shared-evenly",
        "is shared by all entries of a window, as in mean pooling",
        lambda t: jnp.full_like(t, 1 / len(t)),
    ),
    ("first-entry", "goes to the first entry of each window, wherever the maximum is", _first_tap),
    ("minimum", "goes to the smallest entry of each window", lambda t: _won(-jnp.where(jnp.isinf(t), jnp.inf, t))),
]


def _zero_padded_max(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx of max pooling with a padding of zeros, which wins over negative entries."""
    config = [(0, 0, 0), *((low, high, 0) for low, high in options["padding"]), (0, 0, 0)]
    valid = options | {"padding": tuple((0, 0) for _ in options["padding"])}

    def zero_padded(x: Any) -> Any:
        return RULES["max_pool"].plain(lax.pad(x, jnp.zeros((), x.dtype), config), **valid)

    return pulled_back(zero_padded, arrays, dy)[0]


def _none_counted(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"count_padding": ((0, 0),) * len(options["size"])}


def _all_counted(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"count_padding": options["padding"]}


def _window(arrays: Arrays, options: Options) -> Any:
    return options["size"]


MAX = [
    *window_faults("max_pool", _window),
    *(changed("max_pool", 0, name, cause, _shared(shares)) for name, cause, shares in MAX_SHARES),
    changed(
        "max_pool",
        0,
        "zero-padded",
        "is lost in the padding, which counts as 0 and beats negative entries",
        _zero_padded_max,
    ),
    changed(
        "max_pool",
        0,
        "dilation-ignored",
        "goes to the entries that a window's taps would have without dilation",
        _shared(_first_won, dilated=False),
    ),
]

AVG = [
    *window_faults("avg_pool", _window),
    as_if(
        "avg_pool",
        0,
        "count-padding-ignored",
        "is divided by the number of a window's entries inside x, where its padding counts too",
        _none_counted,
    ),
    as_if(
        "avg_pool",
        0,
        "all-padding-counted",
        "is divided by the window's whole size at the border, where padding, or what ceil_mode added, does not count",
        _all_counted,
    ),
    changed(
        "avg_pool", 0, "no-divisor", "is not divided by the window's size", lambda d, a, dy, o: d * math.prod(o["size"])
    ),
    changed(
        "avg_pool",
        0,
        "divided-twice",
        "is divided by the window's size twice",
        lambda d, a, dy, o: d / math.prod(o["size"]),
    ),
    changed(
        "avg_pool",
        0,
        "divided-by-stride",
        "is divided by the product of the strides instead of the window's size",
        lambda d, a, dy, o: d * math.prod(o["size"]) / math.prod(o["stride"]),
    ),
    changed("avg_pool", 0, "first-entry", "goes to the first entry of each window only", _shared(_first_tap)),
]


def _power(power: Callable[[float], float]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """The Lp pool's dx times |x|^power(p): the window's share with another power of its entries."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        (x,) = arrays
        return jnp.where(x == 0, 0, d * jnp.where(x == 0, 1, jnp.abs(x)) ** power(options["p"]))

    return change


def _without_root(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx of Σ x^p / p, as if no root were taken of it."""
    geometry = {name: options[name] for name in ("size", "stride", "padding")}

    def summed(x: Any) -> Any:
        return lax.reduce_window(x ** options["p"] / options["p"], 0.0, lax.add, *_strides(**geometry))

    return pulled_back(summed, arrays, dy)[0]


def _strides(size: Any, stride: Any, padding: Any) -> tuple[Any, ...]:
    return (1, *size, 1), (1, *stride, 1), ((0, 0), *padding, (0, 0))


LP = [
    *window_faults("lp_pool", _window),
    changed("lp_pool", 0, "power-not-lowered", "has x^p where x^(p - 1) belongs", _power(lambda p: 1)),
    changed("lp_pool", 0, "power-dropped", "misses the factor x^(p - 1)", _power(lambda p: 1 - p)),
    changed("lp_pool", 0, "root-not-derived", "is that of Σ x^p / p: the root is not derived", _without_root),
    changed("lp_pool", 0, "one-over-p", "misses the 1/p of the root's derivative", lambda d, a, dy, o: d * o["p"]),
    changed("lp_pool", 0, "p-dropped", "misses the p of the power's derivative", lambda d, a, dy, o: d / o["p"]),
    changed("lp_pool", 0, "absolute", "has lost the sign of x", lambda d, a, dy, o: jnp.sign(a[0]) * d),
    changed(
        "lp_pool",
        0,
        "mean",
        "is divided by the window's size, as if the mean of the powers were taken",
        lambda d, a, dy, o: d / math.prod(o["size"]),
    ),
]


def _divided(by: Callable[[Any], float]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """The global mean's dx with another divisor than the number of places."""
    return lambda d, arrays, dy, options: d * math.prod(d.shape[1:-1]) / by(d)


GLOBAL_AVG = [
    changed("global_avg_pool", 0, name, cause, change)
    for name, cause, change in [
        ("no-divisor", "is not divided by the number of places", _divided(lambda d: 1)),
        ("one-axis-divisor", "is divided by the length of the first spatial axis only", _divided(lambda d: d.shape[1])),
        ("channels-divisor", "is divided by the number of channels too", _divided(lambda d: math.prod(d.shape[1:]))),
        ("first-place", "goes to the first place only", _places_shared(_first_tap)),
    ]
]

GLOBAL_MAX = [changed("global_max_pool", 0, name, cause, _places_shared(s)) for name, cause, s in MAX_SHARES]

FAULTS: list[Fault] = [*MAX, *AVG, *LP, *GLOBAL_AVG, *GLOBAL_MAX]
