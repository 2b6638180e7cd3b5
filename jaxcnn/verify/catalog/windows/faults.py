"""Mistakes in how windows lie over an input, shared by convolution and pooling.

Arrays are channels last, `options` are those that a rule's door works out; the image is the first argument.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, right


def spatial_axes(image: Any) -> range:
    """The axes of (n, *spatial, c) between the batch and the channels."""
    return range(1, image.ndim - 1)


def swapped_padding(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """The low padding at the high end and the high one at the low end."""
    return arrays, dy, options | {"padding": tuple((high, low) for low, high in options["padding"])}


def last_column_dropped(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """dy without the last output place along its last spatial axis."""
    return arrays, dy.at[..., -1, :].set(0), options


def border_zeroed(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    """d with zeros in its outermost places."""
    for axis in spatial_axes(d):
        place = jax.lax.broadcasted_iota(jnp.int32, d.shape, axis)
        d = jnp.where((place == 0) | (place == d.shape[axis] - 1), 0, d)
    return d


def remainders(sizes: Any, windows: Any, options: Options) -> list[int]:
    """How many positions the last window leaves over at the high end of each padded axis."""
    dilations = options.get("dilation", (1,) * len(sizes))
    return [
        (w + low + high - (k - 1) * d - 1) % s
        for w, k, d, s, (low, high) in zip(
            sizes, windows, dilations, options["stride"], options["padding"], strict=True
        )
    ]


def overwritten(rule: str, arrays: Arrays, dy: Any, options: Options) -> Any:
    """dx where overlapping windows overwrite each other: only the last output place that reaches an entry counts."""
    places = dy.shape[1:-1]
    one_place = jnp.eye(math.prod(places), dtype=dy.dtype).reshape(-1, 1, *places, 1)
    reach = (
        arrays[0],
        *(None if a is None else jnp.ones_like(a) for a in arrays[1:]),
    )  # a kernel of ones cancels nothing

    def dx(arrays: Arrays, dy: Any) -> Any:
        return right(rule, arrays, dy, **options)[0]

    shares = jax.vmap(lambda place: dx(arrays, place * dy))(one_place)
    reached = jax.vmap(lambda place: dx(reach, place * jnp.ones_like(dy)))(one_place) != 0
    last = len(shares) - 1 - jnp.argmax(reached[::-1], 0)
    return jnp.where(reached.any(0), jnp.take_along_axis(shares, last[None], 0)[0], 0)


def border_faults(rule: str) -> list[Fault]:
    """What can go wrong at the end of any rule from images to images."""
    return [
        as_if(
            rule,
            0,
            "last-column-dropped",
            "leaves out the last output place along the last spatial axis",
            last_column_dropped,
        ),
        changed(rule, 0, "border-zeroed", "is zero in the outermost places of the image", border_zeroed),
    ]


def window_faults(rule: str, window: Any) -> list[Fault]:
    """What can go wrong in dx of any rule that slides a window; `window(arrays, options)` gives its sizes."""

    def remainder_at_the_wrong_end(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        left_over = remainders(d.shape[1:-1], window(arrays, options), options)
        return jnp.roll(d, left_over, tuple(spatial_axes(d)))

    return [
        as_if(rule, 0, "padding-swapped", "has the low and the high padding swapped", swapped_padding),
        *border_faults(rule),
        changed(
            rule,
            0,
            "stride-remainder",
            "is shifted by what the stride leaves over at the end, as if that lay at the beginning",
            remainder_at_the_wrong_end,
        ),
        changed(
            rule,
            0,
            "overlap-overwritten",
            "keeps one window's share where windows overlap, overwriting the others instead of adding them",
            lambda d, arrays, dy, options: overwritten(rule, arrays, dy, options),
        ),
    ]
