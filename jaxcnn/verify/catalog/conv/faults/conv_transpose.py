"""Mistakes in the backward pass of transposed convolution, whose dx is a convolution of dy."""

from typing import Any

from jaxcnn.verify.catalog.conv.faults.conv import bias_faults, dkernel_faults, kernel_faults
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, first_example, mean_example
from jaxcnn.verify.catalog.windows.faults import last_column_dropped, remainders, swapped_padding

RULE = "conv_transpose"


def _output_padding_low(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """dy read as if the output padding lay at its low end."""
    extra = remainders(options["sizes"], arrays[1].shape[:-2], options)
    padding = tuple((low - o, high + o) for o, (low, high) in zip(extra, options["padding"], strict=True))
    return arrays, dy, options | {"padding": padding}


FAULTS: list[Fault] = [
    *kernel_faults(RULE, argument=0, kernel=1),
    *dkernel_faults(RULE, argument=1),
    *bias_faults(RULE),
    *(
        as_if(RULE, argument, of + name, cause, pretend)
        for argument, of in enumerate(["", "kernel-"])
        for name, cause, pretend in [
            ("padding-swapped", "has the low and the high padding swapped", swapped_padding),
            ("output-padding-low", "takes the output padding to lie at the low end", _output_padding_low),
            (
                "last-column-dropped",
                "leaves out the last output place along the last spatial axis",
                last_column_dropped,
            ),
        ]
    ),
    as_if(RULE, 1, "kernel-one-sample", "is the gradient of the batch's first example only", first_example),
    as_if(
        RULE, 1, "kernel-mean-input", "comes from the batch's mean input instead of each example's own", mean_example
    ),
]
