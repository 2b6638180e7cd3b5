"""Pooling: in windows, and of the whole image."""

from typing import Any

from jaxcnn.interop.onnx.axes import Value
from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import operator
from jaxcnn.interop.onnx.operators.windows import Windows
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.layers import AvgPool, GlobalAvgPool, GlobalMaxPool, Layer, MaxPool

WHOLE: dict[str, Layer] = {
    **dict.fromkeys(["AveragePool", "GlobalAveragePool", "ReduceMean"], GlobalAvgPool()),
    **dict.fromkeys(["MaxPool", "GlobalMaxPool", "ReduceMax"], GlobalMaxPool()),
}


@operator("MaxPool", "AveragePool")
def pool(r: Reader, node: Node) -> None:
    """A window that is as large as images by the file is global pooling."""
    x = r.image(node)
    window = node.options["kernel_shape"]
    windows = Windows.of(r, node, x, window)
    if tuple(window) == x.sizes[1:-1] and windows.padding == "VALID" and windows.dilation == 1 and not r.open_sizes:
        _whole(r, node, x)
        return
    options: dict[str, Any] = windows._asdict() | {"ceil_mode": bool(node.options.get("ceil_mode", 0))}
    if windows.stride == windows.size:
        del options["stride"]
    counted = bool(node.options.get("count_include_pad", 0))
    r.layer(node, MaxPool(**options) if node.op == "MaxPool" else AvgPool(count_padding=counted, **options))


@operator("GlobalAveragePool", "GlobalMaxPool")
def global_pool(r: Reader, node: Node) -> None:
    """Over all places."""
    x = r.value(node)
    if x.is_pooled():
        r.same(node)
    else:
        _whole(r, node, r.image(node))


def _whole(r: Reader, node: Node, x: Value) -> None:
    r.layer(node, WHOLE[node.op], ((0,), (1,), *((),) * (len(x.axes) - 2)))


@operator("ReduceMean", "ReduceMax")
def reduce(r: Reader, node: Node) -> None:
    """Over all places of an image: global pooling."""
    x = r.value(node)
    rank = len(x.axes)
    axes = {axis % rank for axis in r.numbers(node, "axes", 1) or range(rank)}
    kept = [place for place in range(rank) if place not in axes]
    reduced = sorted(axis for place in axes for axis in x.longer(place))
    spatial = [axis for axis in range(1, x.channel) if x.sizes[axis] != 1]
    if x.flat or reduced != spatial or not any(x.has_channels(place) for place in kept):
        raise node.refused(f"goes over the axes {sorted(axes)} of the shape {x.shape}; expected all spatial ones.")
    left = [(0,) if 0 in x.axes[place] else (1,) if x.has_channels(place) else () for place in range(rank)]
    made = tuple(left[place] for place in (range(rank) if node.options.get("keepdims", 1) else kept))
    if x.channel == 1:
        r.same(node, x._replace(axes=made))
    else:
        r.layer(node, WHOLE[node.op], made)
