"""Mistakes in the backward pass of unpooling."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed


def _other_indices(change: Callable[[Any, Any], Any]) -> Callable[[Arrays, Any, Options], tuple[Arrays, Any, Options]]:
    """As if the indices were `change(indices, sizes)`."""

    def pretend(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
        return (arrays[0], change(arrays[1], options["sizes"])), dy, options

    return pretend


def _column_major(indices: Any, sizes: Any) -> Any:
    place = jnp.zeros_like(indices)
    for size in reversed(sizes):  # peel the last axis off, and make it the first
        indices, at = indices // size, indices % size
        place = place * size + at
    return place


def _all_writers(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    x, indices = arrays
    rows = indices.reshape(len(x), math.prod(x.shape[1:-1]), x.shape[-1])
    flat = dy.reshape(len(dy), math.prod(options["sizes"]), dy.shape[-1])
    return jnp.take_along_axis(flat, rows, 1).reshape(d.shape)


FAULTS: list[Fault] = [
    changed(
        "max_unpool",
        0,
        "written-over",
        "reaches entries too that a later one with the same index wrote over",
        _all_writers,
    ),
    *(
        as_if("max_unpool", 0, name, cause, _other_indices(change))
        for name, cause, change in [
            ("column-major", "takes the indices for column-major places", _column_major),
            (
                "one-channel",
                "is read at the first channel's indices in every channel",
                lambda i, sizes: jnp.broadcast_to(i[..., :1], i.shape),
            ),
            (
                "one-example",
                "is read at the first example's indices in every example",
                lambda i, sizes: jnp.broadcast_to(i[:1], i.shape),
            ),
            (
                "off-by-one",
                "is read one place after the index, as if indices counted from 1",
                lambda i, sizes: (i + 1) % math.prod(sizes),
            ),
        ]
    ),
]
