"""Mistakes in the backward pass of mean pooling: what is divided by what."""

import math
from typing import Any

import jax.numpy as jnp

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.pool.faults.taps import first_tap, shared, window
from jaxcnn.verify.catalog.windows.faults import window_faults


def _none_counted(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"count_padding": ((0, 0),) * len(options["size"])}


def _all_counted(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"count_padding": options["padding"]}


def _undilated(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """What each window gives all its entries, laid down without dilation."""
    ones = jnp.ones_like(arrays[0])
    mean, total = (RULES["avg_pool"].plain(ones, **o) for o in (options, options | {"divisor_override": 1}))
    return shared(jnp.ones_like, dilated=False)(d, arrays, dy * mean / total, options)


FAULTS: list[Fault] = [
    *window_faults("avg_pool", window),
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
    as_if(
        "avg_pool",
        0,
        "divisor-ignored",
        "is divided by the number of a window's entries, whatever divisor_override is",
        lambda a, dy, o: (a, dy, o | {"divisor_override": None}),
    ),
    changed(
        "avg_pool",
        0,
        "divisor-for-each-axis",
        "is divided by divisor_override once for each axis",
        lambda d, a, dy, o: d / (o["divisor_override"] or 1) ** (len(o["size"]) - 1),
    ),
    changed(
        "avg_pool",
        0,
        "dilation-ignored",
        "goes to the entries that a window's taps would have without dilation",
        _undilated,
    ),
    changed("avg_pool", 0, "first-entry", "goes to the first entry of each window only", shared(first_tap)),
]
