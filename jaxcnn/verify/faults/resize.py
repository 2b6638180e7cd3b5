"""Mistakes in the backward passes of adaptive pooling and of resizing."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed, pulled_back, right
from jaxcnn.verify.faults.windows import border_faults

# For an axis of length W and O outputs the (O, W) matrix of what each output takes from each position.
Matrix = Callable[[int, int], Any]


def _along_axes(x: Any, sizes: Any, matrix: Matrix) -> Any:
    for axis, size in enumerate(sizes, 1):
        m = jnp.asarray(matrix(x.shape[axis], size), x.dtype)
        x = jnp.moveaxis(jnp.tensordot(x, m, (axis, 1)), -1, axis)
    return x


def _transposed(matrix: Matrix) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx as if the forward had been the product with these matrices, one for each axis."""
    return lambda d, arrays, dy, options: pulled_back(lambda x: _along_axes(x, options["sizes"], matrix), arrays, dy)[0]


def _bins(w: int, o: int) -> tuple[Any, Any]:
    i = np.arange(o)
    return i * w // o, -(-(i + 1) * w // o)


def _inside(w: int, starts: Any, stops: Any) -> Any:
    q = np.arange(w)
    return ((starts[:, None] <= q) & (q < stops[:, None])).astype(float)


def _shares(w: int, o: int) -> Any:
    inside = _inside(w, *_bins(w, o))
    return inside / inside.sum(1, keepdims=True)


def _floor_ends(w: int, o: int) -> Any:
    """Bins that end where the next begins, at least one position long."""
    starts, _ = _bins(w, o)
    inside = _inside(w, starts, np.maximum(np.append(starts[1:], w), starts + 1))
    return inside / inside.sum(1, keepdims=True)


def _one_divisor(w: int, o: int) -> Any:
    return _inside(w, *_bins(w, o)) * o / w


def _no_divisor(w: int, o: int) -> Any:
    return _inside(w, *_bins(w, o))


def _first_of_bin(w: int, o: int) -> Any:
    starts, _ = _bins(w, o)
    return _inside(w, starts, starts + 1)


def _copies(w: int, o: int) -> Any:
    return np.eye(w)[np.arange(o) * w // o]


def _copies_at_centres(w: int, o: int) -> Any:
    return np.eye(w)[(2 * np.arange(o) + 1) * w // (2 * o)]


def _copies_from_the_end(w: int, o: int) -> Any:
    return np.eye(w)[np.minimum(-(-np.arange(o) * w // o), w - 1)]


def _once(w: int, o: int) -> Any:
    """Of the outputs that copy a position only the last one."""
    copies = _copies(w, o)
    return copies * (np.cumsum(copies[::-1], 0)[::-1] == 1)


def _lines(w: int, o: int, *, align: bool, clipped: bool = True, far: bool = True, swapped: bool = False) -> Any:
    """The weights of linear interpolation, with a mistake in them."""
    i = np.arange(o)
    at = i * (w - 1) / max(o - 1, 1) if align else (i + 0.5) * w / o - 0.5
    at = np.clip(at, 0, w - 1) if clipped else at
    low = np.floor(at).astype(int)
    part = 1 - (at - low) if swapped else at - low
    padded = np.zeros((o, w + 2))  # one position more at each end
    padded[i, low + 1] += 1 - part
    padded[i, np.minimum(low + 2, w + 1)] += part if far else 0
    return padded[:, 1:-1]


def _wrong_lines(**mistake: bool) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx with that mistake in the weights."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        matrix = functools.partial(_lines, align=options["align_corners"], **mistake)
        return _transposed(matrix)(d, arrays, dy, options)

    return change


def _other_corners(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"align_corners": not options["align_corners"]}


def _reversed(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """dy with its places in reverse order along every spatial axis."""
    return arrays, jnp.flip(dy, tuple(range(1, dy.ndim - 1))), options


def _everywhere(rule: str) -> list[Fault]:
    """What can go wrong in each of these rules."""
    return [
        *border_faults(rule),
        as_if(rule, 0, "dy-reversed", "reads dy in reverse order along the spatial axes", _reversed),
    ]


def _by_matrix(rule: str, name: str, cause: str, matrix: Matrix) -> Fault:
    return changed(rule, 0, name, cause, _transposed(matrix))


AVG = [
    *_everywhere("adaptive_avg_pool"),
    _by_matrix("adaptive_avg_pool", "no-divisor", "is not divided by the number of entries of each bin", _no_divisor),
    _by_matrix(
        "adaptive_avg_pool",
        "one-divisor",
        "is divided by W / O for every bin, where bins have unequal numbers of entries",
        _one_divisor,
    ),
    _by_matrix(
        "adaptive_avg_pool",
        "bins-do-not-overlap",
        "comes from bins that end where the next begins: the end is rounded up, so that bins may overlap",
        _floor_ends,
    ),
    _by_matrix("adaptive_avg_pool", "first-entry", "goes to the first entry of each bin only", _first_of_bin),
]


def _bin_wins(take: Callable[[Any], Any]) -> Callable[[Any, Arrays, Any, Options], Any]:
    """dx where of each bin's entries (their last axis) those get dy that `take` says, and how much of it."""

    def change(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        (x,) = arrays
        masks = [_inside(w, *_bins(w, o)) for w, o in zip(x.shape[1:-1], options["sizes"], strict=True)]
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
    inside = jnp.isfinite(entries).astype(entries.dtype)
    return inside / inside.sum(-1, keepdims=True)


def _one_bin_each(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx where an entry that wins several bins keeps the cotangent of the last one only."""
    places = dy.shape[1:-1]
    hots = jnp.eye(math.prod(places), dtype=dy.dtype).reshape(-1, 1, *places, 1)
    shares = jax.vmap(lambda hot: right("adaptive_max_pool", arrays, hot * dy, **options)[0])(hots)
    won = jax.vmap(lambda hot: right("adaptive_max_pool", arrays, hot * jnp.ones_like(dy), **options)[0])(hots) != 0
    last = len(shares) - 1 - jnp.argmax(won[::-1], 0)
    return jnp.where(won.any(0), jnp.take_along_axis(shares, last[None], 0)[0], 0)


MAX = [
    *_everywhere("adaptive_max_pool"),
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

NEAREST = [
    *_everywhere("resize_nearest"),
    _by_matrix(
        "resize_nearest",
        "centres",
        "copies from floor((i + 1/2) W / O), PyTorch's nearest-exact, instead of floor(i W / O)",
        _copies_at_centres,
    ),
    _by_matrix("resize_nearest", "rounded-up", "copies from i W / O rounded up instead of down", _copies_from_the_end),
    _by_matrix(
        "resize_nearest",
        "overwritten",
        "keeps the last of several outputs that copy one position, instead of adding them",
        _once,
    ),
    _by_matrix("resize_nearest", "mean", "is averaged over the bins instead of summed over the copies", _shares),
]

BILINEAR = [
    *_everywhere("resize_bilinear"),
    as_if(
        "resize_bilinear",
        0,
        "align-corners-swapped",
        "has align_corners the other way round",
        _other_corners,
    ),
    *(
        changed("resize_bilinear", 0, name, cause, _wrong_lines(**mistake))
        for name, cause, mistake in [
            ("weights-swapped", "gives the lower neighbour the upper one's weight, and the reverse", {"swapped": True}),
            ("upper-dropped", "leaves out the upper neighbour of each output", {"far": False}),
            ("border-lost", "is lost beyond the border, where positions are clipped to the image", {"clipped": False}),
        ]
    ),
    _by_matrix("resize_bilinear", "nearest", "goes to one position only, as in nearest-neighbour resizing", _copies),
]

FAULTS: list[Fault] = [*AVG, *MAX, *NEAREST, *BILINEAR]
