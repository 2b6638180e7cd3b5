"""Mistakes in the backward pass of padding: what was copied beyond the border must come back to where it came from."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.windows.faults import swapped_padding

Place = Any  # for each place of y along one axis, how far beyond the border it lies; 0 inside
MIRRORED = ("reflect", "symmetric")


def _mode(name: str, cause: str, taken: tuple[str, ...], instead: str) -> Fault:
    """Some modes folded back as if they were another."""

    def pretend(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
        return arrays, dy, options | ({"mode": instead} if options["mode"] in taken else {})

    return as_if("pad", 0, name, cause, pretend)


def _beyond(dy: Any, axis: int, padding: Any) -> tuple[Place, Place]:
    """How far each place of dy lies beyond the low and beyond the high border along an axis; 0 or less inside."""
    low, high = padding[axis - 1]
    place = jax.lax.broadcasted_iota(jnp.int32, dy.shape, axis)
    return low - place, place - (dy.shape[axis] - high - 1)


def _without(name: str, cause: str, lost: Callable[[list[tuple[Place, Place]], str], Any]) -> Fault:
    """dy with zeros where `lost` says so, from the distances along each axis and the mode."""

    def pretend(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
        distances = [_beyond(dy, axis, options["padding"]) for axis in range(1, dy.ndim - 1)]
        return arrays, jnp.where(lost(distances, options["mode"]), 0, dy), options

    return as_if("pad", 0, name, cause, pretend)


def _outside(distance: tuple[Place, Place]) -> Any:
    return (distance[0] > 0) | (distance[1] > 0)


def _not_reversed(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """The ends of dy reversed beforehand, so that mirroring them puts them down in their own order."""
    if options["mode"] not in MIRRORED:
        return arrays, dy, options
    for axis, (low, high) in enumerate(options["padding"], 1):
        middle = dy.shape[axis] - max(high, 0)
        first, inner, last = jnp.split(dy, [max(low, 0), middle], axis)
        dy = jnp.concatenate([jnp.flip(first, axis), inner, jnp.flip(last, axis)], axis)
    return arrays, dy, options


def _crops(options: Options) -> list[tuple[int, tuple[int, int]]]:
    """Each axis, and how many entries were cropped at its two ends."""
    return [(axis, (max(-low, 0), max(-high, 0))) for axis, (low, high) in enumerate(options["padding"], 1)]


def _crop_at_the_other_end(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    for axis, (low, high) in _crops(options):
        d = jnp.roll(d, high - low, axis)
    return d


def _crop_kept(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    for axis, (low, high) in _crops(options):
        w = d.shape[axis]
        left = jax.lax.slice_in_dim(d, low, w - high, axis=axis)
        d = jnp.pad(left, [(low, high) if a == axis else (0, 0) for a in range(d.ndim)], mode="edge")
    return d


FAULTS: list[Fault] = [
    changed(
        "pad",
        0,
        "crop-at-the-other-end",
        "has the zeros of what was cropped at one end at the other one",
        _crop_at_the_other_end,
    ),
    changed("pad", 0, "crop-kept", "gives what was cropped the cotangent of its neighbour that was left", _crop_kept),
    changed(
        "pad",
        0,
        "value-as-factor",
        "has the constant that stands beyond the border as a factor",
        lambda d, a, dy, o: d * (o["value"] or 1),
    ),
    _mode(
        "ends-dropped",
        "leaves out what was copied beyond the border, as if it were zeros",
        ("replicate", "circular", *MIRRORED),
        "zeros",
    ),
    _mode(
        "zeros-replicated", "adds the padding's cotangents to the border, where zeros stood", ("zeros",), "replicate"
    ),
    _mode(
        "mirrored-with-border",
        "is folded at the border's edge: reflect leaves out the border entry itself",
        ("reflect",),
        "symmetric",
    ),
    _mode(
        "all-to-the-border",
        "adds everything beyond the border to the border entry",
        ("circular", *MIRRORED),
        "replicate",
    ),
    _mode(
        "circular-same-end",
        "is folded back at the same end: circular padding shows the opposite one",
        ("circular",),
        "symmetric",
    ),
    as_if("pad", 0, "padding-swapped", "has the low and the high padding swapped", swapped_padding),
    as_if("pad", 0, "ends-not-reversed", "puts the mirrored ends back without reversing them", _not_reversed),
    _without(
        "corners-dropped",
        "leaves out the corners: what lies beyond the border along two axes",
        lambda distances, mode: sum(_outside(d).astype(int) for d in distances) > 1,
    ),
    _without(
        "high-end-dropped",
        "leaves out what was copied beyond the high end",
        lambda distances, mode: sum(high > 0 for _, high in distances) > 0,
    ),
    _without(
        "nearest-copy-only",
        "counts only the nearest of the copies of a border entry",
        lambda distances, mode: (
            sum((low > 1) | (high > 1) for low, high in distances) > 0 if mode == "replicate" else 0
        ),
    ),
]
