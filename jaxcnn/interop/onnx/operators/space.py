"""Padding, resizing, and channels that become places."""

import math
from typing import Any

import numpy as np

from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import operator
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.layers import Pad, PixelShuffle, Resize

PADDED: dict[str, Any] = {"constant": "zeros", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}
METHODS: dict[str, Any] = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic"}


@operator("Pad")
def pad(r: Reader, node: Node) -> None:
    """Of the spatial axes."""
    x = r.value(node)
    pads, axes = r.numbers(node, "pads", 1) or [], r.numbers(node, "axes", 3)
    axes = list(range(len(x.axes))) if axes is None else [axis % len(x.axes) for axis in axes]
    pairs = {x.longer(axis): (pads[i], pads[i + len(axes)]) for i, axis in enumerate(axes)}
    beyond = tuple(pairs.pop((axis,), (0, 0)) for axis in range(1, x.channel))
    if x.flat or any(map(any, pairs.values())) or min(pads, default=0) < 0:
        raise node.refused(f"pads an array of the shape {x.shape} by {pads}; expected more of its spatial axes alone.")
    value = r.optional(node, 2, "its value")
    number = float(node.options.get("value", 0.0) if value is None or not value.size else value.item())
    if any(map(any, beyond)):
        r.layer(node, Pad(beyond, PADDED[node.options.get("mode", "constant")], number))
    else:
        r.same(node)


@operator("DepthToSpace")
def depth_to_space(r: Reader, node: Node) -> None:
    """Channels become places."""
    r.image(node)
    if node.options.get("mode", "DCR") != "CRD":
        raise node.refused('counts channels by mode "DCR"; expected "CRD", as PyTorch\'s PixelShuffle.')
    r.layer(node, PixelShuffle(node.options["blocksize"]))


@operator("Resize", "Upsample")
def resize(r: Reader, node: Node) -> None:
    """By a factor where one makes all sizes, else to these sizes; only where outputs lie as in our `Resize`."""
    x = r.image(node)
    before, after = x.sizes[1:-1], _sizes(r, node, x.shape)
    factors = [size / length for length, size in zip(before, after, strict=True)]
    method = METHODS[node.options.get("mode", "nearest")]
    where = node.options.get("coordinate_transformation_mode", "half_pixel" if r.opset > 10 else "asymmetric")
    if method == "nearest":
        rounded = node.options.get("nearest_mode", "round_prefer_floor" if r.opset > 10 else "floor")
        copies = all(map(float.is_integer, factors)) and where == "half_pixel" and rounded.startswith("round")
        known = copies or (where, rounded) == ("asymmetric", "floor")
    else:
        known = where in ("half_pixel", "align_corners") or (where == "pytorch_half_pixel" and 1 not in after)
    curve = node.options.get("cubic_coeff_a", -0.75), node.options.get("exclude_outside", 0)
    if not known or node.options.get("antialias", 0) or (method == "bicubic" and curve != (-0.75, 0)):
        raise node.refused(f"takes its outputs from other places ({where!r}) or by other weights than our Resize.")
    scale = factors[0]
    if set(factors) == {scale} and all(math.floor(n * scale) == o for n, o in zip(before, after, strict=True)):
        r.layer(node, Resize(scale, method=method, align_corners=where == "align_corners"))
    else:
        r.layer(node, Resize(sizes=after, method=method, align_corners=where == "align_corners"))


def _sizes(r: Reader, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The new spatial sizes. A scale that makes no whole size counts there as it is, and here as what it makes."""
    older = node.op == "Upsample" or r.opset < 11
    sizes = None if older else r.optional(node, 3, "its sizes")
    if sizes is not None and sizes.size:
        after = [int(size) for size in sizes.reshape(-1)]
        exact = True
    else:
        scales = node.options.get("scales")
        scales = r.constant(node, 1 if older else 2, "its scales") if scales is None else np.asarray(scales)
        made = [length * float(scale) for length, scale in zip(shape, scales.reshape(-1), strict=False)]
        after = [round(size) for size in made]
        exact = all(math.isclose(size, whole, rel_tol=1e-6) for size, whole in zip(made, after, strict=True))
    if len(after) != len(shape) or tuple(after[:2]) != shape[:2] or not exact or "axes" in node.options:
        raise node.refused(f"resizes {shape} to {tuple(after)}; expected whole new sizes of all spatial axes alone.")
    return tuple(after[2:])
