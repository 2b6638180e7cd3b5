"""Transposed convolution: the map that carries a convolution's gradient back to its input, used as a forward."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.mesh import automatic
from jaxcnn.ops.check import Layout, channels_back, floating, group_count, same_dtype, spatial
from jaxcnn.ops.conv.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.geometry import Padding, PerAxis, extent, is_whole, known, per_axis, resolve_padding, wrong
from jaxcnn.ops.precision import Precision, multiplied_in
from jaxcnn.ops.rule import rule, tangent_of

Image = Float[Array, "n *spatial c"]
Kernel = Float[Array, "*window o i"]


def _plain(x: Image, kernel: Kernel, bias: Float[Array, " o"] | None, *, sizes: Sequence[int], **options: Any) -> Image:
    """y as JAX's transpose of a convolution from y's shape to x's, plus bias."""
    y = conv_dgrad.plain(x, kernel, sizes=sizes, **options)
    return y if bias is None else y + bias


def _forward(
    x: Image, kernel: Kernel, bias: Array | None, *, sizes: Sequence[int], **options: Any
) -> tuple[Image, Any]:
    """y, and the arguments."""
    y, _ = conv_dgrad.forward(x, kernel, sizes=sizes, **options)
    return (y if bias is None else y + bias), (x, kernel, bias)


def _backward(residuals: Any, dy: Image, *, sizes: Any, **options: Any) -> tuple[Image, Kernel, Array | None]:
    """The cotangents (dx, dkernel, dbias) of transposed convolution.

    ⟨conv_transpose(x, kernel), dy⟩ = ⟨x, conv(dy, kernel)⟩, which is what transposed means. The right side is linear in
    x with coefficient dx = conv(dy, kernel). It is linear in the kernel too: ⟨x, conv(dy, kernel)⟩ =
    ⟨conv_wgrad(dy, x), kernel⟩, so dkernel = conv_wgrad(dy, x), in which dy plays the input and x the gradient. The
    bias is added at every place: dbias = Σ_n Σ_p dy[n, p].

    Source: Dumoulin & Visin 2016, "A guide to convolution arithmetic for deep learning", section 4.
    """
    x, kernel, bias = residuals
    dx = conv.apply(dy, kernel, None, **options)
    dkernel = conv_wgrad.apply(dy, x, window=kernel.shape[:-2], **options)
    return dx, dkernel, None if bias is None else dy.sum(range(dy.ndim - 1))


@rule(_plain, _forward, _backward, tangent_of(_forward))
def conv_transpose(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    output_padding: int | Sequence[int] = 0,
    dilation: PerAxis = 1,
    groups: int = 1,
    precision: Precision | None = None,
    layout: Layout = "NHWC",
) -> Array:
    """Put a copy of `kernel`, times x, at every `stride`-th place of a larger image, and add them up.

    It is the input gradient of `conv` with the same options: what maps (n, *spatial, cin) to (n, *out, cout) there
    maps (n, *out, cout) back to (n, *spatial, cin) here. The kernel is the one that `conv` would take, so its axes
    read (*window, features out / groups, features in), as PyTorch's ConvTranspose does (there: in, out / groups,
    *window). For groups = 1 and windows no shorter than the stride, `lax.conv_transpose` with `transpose_kernel=True`
    is the same; without it, it takes the kernel flipped over its window and with its last two axes exchanged.

    Args:
      x: a batch (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      kernel: (*window, o / groups, c).
      bias: (o,), added to every place.
      stride: by how much the image grows.
      padding: what `conv` would have padded and is cut off here. With size W, extent E and the pair (low, high) the
        output is (W - 1) stride + E - low - high + output_padding long; with "SAME" it is W stride.
      output_padding: added at the high end, for the sizes that a stride cannot tell apart; less than the stride or
        less than the dilation, and 0 with "SAME".
      dilation, groups, precision, layout: as `conv`.

    Raises: ValueError for a wrong rank, channels that do not match, integer data, options out of their range, and
      padding that leaves no output.

    The backward pass and its derivation: `conv_transpose.backward`.
    """
    op = "conv_transpose"
    x, axes = spatial(op, floating(op, "x", x), layout)
    kernel = floating(op, "kernel", kernel)
    bias = None if bias is None else floating(op, "bias", bias)
    groups = _check_shapes(x, kernel, bias, groups)
    stride, dilation = per_axis(op, "stride", stride, axes), per_axis(op, "dilation", dilation, axes)
    extents = [extent(k, d) for k, d in zip(kernel.shape[:-2], dilation, strict=True)]
    padding = known(padding)
    extra = _output_padding(output_padding, stride, dilation, padding)
    x, extra = _whole_strides(x, extra, stride)
    if padding == "SAME":
        sizes = [w * s for w, s in zip(x.shape[1:-1], stride, strict=True)]
        pads = resolve_padding(op, padding, sizes, kernel.shape[:-2], stride, dilation)
    else:
        full = [(w - 1) * s + e for w, s, e in zip(x.shape[1:-1], stride, extents, strict=True)]
        pads = resolve_padding(op, padding, full, kernel.shape[:-2], stride, dilation)
        sizes = [f - low - high + o for f, (low, high), o in zip(full, pads, extra, strict=True)]
    if any(size < 1 for size in sizes):
        raise ValueError(
            f"{op}: padding {padding!r} cuts {pads} off an output of {full}, which leaves {sizes}; pad less."
        )
    y = conv_transpose.apply(
        *same_dtype(x, kernel, bias),
        sizes=tuple(sizes),
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        precision=multiplied_in(op, precision),
    )
    return channels_back(y, layout)


def _output_padding(
    given: int | Sequence[int], stride: tuple[int, ...], dilation: tuple[int, ...], padding: Padding
) -> tuple[int, ...]:
    numbers = known(given)
    extra = numbers if isinstance(numbers, tuple) else (numbers,) * len(stride)
    limits = (1,) * len(stride) if padding == "SAME" else map(max, stride, dilation)
    if len(extra) != len(stride) or not all(is_whole(o) and 0 <= o < m for o, m in zip(extra, limits, strict=True)):
        expected = (
            "an int, or one for each spatial axis, from 0 to the larger of stride and dilation less 1, and 0 with "
            f"padding 'SAME' (here with stride {stride}, dilation {dilation} and padding {padding!r})"
        )
        raise wrong("conv_transpose", "output_padding", given, expected)
    return tuple(map(int, extra))


def _whole_strides(x: Image, extra: tuple[int, ...], stride: tuple[int, ...]) -> tuple[Image, tuple[int, ...]]:
    """x with a zero behind it for each whole stride of the output padding, and what is left of that.

    A zero's copy of the kernel adds nothing. With what is left, less than the stride, `conv` of y has x's sizes.
    """
    whole = [o // s for o, s in zip(extra, stride, strict=True)]
    if any(whole):
        padded = partial(jnp.pad, pad_width=((0, 0), *((0, k) for k in whole), (0, 0)))
        x = automatic(padded, padded, x)
    return x, tuple(o % s for o, s in zip(extra, stride, strict=True))


def _check_shapes(x: Array, kernel: Array, bias: Array | None, groups: int) -> int:
    """The groups as an int; ValueError where x (channels last), kernel and bias do not fit."""
    if kernel.ndim != x.ndim:
        raise ValueError(
            f"conv_transpose: kernel has shape {kernel.shape} and x {x.shape} (channels last); expected a kernel of "
            f"rank {x.ndim}, (*window, out / groups, in)."
        )
    *_, out, channels = kernel.shape
    groups = group_count("conv_transpose", groups, channels, f"the kernel's input, shape {kernel.shape}")
    if x.shape[-1] != channels:
        raise ValueError(
            f"conv_transpose: x has {x.shape[-1]} channels (shape {x.shape}, channels last), but the kernel, shape "
            f"{kernel.shape} read as (*window, out / groups, in), takes {channels}. Swap its last two axes if it is "
            '(*window, in, out), or pass layout="NCHW" if x is NCHW.'
        )
    if bias is not None and bias.shape != (out * groups,):
        raise ValueError(
            f"conv_transpose: bias has shape {bias.shape}; expected ({out * groups},), one for each output channel."
        )
    return groups
