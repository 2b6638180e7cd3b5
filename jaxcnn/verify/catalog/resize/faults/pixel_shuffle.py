"""Mistakes in the backward passes of pixel shuffling: every entry must go back to where it came from."""

import math
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed
from jaxcnn.verify.catalog.windows.faults import border_faults


def _other_mode(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, options | {"mode": "DCR" if options["mode"] == "CRD" else "CRD"}


def _block_reversed(image: Any, options: Options) -> Any:
    """The taps of each block in reverse order."""
    block = math.prod(options["factor"])
    rest = image.shape[-1] // block
    if options["mode"] == "CRD":
        return image.reshape(*image.shape[:-1], rest, block)[..., ::-1].reshape(image.shape)
    return image.reshape(*image.shape[:-1], block, rest)[..., ::-1, :].reshape(image.shape)


Of = Callable[[str, str, Callable[[Any, Options], Any]], Fault]


def _of_dx(name: str, cause: str, change: Callable[[Any, Options], Any]) -> Fault:
    """Of pixel_shuffle, whose x has the blocks in its channels."""
    return changed("pixel_shuffle", 0, name, cause, lambda d, a, dy, o: change(d, o))


def _of_dy(name: str, cause: str, change: Callable[[Any, Options], Any]) -> Fault:
    """Of pixel_unshuffle, whose y has them."""
    return as_if("pixel_unshuffle", 0, name, cause, lambda a, dy, o: (a, change(dy, o), o))


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
        as_if(
            rule,
            0,
            "channel-order",
            "counts the channels block before channel for channel before block, or the other way round",
            _other_mode,
        ),
        of("block-reversed", "has the pixels of each block in reverse order", _block_reversed),
    ]


FAULTS: list[Fault] = [*_faults("pixel_shuffle", _of_dx), *_faults("pixel_unshuffle", _of_dy)]
