"""Convolution's three linear maps by `lax.conv_general_dilated`, on any platform that XLA serves.

All take channels last: x (n, *spatial, cin), kernel (*window, cin / groups, cout), y (n, *out, cout), and
options with a number (padding: a pair) for each spatial axis. With x padded, along each axis

    y[o] = Σ_k x[o s + k d] kernel[k],      s the stride, d the dilation.

`preferred_element_type` is the result's dtype, the operands' own by default: bfloat16 operands can give a float32
result that was never rounded to bfloat16.
"""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import DTypeLike

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def extent(taps: int, step: int) -> int:
    """How far `taps` taps reach in steps of `step`."""
    return (taps - 1) * step + 1


def _spec(axes: int, first: str, last: str) -> str:
    return first + "DHW"[-axes:] + last


def fprop(
    x: Array,
    kernel: Array,
    *,
    stride: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
    preferred_element_type: DTypeLike | None = None,
) -> Array:
    """y from x and kernel."""
    n = len(stride)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=stride,
        padding=padding,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=(_spec(n, "N", "C"), "DHW"[-n:] + "IO", _spec(n, "N", "C")),
        preferred_element_type=preferred_element_type,
    )


def dgrad(
    dy: Array,
    kernel: Array,
    sizes: Sequence[int],
    *,
    stride: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
    preferred_element_type: DTypeLike | None = None,
) -> Array:
    """dx from dy and kernel: dy, spread apart by the stride, convolved in full with the kernel rotated by 180°.

    `sizes` are x's spatial sizes, which dy does not determine when the stride leaves a remainder.
    """
    n = len(stride)
    *window, cin, cout = kernel.shape
    if max(stride) > 1:
        # XLA's simplifier (jaxlib 0.10.2, CPU) ends the process on some spread-out inputs shorter than their kernel.
        # Zeros after the last entry change nothing and keep it from trying.
        short = [(0, max(0, k - o)) for k, o in zip(window, dy.shape[1:-1], strict=True)]
        dy = jnp.pad(dy, ((0, 0), *short, (0, 0)))
    turned = jnp.flip(kernel, range(n)).reshape(*window, cin, groups, cout // groups)
    turned = jnp.swapaxes(turned, -3, -1).reshape(*window, cout // groups, groups * cin)
    # "Full" means e - 1 on each side, less what the forward had padded; the high side also gets back the
    # positions that the stride left over. Both may be negative, which crops.
    full = [
        (e - 1 - low, w + low - extent(o, s))
        for w, o, s, (low, _), e in zip(
            sizes, dy.shape[1:-1], stride, padding, map(extent, window, dilation), strict=True
        )
    ]
    return lax.conv_general_dilated(
        dy,
        turned,
        window_strides=(1,) * n,
        padding=full,
        lhs_dilation=stride,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=(_spec(n, "N", "C"), "DHW"[-n:] + "IO", _spec(n, "N", "C")),
        preferred_element_type=preferred_element_type,
    )


def wgrad(
    x: Array,
    dy: Array,
    window: Sequence[int],
    *,
    stride: Ints,
    padding: Pairs,
    dilation: Ints,
    groups: int,
    preferred_element_type: DTypeLike | None = None,
) -> Array:
    """dkernel from x and dy: x correlated with dy as the kernel, channels as the batch, the batch as channels.

    `window` are the kernel's spatial sizes. Stride and dilation change places: y[o] read x[o s + k d], so
    dkernel[k] = Σ_o x[o s + k d] dy[o] reads x in steps of d under a "kernel" dy dilated by s.
    """
    n = len(stride)
    pads = [
        (low, extent(k, d) + extent(o, s) - 1 - w - low)
        for k, d, o, s, w, (low, _) in zip(
            window, dilation, dy.shape[1:-1], stride, x.shape[1:-1], padding, strict=True
        )
    ]
    return lax.conv_general_dilated(
        x,
        dy,
        window_strides=dilation,
        padding=pads,
        rhs_dilation=stride,
        batch_group_count=groups,
        dimension_numbers=(_spec(n, "C", "N"), _spec(n, "I", "O"), "DHW"[-n:] + "NC"),
        preferred_element_type=preferred_element_type,
    )
