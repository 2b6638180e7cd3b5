"""Mistakes in the backward pass of weight standardization."""

import math
from collections.abc import Callable
from typing import Any

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, changed
from jaxcnn.verify.catalog.norm.faults.standardize import Wrong, others, standardization_faults, standardized_dx


def _kernel(axes: Callable[[Any], Any], **terms: Any) -> Wrong:
    """dkernel of weight standardization with the statistics over these axes."""

    def wrong(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
        kernel, gain = arrays
        return standardized_dx(kernel, dy if gain is None else dy * gain, axes(kernel), options["epsilon"], **terms)

    return wrong


FAULTS: list[Fault] = [
    *standardization_faults(
        "weight_standardize",
        lambda **terms: _kernel(others, **terms),
        lambda arrays, options: math.prod(arrays[0].shape[:-1]),
    ),
    changed(
        "weight_standardize",
        0,
        "statistics-per-input",
        "takes the statistics over the window only, for each input channel by itself",
        _kernel(lambda kernel: tuple(range(kernel.ndim - 2))),
    ),
    changed(
        "weight_standardize",
        0,
        "statistics-over-outputs",
        "takes the statistics over the output channels too",
        _kernel(lambda kernel: tuple(range(kernel.ndim))),
    ),
]
