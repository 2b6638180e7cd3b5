"""Mistakes in the backward passes of the dropouts: the mask and the factor."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed


def _resampled(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    x, key = arrays
    return (x, jax.random.split(key)[0]), dy, options


def _dropout(rule: str) -> list[Fault]:
    return [
        changed(rule, 0, "no-factor", "misses the factor 1 / (1 - rate)", lambda d, a, dy, o: d * (1 - o["rate"])),
        changed(
            rule,
            0,
            "factor-rate",
            "is divided by the rate instead of 1 - rate",
            lambda d, a, dy, o: d * (1 - o["rate"]) / o["rate"],
        ),
        changed(
            rule, 0, "factor-twice", "has the factor 1 / (1 - rate) twice", lambda d, a, dy, o: d / (1 - o["rate"])
        ),
        changed(rule, 0, "mask-ignored", "reaches dropped entries too", lambda d, a, dy, o: dy / (1 - o["rate"])),
        changed(
            rule,
            0,
            "mask-inverted",
            "reaches the dropped entries instead of the kept ones",
            lambda d, a, dy, o: jnp.where(d == 0, dy / (1 - o["rate"]), 0),
        ),
        as_if(rule, 0, "mask-resampled", "uses another random mask than the forward", _resampled),
    ]


def _mask_over(rule: str, name: str, cause: str, shared: Callable[[Any], tuple[int, ...]]) -> Fault:
    """The same key's mask, drawn once for all entries along other axes than the forward's."""
    return as_if(rule, 0, name, cause, lambda a, dy, o: (a, dy, o | {"shared": shared(a[0])}))


FAULTS: list[Fault] = [
    *_dropout("dropout"),
    *_dropout("spatial_dropout"),
    *_dropout("stochastic_depth"),
    _mask_over("spatial_dropout", "mask-each-entry", "has a mask for each entry instead of each channel", lambda x: ()),
    _mask_over(
        "spatial_dropout",
        "mask-over-batch",
        "drops the same channels in all examples",
        lambda x: tuple(range(x.ndim - 1)),
    ),
    _mask_over(
        "stochastic_depth", "mask-each-entry", "has a mask for each entry instead of each example", lambda x: ()
    ),
    _mask_over(
        "stochastic_depth",
        "mask-of-the-batch",
        "drops all examples or none, as torchvision's mode 'batch'",
        lambda x: tuple(range(x.ndim)),
    ),
]
