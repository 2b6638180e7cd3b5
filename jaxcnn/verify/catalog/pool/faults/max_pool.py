"""Mistakes in the backward pass of max pooling."""

from typing import Any

import jax.numpy as jnp
from jax import lax

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed, pulled_back
from jaxcnn.verify.catalog.pool.faults.taps import MAX_SHARES, first_won, shared, window
from jaxcnn.verify.catalog.windows.faults import window_faults


def _zero_padded_max(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx of max pooling with a padding of zeros, which wins over negative entries."""
    config = [(0, 0, 0), *((low, high, 0) for low, high in options["padding"]), (0, 0, 0)]
    valid = options | {"padding": tuple((0, 0) for _ in options["padding"])}

    def zero_padded(x: Any) -> Any:
        return RULES["max_pool"].plain(lax.pad(x, jnp.zeros((), x.dtype), config), **valid)

    return pulled_back(zero_padded, arrays, dy)[0]


FAULTS: list[Fault] = [
    *window_faults("max_pool", window),
    *(changed("max_pool", 0, name, cause, shared(shares)) for name, cause, shares in MAX_SHARES),
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
        shared(first_won, dilated=False),
    ),
]
