"""Which taps of a window a pool's cotangent goes to, and how much of it to each."""

from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from jaxcnn.verify.catalog.fault import Arrays, Options

# Of the taps of each window (their first axis) the share of dy that each gets.
Shares = Callable[[Any], Any]


def taps(x: Any, options: Options, padded_with: float, *, dilated: bool = True) -> Any:
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


def shared(shares: Shares, *, dilated: bool = True) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx where each window's dy is handed to its taps by `shares`; to where they would be if not `dilated`."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        given = shares(taps(arrays[0], options, -jnp.inf))
        return jax.vjp(lambda x: (given * taps(x, options, 0, dilated=dilated)).sum(0), arrays[0])[1](dy)[0]

    return change


def places_shared(shares: Shares) -> Callable[[Any, Arrays, Any, Options], Any]:
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


def first_won(taps: Any) -> Any:
    """1 for the first largest of the taps along the first axis, 0 for the others."""
    return jax.nn.one_hot(jnp.argmax(taps, 0), len(taps), axis=0, dtype=taps.dtype)


def first_tap(taps: Any) -> Any:
    """1 for the first of the taps, 0 for the others."""
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
    ("first-entry", "goes to the first entry of each window, wherever the maximum is", first_tap),
    ("minimum", "goes to the smallest entry of each window", lambda t: _won(-jnp.where(jnp.isinf(t), jnp.inf, t))),
]


def window(arrays: Arrays, options: Options) -> Any:
    """The sizes of the windows that slide."""
    return options["size"]
