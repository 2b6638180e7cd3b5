"""Convolution's three linear maps by `lax.conv_general_dilated`, on any platform that XLA serves.

All take channels last: x (n, *spatial, cin), kernel (*window, cin / groups, cout), y (n, *out, cout). With x padded,
along each axis

    y[o] = Σ_k x[o s + k d] kernel[k],      s the stride, d the dilation.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax.numpy as jnp
from jax import Array, lax
from jax.core import max_dim
from jax.export import is_symbolic_dim
from jax.typing import DTypeLike

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


class Options(NamedTuple):
    """The options of all three maps: a number (padding: a pair) for each spatial axis, and the result's dtype.

    `preferred_element_type` is the operands' own where it is None. bfloat16 operands can give a float32 result that was
    never rounded to bfloat16.
    """

    stride: Ints
    padding: Pairs
    dilation: Ints
    groups: int
    preferred_element_type: DTypeLike | None = None

    def out(self, sizes: Sequence[int], window: Sequence[int]) -> tuple[int, ...]:
        """y's spatial sizes."""
        axes = zip(sizes, window, self.stride, self.padding, self.dilation, strict=True)
        return tuple((w + low + high - extent(k, d)) // s + 1 for w, k, s, (low, high), d in axes)

    def full(self, sizes: Sequence[int], window: Sequence[int], out: Sequence[int]) -> Pairs:
        """The padding of dy, spread apart by the stride, from which each x[q] gets all that reached it.

        "Full" means e - 1 on each side, less what the forward had padded; the high side also gets back the positions
        that the stride left over. Both may be negative, which crops.
        """
        axes = zip(sizes, map(extent, window, self.dilation), out, self.stride, self.padding, strict=True)
        return tuple((e - 1 - low, w + low - extent(o, s)) for w, e, o, s, (low, _) in axes)


def extent(taps: int, step: int) -> int:
    """How far `taps` taps reach in steps of `step`."""
    return (taps - 1) * step + 1


def _spec(axes: int, first: str, last: str) -> str:
    return first + "DHW"[-axes:] + last


def _cropped(a: Array, padding: Pairs, spread: Ints) -> tuple[Array, Pairs, Ints]:
    """An image, its padding and by how much it is spread apart; padded and spread already where something is cropped.

    A convolution of XLA on a CPU (jaxlib 0.10.2) with negative padding reads memory that nobody has written. Nor does
    `lax` take a padding that is worked out from a size which `jax.export` leaves open.
    """
    if not any(is_symbolic_dim(end) or end < 0 for pair in padding for end in pair):
        return a, padding, spread
    edges = [(low, high, step - 1) for (low, high), step in zip(padding, spread, strict=True)]
    a = lax.pad(a, jnp.zeros((), a.dtype), [(0, 0, 0), *edges, (0, 0, 0)])
    return a, ((0, 0),) * len(padding), (1,) * len(spread)


def fprop(x: Array, kernel: Array, options: Options) -> Array:
    """y from x and kernel."""
    n = len(options.stride)
    x, padding, _ = _cropped(x, options.padding, (1,) * n)
    return lax.conv_general_dilated(
        x,
        kernel,
        window_strides=options.stride,
        padding=padding,
        rhs_dilation=options.dilation,
        feature_group_count=options.groups,
        dimension_numbers=(_spec(n, "N", "C"), "DHW"[-n:] + "IO", _spec(n, "N", "C")),
        preferred_element_type=options.preferred_element_type,
    )


def dgrad(dy: Array, kernel: Array, sizes: Sequence[int], options: Options) -> Array:
    """dx from dy and kernel: dy, spread apart by the stride, convolved in full with the kernel rotated by 180°.

    `sizes` are x's spatial sizes, which dy does not determine when the stride leaves a remainder.
    """
    stride, groups = options.stride, options.groups
    n = len(stride)
    *window, cin, cout = kernel.shape
    if max(stride) > 1:
        # XLA's simplifier (jaxlib 0.10.2, CPU) ends the process on some spread-out inputs shorter than their kernel.
        # Zeros after the last entry change nothing and keep it from trying.
        short = [(0, max_dim(0, k - o)) for k, o in zip(window, dy.shape[1:-1], strict=True)]
        dy = jnp.pad(dy, ((0, 0), *short, (0, 0)))
    # The flipped kernel itself, with the names of its channels exchanged: so XLA knows cuDNN's backward pass in it.
    turned, channels = lax.rev(kernel, tuple(range(n))), "OI"
    if groups > 1:  # the outputs of a group are its inputs now, and the other way round
        turned = jnp.swapaxes(turned.reshape(*window, cin, groups, cout // groups), -3, -1)
        turned, channels = turned.reshape(*window, cout // groups, groups * cin), "IO"
    dy, padding, spread = _cropped(dy, options.full(sizes, window, dy.shape[1:-1]), stride)
    return lax.conv_general_dilated(
        dy,
        turned,
        window_strides=(1,) * n,
        padding=padding,
        lhs_dilation=spread,
        rhs_dilation=options.dilation,
        feature_group_count=groups,
        dimension_numbers=(_spec(n, "N", "C"), "DHW"[-n:] + channels, _spec(n, "N", "C")),
        preferred_element_type=options.preferred_element_type,
    )


def wgrad(x: Array, dy: Array, window: Sequence[int], options: Options) -> Array:
    """dkernel from x and dy: x correlated with dy as the kernel, channels as the batch, the batch as channels.

    `window` are the kernel's spatial sizes. Stride and dilation change places: y[o] read x[o s + k d], so
    dkernel[k] = Σ_o x[o s + k d] dy[o] reads x in steps of d under a "kernel" dy dilated by s.
    """
    stride, padding, dilation, groups, dtype = options
    n = len(stride)
    pads = tuple(
        (low, extent(k, d) + extent(o, s) - 1 - w - low)
        for k, d, o, s, w, (low, _) in zip(
            window, dilation, dy.shape[1:-1], stride, x.shape[1:-1], padding, strict=True
        )
    )
    x, pads, _ = _cropped(x, pads, (1,) * n)
    return lax.conv_general_dilated(
        x,
        dy,
        window_strides=dilation,
        padding=pads,
        rhs_dilation=stride,
        batch_group_count=groups,
        dimension_numbers=(_spec(n, "C", "N"), _spec(n, "I", "O"), "DHW"[-n:] + "NC"),
        preferred_element_type=dtype,
    )
