"""Normalisation."""

import numpy as np

from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import channels, decimal, operator
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.layers import BatchNorm, InstanceNorm, LayerNorm, LocalResponseNorm


@operator("BatchNormalization")
def batch_norm(r: Reader, node: Node) -> None:
    """Its four arrays are params and state; of an older file's momentum, which may be 1, what training can use."""
    if node.options.get("training_mode", 0) or any(node.outputs[1:]) or not node.options.get("spatial", 1):
        raise node.refused("is in training mode or of single places; expected running statistics for each channel.")
    x = r.rows(node) if len(r.value(node).axes) == 2 else r.value(node)
    if not x.flat:
        channels(node, x, 1)
    what = ("scale", "bias", "mean", "var")
    scale, bias, mean, var = (x.in_our_order(r.weights(node, 1 + i, f"its {w}"), 1) for i, w in enumerate(what))
    momentum = node.options.get("momentum", 0.9)
    layer = BatchNorm(decimal(momentum) if 0 <= momentum < 1 else 0.9, decimal(node.options.get("epsilon", 1e-5)))
    r.layer(node, layer, params={"scale": scale, "bias": bias}, state={"mean": mean, "var": var})


@operator("InstanceNormalization")
def instance_norm(r: Reader, node: Node) -> None:
    """With a scale and an offset for each channel."""
    r.image(node)
    params = {"scale": r.weights(node, 1, "its scale"), "bias": r.weights(node, 2, "its bias")}
    r.layer(node, InstanceNorm(decimal(node.options.get("epsilon", 1e-5))), params=params)


@operator("LayerNormalization")
def layer_norm(r: Reader, node: Node) -> None:
    """Over the channels, where ONNX's array has them last."""
    x = r.value(node)
    axis = node.options.get("axis", -1) % len(x.axes)
    channels(node, x, axis)
    if axis != len(x.axes) - 1:
        raise node.refused(f"normalises over the axes from {axis} on of the shape {x.shape}; expected the last alone.")
    scale, bias = r.weights(node, 1, "its scale"), r.optional(node, 2, "its bias")
    params = {"scale": scale, "bias": np.zeros_like(scale) if bias is None else bias.astype(np.float32)}
    r.layer(node, LayerNorm(decimal(node.options.get("epsilon", 1e-5))), params=params)


@operator("LRN")
def local_response_norm(r: Reader, node: Node) -> None:
    """Over neighbouring channels."""
    r.image(node)
    o = node.options
    if o["size"] % 2 == 0:
        raise node.refused(f"has windows of {o['size']} channels; expected an odd number, whose middle is the channel.")
    numbers = (decimal(o.get(name, default)) for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0)))
    r.layer(node, LocalResponseNorm(o["size"], *numbers))
