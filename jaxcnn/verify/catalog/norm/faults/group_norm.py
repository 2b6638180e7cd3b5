"""Mistakes in the backward passes of the norms of each example: group, instance, layer and RMS norm."""

import math
from dataclasses import replace
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.norm.faults.standardize import Wrong, scale_faults, standardization_faults, standardized_dx

OVER = (1, 3)


def _grouped(x: Any, groups: int) -> Any:
    """(n, places, groups, channels of a group)."""
    return x.reshape(len(x), math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups)


def _interleaved(x: Any, groups: int) -> Any:
    """The same with every groups-th channel in a group, instead of neighbours."""
    return jnp.swapaxes(_grouped(x, x.shape[-1] // groups), -1, -2)


def _example(axes: tuple[int, ...] = OVER, **terms: Any) -> Wrong:
    """dx of group normalisation with the statistics over `axes` of the grouped x."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        x, scale, _ = arrays
        groups = options.get("groups", 1)
        du = _grouped(dy * scale, groups)
        return standardized_dx(_grouped(x, groups), du, axes, options["epsilon"], **terms).reshape(x.shape)

    return wrong


def _rms(**terms: Any) -> Wrong:
    """dx of RMS normalisation."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        x, scale = arrays
        return standardized_dx(x, dy * scale, (-1,), options["epsilon"], **{"by_mean": 0.0, "centred": False} | terms)

    return wrong


def _sums(rule: str, argument: int, name: str) -> list[Fault]:
    """A vector that serves all examples and places."""
    return [
        as_if(rule, argument, f"{name}-one-sample", "is summed over the first example only", first_example),
        changed(
            rule,
            argument,
            f"{name}-mean",
            "is the mean over batch and places instead of the sum",
            lambda d, a, dy, o: d / max(1, math.prod(dy.shape[:-1])),
        ),
    ]


def _group_size(arrays: Arrays, options: Options) -> int:
    return math.prod(arrays[0].shape[1:]) // options.get("groups", 1)


def _of_rows(fault: Fault) -> Fault:
    """A fault that takes x for rows (m, c), with scale and bias (c,), where these have several axes, too."""

    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        size = arrays[1].size
        rows, *vectors = (a.reshape(-1, size) if i == 0 else a.reshape(size) for i, a in enumerate(arrays))
        wrong = fault.backward((rows, *vectors), dy.reshape(-1, size), **options)
        return tuple(None if d is None else d.reshape(a.shape) for d, a in zip(wrong, arrays, strict=True))

    return replace(fault, backward=backward)


def _wrong_groups(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    x, scale, _ = arrays
    groups = options["groups"]
    dx = standardized_dx(_interleaved(x, groups), _interleaved(dy * scale, groups), OVER, options["epsilon"])
    return jnp.swapaxes(dx, -1, -2).reshape(x.shape)


def _rows_as_places(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """Of (n, c), which has no places: the n rows as if they were the places of one image."""
    return _example((0, 1, 3))(d, arrays, dy, options) if arrays[0].ndim == 2 else d


def _statistics(rule: str, name: str, cause: str, axes: tuple[int, ...]) -> Fault:
    return changed(rule, 0, name, cause, _example(axes))


GROUP = [
    fault
    for rule in ("group_norm", "instance_norm", "layer_norm")
    for fault in [
        *standardization_faults(rule, _example, _group_size),
        *_sums(rule, 1, "scale"),
        *_sums(rule, 2, "bias"),
        _statistics(
            rule, "statistics-over-batch", "takes the statistics over the batch too, as batch norm does", (0, 1, 3)
        ),
    ]
] + [
    changed(
        "group_norm",
        0,
        "group-order",
        "puts every groups-th channel in a group, where a group's channels are neighbours",
        _wrong_groups,
    ),
    changed("group_norm", 0, "rows-as-places", "of (n, c) takes the rows for the places of one image", _rows_as_places),
    _statistics("group_norm", "statistics-per-channel", "takes each channel's own statistics, as instance norm", (1,)),
    _statistics("group_norm", "statistics-per-place", "takes the statistics at each place by itself", (3,)),
    _statistics("instance_norm", "statistics-over-channels", "takes the statistics over the channels too", (1, 2, 3)),
]

RMS = [
    changed("rms_norm", 0, "square-term-dropped", "misses the path through the mean square", _rms(by_var=0.0)),
    changed(
        "rms_norm",
        0,
        "sum-for-mean",
        "has a sum over the channels where the mean belongs",
        lambda d, a, dy, o: _rms(by_var=float(d.shape[-1]))(d, a, dy, o),
    ),
    changed("rms_norm", 0, "square-for-root", "is divided by the mean square instead of its root", _rms(power=2.0)),
    changed("rms_norm", 0, "centred", "is that of layer norm: RMS norm subtracts no mean", _rms(by_mean=1.0)),
    *scale_faults("rms_norm"),
    *_sums("rms_norm", 1, "scale"),
]

FAULTS: list[Fault] = [_of_rows(f) if f.rule in ("layer_norm", "rms_norm") else f for f in [*GROUP, *RMS]]
