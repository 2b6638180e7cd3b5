"""Mistakes in the backward passes of pixel shuffling: every entry must go back to where it came from."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Fault, as_if, changed
from jaxcnn.verify.catalog.windows.faults import border_faults


def _block_first(image: Any, block: int) -> Any:
    """The channels counted (k, c) where they are counted (c, k): TensorFlow's order for PyTorch's."""
    split = image.reshape(*image.shape[:-1], image.shape[-1] // block, block)
    return jnp.swapaxes(split, -1, -2).reshape(image.shape)


def _block_reversed(image: Any, block: int) -> Any:
    """The taps of each block in reverse order."""
    return image.reshape(*image.shape[:-1], image.shape[-1] // block, block)[..., ::-1].reshape(image.shape)


Of = Callable[[str, str, Callable[[Any, int], Any]], Fault]


def _of_dx(name: str, cause: str, change: Callable[[Any, int], Any]) -> Fault:
    """Of pixel_shuffle, whose x has the blocks in its channels."""
    return changed("pixel_shuffle", 0, name, cause, lambda d, a, dy, o: change(d, math.prod(o["factor"])))


def _of_dy(name: str, cause: str, change: Callable[[Any, int], Any]) -> Fault:
    """Of pixel_unshuffle, whose y has them."""
    return as_if("pixel_unshuffle", 0, name, cause, lambda a, dy, o: (a, change(dy, math.prod(o["factor"])), o))


def _faults(rule: str, of: Of) -> list[Fault]:
    return [
        *border_faults(rule),
        changed(
            rule,
            0,
            "not-rearranged",
            "holds dy's entries in their old order, in another shape",
            lambda d, arrays, dy, options: dy.reshape(d.shape),
        ),
        as_if(
            rule,
            0,
            "dy-reversed",
            "reads dy in reverse order along the spatial axes",
            lambda arrays, dy, options: (arrays, jnp.flip(dy, tuple(range(1, dy.ndim - 1))), options),
        ),
        of(
            "block-first",
            "counts the channels block before channel, TensorFlow's order, instead of channel before block",
            _block_first,
        ),
        of("block-reversed", "has the pixels of each block in reverse order", _block_reversed),
    ]


FAULTS: list[Fault] = [*_faults("pixel_shuffle", _of_dx), *_faults("pixel_unshuffle", _of_dy)]
