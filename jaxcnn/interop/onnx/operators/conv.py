"""Convolutions."""

import math

import numpy as np

from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.dense import dense, params
from jaxcnn.interop.onnx.operators.table import operator
from jaxcnn.interop.onnx.operators.windows import Windows, alike, pairs
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.layers import Conv, ConvTranspose, DepthwiseConv, Layer


@operator("Conv")
def conv(r: Reader, node: Node) -> None:
    """(out, in / groups, *window) becomes (*window, in / groups, out); of a pooled image it is a dense layer."""
    x, weights, bias = r.value(node), r.weights(node, 1, "its kernel"), r.optional(node, 2, "its bias")
    features, share, *window = weights.shape
    groups = node.options.get("group", 1)
    if x.is_pooled() and groups == 1 and math.prod(window) == 1 and not any(node.options.get("pads", ())):
        dense(r, node, x, 1, weights.reshape(features, share).T, bias)
        return
    x = r.image(node)
    options = Windows.of(r, node, x, window)._asdict() | {"use_bias": bias is not None}
    layer: Layer = Conv(features, groups=groups, **options)
    if share == 1 and groups == x.sizes[-1] > 1:
        layer = DepthwiseConv(multiplier=features // groups, **options)
    r.layer(node, layer, params=params(np.moveaxis(weights, (0, 1), (-1, -2)), bias))


@operator("ConvTranspose")
def conv_transpose(r: Reader, node: Node) -> None:
    """(in, out / groups, *window) becomes (*window, out / groups, in)."""
    weights, bias = r.weights(node, 1, "its kernel"), r.optional(node, 2, "its bias")
    r.image(node)
    _, share, *window = weights.shape
    if node.options.get("output_shape") or node.options.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        raise node.refused("says its output's size or auto_pad; expected its padding in numbers.")
    ones, groups = [1] * len(window), node.options.get("group", 1)
    layer = ConvTranspose(
        share * groups,
        alike(window),
        alike(node.options.get("strides", ones)),
        pairs(node.options.get("pads", [0] * 2 * len(window))),
        alike(node.options.get("dilations", ones)),
        groups,
        bias is not None,
        output_padding=alike(node.options.get("output_padding", [0] * len(window))),
    )
    r.layer(node, layer, params=params(np.moveaxis(weights, (0, 1), (-1, -2)), bias))
