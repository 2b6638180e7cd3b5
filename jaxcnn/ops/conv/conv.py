"""Convolution as the field means it (cross-correlation), and its two gradients, closed under differentiation.

Convolution is linear in x and linear in the kernel, so three maps make a closed family:

    y       = conv(x, kernel)
    dx      = conv_dgrad(dy, kernel)     linear in dy and in kernel
    dkernel = conv_wgrad(x, dy)          linear in x and in dy

The backward of each is the other two; that is why reverse over reverse works through these rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array, lax, vjp
from jax.export import is_symbolic_dim
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn import kernels
from jaxcnn.ops.check import Layout, channels_back, floating, group_count, same_dtype, spatial
from jaxcnn.ops.conv.shapes import check_conv, gradient_options
from jaxcnn.ops.geometry import Padding, PerAxis, per_axis, resolve_padding
from jaxcnn.ops.precision import Precision, as_multiplied, multiplied_in
from jaxcnn.ops.rule import rule, tangent_of

Image = Float[Array, "n *spatial c"]
Kernel = Float[Array, "*window i o"]


def _plain(
    x: Image, kernel: Kernel, bias: Float[Array, " o"] | None, *, precision: Precision | None = None, **options: Any
) -> Image:
    """y = conv(x, kernel) + bias, by XLA; not through `kernels`, so that the proof does not lean on what it proves."""
    x, kernel = as_multiplied(precision, x, kernel)
    axes, padding = "DHW"[-len(options["stride"]) :], options["padding"]
    if any(is_symbolic_dim(end) for pair in padding for end in pair):  # which `lax.conv_general_dilated` does not take
        x, padding = jnp.pad(x, ((0, 0), *padding, (0, 0))), "VALID"
    y = lax.conv_general_dilated(
        x,
        kernel,
        window_strides=options["stride"],
        padding=padding,
        rhs_dilation=options["dilation"],
        feature_group_count=options["groups"],
        dimension_numbers=(f"N{axes}C", f"{axes}IO", f"N{axes}C"),
    )
    return y if bias is None else y + bias


def _forward(x: Image, kernel: Kernel, bias: Array | None, **options: Any) -> tuple[Image, Any]:
    """y, and what the backward needs: x for dkernel, kernel for dx."""
    y = kernels.fprop(x, kernel, **options)
    return (y if bias is None else y + bias), (x, kernel, bias)


def _backward(residuals: Any, dy: Image, **options: Any) -> tuple[Image, Kernel, Array | None]:
    """The cotangents (dx, dkernel, dbias) of cross-correlation.

    Write x for the padded input. Along each spatial axis, with stride s and dilation d, and summed over the
    input channels i of the output channel's group,

        y[n, p, o] = bias[o] + Σ_k Σ_i x[n, p s + k d, i] kernel[k, i, o].

    Every cotangent is dy weighted by the derivative of y and summed over all outputs.

    *dkernel*: ∂y[n, p, o] / ∂kernel[k, i, o] = x[n, p s + k d, i]. The kernel is shared by all n and p, so its
    gradient is a sum over all of them: dkernel[k, i, o] = Σ_n Σ_p x[n, p s + k d, i] dy[n, p, o].

    *dx*: x[n, q, i] meets kernel[k, i, o] in the output p where p s + k d = q, so
    dx[n, q, i] = Σ_o Σ_{(k, p): p s + k d = q} kernel[k, i, o] dy[n, p, o]. For s = d = 1 that is
    Σ_k kernel[k] dy[q - k]: a true convolution, the full correlation of dy with the kernel rotated by 180°. A
    stride puts s - 1 zeros between the entries of dy first.

    *dbias*: the bias is added at every n and p, so dbias[o] = Σ_n Σ_p dy[n, p, o].

    Source: LeCun et al. 1989, "Backpropagation applied to handwritten zip code recognition"; the forms with
    stride are those of Dumoulin & Visin 2016, section 4.
    """
    x, kernel, bias = residuals
    dx = conv_dgrad.apply(dy, kernel, sizes=x.shape[1:-1], **options)
    dkernel = conv_wgrad.apply(x, dy, window=kernel.shape[:-2], **options)
    dbias = None if bias is None else dy.sum(range(dy.ndim - 1))
    return dx, dkernel, dbias


@rule(_plain, _forward, _backward, tangent_of(_forward))
def conv(
    x: ArrayLike,
    kernel: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    precision: Precision | None = None,
    layout: Layout = "NHWC",
) -> Array:
    """Slide `kernel` over `x` and take the dot product at every place (cross-correlation: nothing is flipped).

    Args:
      x: a batch (n, *spatial, cin) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, cin, *spatial).
      kernel: (*window, cin / groups, cout) in either layout. Flip it, `jnp.flip(kernel, (0, 1))`, for the
        convolution of mathematics.
      bias: (cout,), added to every place.
      stride: step between places, for all spatial axes or one for each.
      padding: "VALID", "SAME", "FULL", "CAUSAL", an int, or a (low, high) pair for each spatial axis; zeros are padded.
        A window that lies wholly in them is no mistake here, as it is for pooling: its output is the bias.
      dilation: distance between neighbouring taps of the kernel.
      groups: the input and output channels are cut into this many groups that do not see each other;
        groups = cin is a depthwise convolution.
      precision: what float32 is multiplied in, here and in the backward pass. "bfloat16" rounds x, kernel and dy to it
        and sums their products in float32, the dtype of every result: up to several times as fast where the hardware
        multiplies bfloat16 (AMX, AMD's AVX512_BF16, GPU, TPU). None follows `jax.default_matmul_precision`. No other
        dtype heeds it.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: (n, *out, cout), or (n, cout, *out); for `out` see `jaxcnn.ops.geometry`.

    Raises: ValueError for a wrong rank, channels that do not match, integer data, a stride or dilation below 1,
      an unknown padding, precision or layout, or a kernel larger than the padded input.

    The backward pass and its derivation: `conv.backward`.
    """
    x, axes = spatial("conv", floating("conv", "x", x), layout)
    kernel = floating("conv", "kernel", kernel)
    bias = None if bias is None else floating("conv", "bias", bias)
    groups = check_conv(x, kernel, bias, groups, layout)
    stride = per_axis("conv", "stride", stride, axes)
    dilation = per_axis("conv", "dilation", dilation, axes)
    pads = resolve_padding("conv", padding, x.shape[1:-1], kernel.shape[:-2], stride, dilation)
    y = conv.apply(
        *same_dtype(x, kernel, bias),
        stride=stride,
        padding=pads,
        dilation=dilation,
        groups=groups,
        precision=multiplied_in("conv", precision),
    )
    return channels_back(y, layout)


def _dgrad_plain(
    dy: Image, kernel: Kernel, *, sizes: Sequence[int], precision: Precision | None = None, **options: Any
) -> Image:
    """dx as the transpose of the linear map x -> y, derived by JAX."""
    dy, kernel = as_multiplied(precision, dy, kernel)
    *_, cin, _ = kernel.shape
    x = jnp.zeros((dy.shape[0], *sizes, cin * options["groups"]), dy.dtype)
    return vjp(lambda x: _plain(x, kernel, None, **options), x)[1](dy)[0]


def _dgrad_forward(dy: Image, kernel: Kernel, *, sizes: Sequence[int], **options: Any) -> tuple[Image, Any]:
    """dx = Σ kernel dy, see `conv.backward`."""
    return kernels.dgrad(dy, kernel, sizes, **options), (dy, kernel)


def _dgrad_backward(residuals: Any, ddx: Image, *, sizes: Any, **options: Any) -> tuple[Image, Kernel]:
    """The cotangents of dx = conv_dgrad(dy, kernel), given ddx.

    ⟨conv_dgrad(dy, kernel), ddx⟩ = ⟨dy, conv(ddx, kernel)⟩, since the two are transposes of each other. The right
    side is linear in dy with coefficient conv(ddx, kernel), and, as ⟨conv_wgrad(ddx, dy), kernel⟩, linear in kernel.
    """
    dy, kernel = residuals
    return (
        conv.apply(ddx, kernel, None, **options),
        conv_wgrad.apply(ddx, dy, window=kernel.shape[:-2], **options),
    )


@rule(_dgrad_plain, _dgrad_forward, _dgrad_backward, tangent_of(_dgrad_forward))
def conv_dgrad(
    dy: ArrayLike,
    kernel: ArrayLike,
    sizes: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    precision: Precision | None = None,
) -> Array:
    """dx of `conv`: the gradient for an input with spatial sizes `sizes`, from dy (n, *out, cout) and the kernel.

    Options as `conv`, channels last. Raises ValueError if dy is not of the shape that `conv` would have returned.
    The derivation is in `conv.backward`, that of its own backward in `conv_dgrad.backward`.
    """
    op = "conv_dgrad"
    dy, kernel = floating(op, "dy", dy), floating(op, "kernel", kernel)
    if kernel.ndim != dy.ndim:
        raise ValueError(
            f"{op}: kernel has shape {kernel.shape} and dy {dy.shape}; expected the same rank: "
            "(*window, cin / groups, cout) and (n, *out, cout)."
        )
    *window, _, cout = kernel.shape
    groups = group_count(op, groups, cout, f"the kernel's output, shape {kernel.shape}")
    options = gradient_options(
        op, dy, sizes, window, cout, stride=stride, padding=padding, dilation=dilation, precision=precision
    )
    sizes = per_axis(op, "sizes", sizes, len(window))
    return conv_dgrad.apply(*same_dtype(dy, kernel), sizes=sizes, groups=groups, **options)


def _wgrad_plain(
    x: Image, dy: Image, *, window: Sequence[int], precision: Precision | None = None, **options: Any
) -> Kernel:
    """dkernel as the transpose of the linear map kernel -> y, derived by JAX."""
    x, dy = as_multiplied(precision, x, dy)
    kernel = jnp.zeros((*window, x.shape[-1] // options["groups"], dy.shape[-1]), x.dtype)
    return vjp(lambda kernel: _plain(x, kernel, None, **options), kernel)[1](dy)[0]


def _wgrad_forward(x: Image, dy: Image, *, window: Sequence[int], **options: Any) -> tuple[Kernel, Any]:
    """dkernel = Σ x dy, see `conv.backward`."""
    return kernels.wgrad(x, dy, window, **options), (x, dy)


def _wgrad_backward(residuals: Any, ddkernel: Kernel, *, window: Any, **options: Any) -> tuple[Image, Image]:
    """The cotangents of dkernel = conv_wgrad(x, dy), given ddkernel.

    ⟨conv_wgrad(x, dy), ddkernel⟩ = ⟨dy, conv(x, ddkernel)⟩ = ⟨x, conv_dgrad(dy, ddkernel)⟩: the coefficients of dy
    and x are their cotangents.
    """
    x, dy = residuals
    return (
        conv_dgrad.apply(dy, ddkernel, sizes=x.shape[1:-1], **options),
        conv.apply(x, ddkernel, None, **options),
    )


@rule(_wgrad_plain, _wgrad_forward, _wgrad_backward, tangent_of(_wgrad_forward))
def conv_wgrad(
    x: ArrayLike,
    dy: ArrayLike,
    window: PerAxis,
    *,
    stride: PerAxis = 1,
    padding: Padding = "SAME",
    dilation: PerAxis = 1,
    groups: int = 1,
    precision: Precision | None = None,
) -> Array:
    """dkernel of `conv`: the gradient (*window, cin / groups, cout) for a kernel of spatial sizes `window`.

    Options, errors and the derivation as of `conv_dgrad`; its own backward pass is derived in `conv_wgrad.backward`.
    """
    op = "conv_wgrad"
    x, dy = floating(op, "x", x), floating(op, "dy", dy)
    if x.ndim != dy.ndim or x.shape[:1] != dy.shape[:1]:
        raise ValueError(
            f"{op}: x has shape {x.shape} and dy {dy.shape}; expected the same batch and rank: "
            "(n, *spatial, cin) and (n, *out, cout)."
        )
    groups = group_count(op, group_count(op, groups, x.shape[-1], "x"), dy.shape[-1], "dy")
    *_, cout = dy.shape
    options = gradient_options(
        op, dy, x.shape[1:-1], window, cout, stride=stride, padding=padding, dilation=dilation, precision=precision
    )
    window = per_axis(op, "window", window, x.ndim - 2)
    return conv_wgrad.apply(*same_dtype(x, dy), window=window, groups=groups, **options)
