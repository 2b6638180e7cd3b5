"""Where the windows of pooling lie, in numbers: what the doors of the pooling operations share."""

import math
from collections.abc import Sequence
from typing import Any

from jax import Array
from jax.core import max_dim, min_dim
from jax.export import is_symbolic_dim
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import Layout, floating, spatial
from jaxcnn.ops.geometry import Pair, PerAxis, PoolPadding, extent, padding_pairs, per_axis, resolve_padding
from jaxcnn.ops.pool.windows import Windows, along_axes


def checked(op: str, x: ArrayLike, layout: Layout, **options: Any) -> tuple[Array, dict[str, Any]]:
    """x, channels last, and what `pool_options` makes of the options; ValueError where they do not fit."""
    array, _ = spatial(op, floating(op, "x", x), layout)
    return array, pool_options(op, array.shape[1:-1], **options)


def on_one_axis(x: Array) -> Float[Array, "n m c"]:
    """All places of (n, *spatial, c) in row-major order on one axis."""
    return x.reshape(x.shape[0], math.prod(x.shape[1:-1]), x.shape[-1])


def pool_options(
    op: str,
    sizes: Sequence[int],
    *,
    size: PerAxis,
    stride: PerAxis | None,
    padding: PoolPadding,
    dilation: PerAxis | None = None,
    ceil_mode: bool = False,
    count_padding: bool | None = None,
) -> dict[str, Any]:
    """The windows over an image of these sizes, one number for each axis; each window has a tap inside the image.

    What `ceil_mode` adds is part of the high padding. `count_padding` becomes the (low, high) padding along each axis
    that counts in a mean. The options that are None, because the operation has no such option, are left out.
    """
    axes = len(sizes)
    size = per_axis(op, "size", size, axes)
    stride = size if stride is None else per_axis(op, "stride", stride, axes)
    dilations = (1,) * axes if dilation is None else per_axis(op, "dilation", dilation, axes)
    spans = tuple(map(extent, size, dilations))
    given = padding_pairs(op, padding, sizes, spans, stride, names=("VALID", "SAME", "FULL"))
    ceiled = map(_ceiled, sizes, spans, stride, given)
    pads = resolve_padding(op, tuple(ceiled) if ceil_mode else given, sizes, size, stride, dilations)
    _touch(op, sizes, size, stride, pads, dilations)
    options: dict[str, Any] = {"size": size, "stride": stride, "padding": pads}
    if dilation is not None:
        options["dilation"] = dilations
    if count_padding is not None:
        counted = tuple((low, min_dim(high, most)) for (low, high), (_, most) in zip(given, pads, strict=True))
        options["count_padding"] = counted if count_padding else ((0, 0),) * axes
    return options


def _ceiled(length: int, span: int, stride: int, pads: Pair) -> Pair:
    """The padding for as many of O = ceil((W + P_lo + P_hi - E) / S) + 1 windows as start before x ends.

    Source: PyTorch, aten/src/ATen/native/Pool.h, pooling_output_shape.
    """
    low, high = pads
    places = min_dim(-(-(length + low + high - span) // stride) + 1, (length + low - 1) // stride + 1)
    return low, max_dim((places - 1) * stride + span - length - low, 0) if places > 0 else high


def _touch(op: str, sizes: Any, size: Any, stride: Any, pads: Any, dilations: Any) -> None:
    """ValueError for a window of which every tap lies in the padding: its maximum would be -inf, its mean 0 / 0."""
    for axis, (length, windows) in enumerate(zip(sizes, along_axes(size, stride, pads, dilations), strict=True)):
        if is_symbolic_dim(length):
            _touch_open(op, axis, length, windows)
            continue
        at = windows.positions(length)
        touches = ((at >= 0) & (at < length)).any(1)
        if not touches.all():
            which = touches.argmin()
            name = {len(at) - 1: "the last window", 0: "the first window"}.get(which, f"window {which}")
            hint = f"Pad less; at most {windows.size - 1} at each end is always fine."
            if windows.dilation > 1:
                hint = f"Its taps are {windows.dilation} apart: pad less or dilate less."
            raise ValueError(
                f"{op}: along spatial axis {axis} {name} lies wholly in the padding {pads[axis]}: x has size "
                f"{length} there, the window {windows.size}, the stride {windows.stride}. {hint}"
            )


def _touch_open(op: str, axis: int, length: Any, windows: Windows) -> None:
    """The same where the length is open: an axis no shorter than the dilation, padded by less than a window spans.

    A padding that is open itself comes from "SAME" or from `ceil_mode`, which pad no more than that.
    """
    most = extent(windows.size, windows.dilation) - 1
    if length < windows.dilation or any(not is_symbolic_dim(end) and end > most for end in windows.pads):
        raise ValueError(
            f"{op}: along spatial axis {axis} a window may lie wholly in the padding {windows.pads}: x has the open "
            f"size {length} there, the window {windows.size}, the dilation {windows.dilation}. Pad by {most} at most, "
            "and dilate by no more than the size."
        )
