"""Which shapes fit together in a convolution: the checks of `conv` and of its two gradients."""

from typing import Any

from jax import Array

from jaxcnn.ops.check import Layout, group_count
from jaxcnn.ops.geometry import Padding, PerAxis, output_size, per_axis, resolve_padding
from jaxcnn.ops.precision import Precision, multiplied_in


def check_conv(x: Array, kernel: Array, bias: Array | None, groups: int, layout: Layout) -> int:
    """The groups as an int; ValueError where x (channels last), kernel and bias do not fit."""
    window = ", ".join("dhw"[-(x.ndim - 2) :])
    if kernel.ndim != x.ndim:
        single = " For a single image write x[None]." if kernel.ndim == x.ndim + 1 else ""
        raise ValueError(
            f"conv: kernel has shape {kernel.shape} and x has {x.ndim - 2} spatial axes (shape {x.shape}, "
            f"channels last); expected a kernel of rank {x.ndim}, ({window}, cin / groups, cout).{single}"
        )
    *sizes, cin, cout = kernel.shape
    if min(kernel.shape) < 1:
        raise ValueError(f"conv: kernel has shape {kernel.shape}; every axis must be 1 or longer.")
    groups = group_count("conv", groups, cout, f"the kernel's output, shape {kernel.shape}")
    if x.shape[-1] != cin * groups:
        if layout == "NHWC" and x.shape[1] == cin * groups:
            hint = (
                f'Axis 1 of x has {cin * groups}: if x is NCHW, (n, c, h, w), pass layout="NCHW" to the operation; '
                "for layers write jnp.moveaxis(x, 1, -1)."
            )
        elif layout == "NCHW" and x.shape[-2] == cin * groups:
            hint = 'If x is NHWC, (n, h, w, c), pass layout="NHWC".'
        elif x.shape[-1] % groups:
            hint = f"{groups} groups do not divide {x.shape[-1]} channels."
        else:
            hint = f"Give a kernel of shape {(*sizes, x.shape[-1] // groups, cout)}."
        raise ValueError(
            f"conv: x has {x.shape[-1]} channels (shape {x.shape}, channels last), but the kernel, shape "
            f"{kernel.shape} with groups={groups}, takes {cin * groups}. {hint}"
        )
    if bias is not None and bias.shape != (cout,):
        raise ValueError(
            f"conv: bias has shape {bias.shape}; expected ({cout},), one for each output channel of the kernel."
        )
    return groups


def gradient_options(
    op: str,
    dy: Array,
    sizes: PerAxis,
    window: PerAxis,
    cout: int,
    *,
    stride: PerAxis,
    padding: Padding,
    dilation: PerAxis,
    precision: Precision | None,
) -> dict[str, Any]:
    """The options but the groups, worked out; ValueError if dy is not what `conv` returns with them.

    `sizes` are x's spatial sizes, `window` the kernel's, `cout` its output channels.
    """
    axes = dy.ndim - 2
    if axes not in (1, 2, 3):
        raise ValueError(f"{op}: dy has shape {dy.shape}; expected (n, *out, cout) with 1, 2 or 3 spatial axes.")
    sizes, window = per_axis(op, "sizes", sizes, axes), per_axis(op, "window", window, axes)
    stride, dilation = per_axis(op, "stride", stride, axes), per_axis(op, "dilation", dilation, axes)
    pads = resolve_padding(op, padding, sizes, window, stride, dilation)
    out = tuple(
        output_size(w, k, stride=s, padding=(p,), dilation=d)
        for w, k, s, p, d in zip(sizes, window, stride, pads, dilation, strict=True)
    )
    if dy.shape[1:] != (*out, cout):
        raise ValueError(
            f"{op}: dy has shape {dy.shape}; with these options conv returns (n, {', '.join(map(str, (*out, cout)))})."
        )
    return {"stride": stride, "padding": pads, "dilation": dilation, "precision": multiplied_in(op, precision)}
