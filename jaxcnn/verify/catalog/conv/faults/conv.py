"""Mistakes in the backward passes of convolution and of its two gradients."""

from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if, changed, first_example
from jaxcnn.verify.catalog.windows.faults import last_column_dropped, remainders, swapped_padding, window_faults


def _with(arrays: Arrays, argument: int, new: Any) -> Arrays:
    return (*arrays[:argument], new, *arrays[argument + 1 :])


def _window(array: Any) -> range:
    """The window's axes of a kernel (*window, i, o)."""
    return range(array.ndim - 2)


def _in_c_order(array: Any, a: int, b: int) -> Any:
    """Two axes swapped, and the memory read as the old shape: what a wrong reshape or `order` does."""
    return jnp.swapaxes(array, a, b).reshape(array.shape)


def _regrouped(array: Any, groups: int) -> Any:
    """The channels (last axis) as if neighbours belonged to different groups."""
    *rest, channels = array.shape
    return jnp.swapaxes(array.reshape(*rest, groups, channels // groups), -1, -2).reshape(array.shape)


def _dilation_ignored(arrays: Arrays, dy: Any, options: Options, window: Any) -> tuple[Arrays, Any, Options]:
    """Taps side by side; the padding's high end makes up for the shorter extent."""
    padding = tuple(
        (low, high - (k - 1) * (d - 1))
        for k, d, (low, high) in zip(window, options["dilation"], options["padding"], strict=True)
    )
    return arrays, dy, options | {"dilation": (1,) * len(padding), "padding": padding}


def _remainder_cropped_low(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """The positions that the stride leaves over are skipped at the low end."""
    left_over = remainders(arrays[0].shape[1:-1], arrays[1].shape[:-2], options)
    padding = tuple((low - r, high + r) for r, (low, high) in zip(left_over, options["padding"], strict=True))
    return arrays, dy, options | {"padding": padding}


def kernel_faults(rule: str, argument: int, kernel: int) -> list[Fault]:
    """The cotangent of `argument`, an image, with the kernel (argument number `kernel`) read wrongly."""

    def reading(name: str, cause: str, wrong: Any) -> Fault:
        return as_if(rule, argument, name, cause, lambda a, dy, o: (_with(a, kernel, wrong(a[kernel], o)), dy, o))

    return [
        reading(
            "no-flip",
            "equals the gradient with the kernel not rotated by 180°"
            if rule == "conv"
            else "has the kernel rotated by 180°",
            lambda k, o: jnp.flip(k, tuple(_window(k))),
        ),
        reading(
            "flip-one-axis",
            "equals the gradient with the kernel not flipped along its first spatial axis"
            if rule == "conv"
            else "has the kernel flipped along its first spatial axis",
            lambda k, o: jnp.flip(k, 0),
        ),
        reading(
            "in-out-swapped",
            "has the kernel's input and output channels swapped",
            lambda k, o: _in_c_order(k, -1, -2),
        ),
        reading(
            "height-width-swapped",
            "has the kernel's height and width swapped",
            lambda k, o: _in_c_order(k, 0, k.ndim - 3),
        ),
        reading(
            "group-order",
            "has the output channels assigned to the groups in the wrong order",
            lambda k, o: _regrouped(k, o["groups"]),
        ),
        as_if(
            rule,
            argument,
            "dilation-ignored",
            "ignores the dilation: the kernel's taps lie side by side",
            lambda a, dy, o: _dilation_ignored(a, dy, o, a[kernel].shape[:-2]),
        ),
    ]


def dkernel_faults(rule: str, argument: int) -> list[Fault]:
    """A cotangent of a kernel's shape, right but for the order of its entries, or for what it sums over."""
    return [
        changed(
            rule,
            argument,
            "kernel-gradient-flipped",
            "is rotated by 180°: for cross-correlation the kernel's gradient is not flipped",
            lambda d, a, dy, o: jnp.flip(d, tuple(_window(d))),
        ),
        changed(
            rule,
            argument,
            "kernel-gradient-transposed",
            "has height and width swapped",
            lambda d, a, dy, o: _in_c_order(d, 0, d.ndim - 3),
        ),
        changed(
            rule,
            argument,
            "kernel-gradient-in-out",
            "has input and output channels swapped",
            lambda d, a, dy, o: _in_c_order(d, -1, -2),
        ),
        changed(
            rule,
            argument,
            "kernel-gradient-group-order",
            "has the output channels assigned to the groups in the wrong order",
            lambda d, a, dy, o: _regrouped(d, o["groups"]),
        ),
    ]


def bias_faults(rule: str) -> list[Fault]:
    """A bias, argument 2, is added at every place of every example."""
    return [
        as_if(rule, 2, "bias-one-sample", "is summed over the first example only", first_example),
        changed(
            rule,
            2,
            "bias-mean-over-places",
            "is the mean over the output places instead of the sum",
            lambda d, a, dy, o: dy.mean(tuple(range(1, dy.ndim - 1))).sum(0),
        ),
        changed(
            rule,
            2,
            "bias-corner",
            "counts only the first output place",
            lambda d, a, dy, o: dy[:, *[0] * (dy.ndim - 2)].sum(0),
        ),
    ]


CONV = [
    *window_faults("conv", lambda arrays, options: arrays[1].shape[:-2]),
    *kernel_faults("conv", argument=0, kernel=1),
    *dkernel_faults("conv", argument=1),
    as_if("conv", 1, "kernel-one-sample", "is the gradient of the batch's first example only", first_example),
    as_if("conv", 1, "kernel-padding-swapped", "has the low and the high padding swapped", swapped_padding),
    as_if(
        "conv",
        1,
        "kernel-last-column-dropped",
        "leaves out the last output place along the last spatial axis",
        last_column_dropped,
    ),
    as_if(
        "conv",
        1,
        "kernel-stride-remainder",
        "reads the image shifted by what the stride leaves over at the end",
        _remainder_cropped_low,
    ),
    as_if(
        "conv",
        1,
        "kernel-dilation-ignored",
        "ignores the dilation: the kernel's taps lie side by side",
        lambda a, dy, o: _dilation_ignored(a, dy, o, a[1].shape[:-2]),
    ),
    *bias_faults("conv"),
]

DGRAD = [
    *kernel_faults("conv_dgrad", argument=0, kernel=1),
    *dkernel_faults("conv_dgrad", argument=1),
    as_if("conv_dgrad", 0, "padding-swapped", "has the low and the high padding swapped", swapped_padding),
    as_if("conv_dgrad", 1, "kernel-one-sample", "is the gradient of the batch's first example only", first_example),
]


def _kernel_cotangent_flipped(arrays: Arrays, ddkernel: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, jnp.flip(ddkernel, tuple(_window(ddkernel))), options


def _wgrad_dilation_ignored(arrays: Arrays, ddkernel: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return _dilation_ignored(arrays, ddkernel, options, options["window"])


def _kernel_cotangent_transposed(arrays: Arrays, ddkernel: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, _in_c_order(ddkernel, -1, -2), options


WGRAD = [
    fault
    for argument, of in enumerate(["x", "dy"])
    for fault in [
        as_if(
            "conv_wgrad",
            argument,
            f"flipped-for-{of}",
            "has the kernel's cotangent rotated by 180°",
            _kernel_cotangent_flipped,
        ),
        as_if(
            "conv_wgrad",
            argument,
            f"in-out-swapped-for-{of}",
            "has input and output channels swapped",
            _kernel_cotangent_transposed,
        ),
        as_if(
            "conv_wgrad",
            argument,
            f"padding-swapped-for-{of}",
            "has the low and the high padding swapped",
            swapped_padding,
        ),
        as_if(
            "conv_wgrad",
            argument,
            f"dilation-ignored-for-{of}",
            "ignores the dilation: taps lie side by side",
            _wgrad_dilation_ignored,
        ),
    ]
]

FAULTS: list[Fault] = [*CONV, *DGRAD, *WGRAD]
