"""Mistakes in the backward passes of adaptive pooling: which bins, whose maximum."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed, right
from jaxcnn.verify.catalog.matrices import bins, by_matrix, everywhere, inside


def _floor_ends(w: int, o: int) -> Any:
    """Bins that end where the next begins, at least one position long."""
    starts, _ = bins(w, o)
    each = inside(w, starts, np.maximum(np.append(starts[1:], w), starts + 1))
    return each / each.sum(1, keepdims=True)


def _one_divisor(w: int, o: int) -> Any:
    return inside(w, *bins(w, o)) * o / w


def _no_divisor(w: int, o: int) -> Any:
    return inside(w, *bins(w, o))


def _first_of_bin(w: int, o: int) -> Any:
    starts, _ = bins(w, o)
    return inside(w, starts, starts + 1)


AVG = [
    *everywhere("adaptive_avg_pool"),
    by_matrix("adaptive_avg_pool", "no-divisor", "is not divided by the number of entries of each bin", _no_divisor),
    by_matrix(
        "adaptive_avg_pool",
        "one-divisor",
        "is divided by W / O for every bin, where bins have unequal numbers of entries",
        _one_divisor,
    ),
    by_matrix(
        "adaptive_avg_pool",
        "bins-do-not-overlap",
        "comes from bins that end where the next begins: the end is rounded up, so that bins may overlap",
        _floor_ends,
    ),
    by_matrix("adaptive_avg_pool", "first-entry", "goes to the first entry of each bin only", _first_of_bin),
]


def _bin_wins(take: Callable[[Any], Any]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx where of each bin's entries (their last axis) those get dy that `take` says, and how much of it."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        (x,) = arrays
        masks = [inside(w, *bins(w, o)) for w, o in zip(x.shape[1:-1], options["sizes"], strict=True)]
        mask = masks[0]
        for more in masks[1:]:
            mask = np.kron(mask, more)  # row-major places, row-major positions
        rows = jnp.moveaxis(x.reshape(len(x), mask.shape[1], x.shape[-1]), 1, -1)[:, None]
        share = take(jnp.where(mask[:, None] > 0, rows, -jnp.inf))
        dys = dy.reshape(len(dy), mask.shape[0], dy.shape[-1], 1)
        return jnp.moveaxis((share * dys).sum(1), -1, 1).reshape(x.shape)

    return change


def _won(entries: Any) -> Any:
    return (entries == entries.max(-1, keepdims=True)).astype(entries.dtype)


def _last_won(entries: Any) -> Any:
    count = entries.shape[-1]
    return jax.nn.one_hot(count - 1 - jnp.argmax(_won(entries)[..., ::-1], -1), count, dtype=entries.dtype)


def _evenly(entries: Any) -> Any:
    finite = jnp.isfinite(entries).astype(entries.dtype)
    return finite / finite.sum(-1, keepdims=True)


def _one_bin_each(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx where an entry that wins several bins keeps the cotangent of the last one only."""
    places = dy.shape[1:-1]
    hots = jnp.eye(math.prod(places), dtype=dy.dtype).reshape(-1, 1, *places, 1)
    shares = jax.vmap(lambda hot: right("adaptive_max_pool", arrays, hot * dy, **options)[0])(hots)
    won = jax.vmap(lambda hot: right("adaptive_max_pool", arrays, hot * jnp.ones_like(dy), **options)[0])(hots) != 0
    last = len(shares) - 1 - jnp.argmax(won[::-1], 0)
    return jnp.where(won.any(0), jnp.take_along_axis(shares, last[None], 0)[0], 0)


MAX = [
    *everywhere("adaptive_max_pool"),
    *(
        changed("adaptive_max_pool", 0, name, cause, change)
        for name, cause, change in [
            ("ties-to-all", "gives every one of several equal maxima the whole gradient", _bin_wins(_won)),
            (
                "ties-to-last",
                "gives the last of several equal maxima the gradient instead of the first",
                _bin_wins(_last_won),
            ),
            ("shared-evenly", "is shared by all entries of a bin, as in mean pooling", _bin_wins(_evenly)),
            (
                "overlap-overwritten",
                "keeps one bin's share where bins overlap, overwriting the others instead of adding them",
                _one_bin_each,
            ),
        ]
    ),
]

FAULTS: list[Fault] = [*AVG, *MAX]
