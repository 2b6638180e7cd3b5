"""Weights in 8 bits: a quarter of the memory that a network's kernels take, and of the file that holds them."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.layers.base import Layer, Params
from jaxcnn.layers.linear import Conv, ConvTranspose, Dense, DepthwiseConv
from jaxcnn.layers.walk import layer_of, leaves
from jaxcnn.ops.arguments import explained

MOST = 127  # -128 is left out: what is symmetric has no sign that reaches further


class Int8(NamedTuple):
    """A kernel in 8 bits, which stands for values · scale.

    Attributes:
      values: int8, of the kernel's shape, from -127 to 127.
      scale: of the kernel's dtype and rank, with 1 in the place of every axis but that of the output channels.
    """

    values: Array
    scale: Array


@explained
def quantise(network: Layer, params: Params) -> Params:
    """The params with an `Int8` for the kernel of each convolution and dense layer.

    Each output channel has a scale of its own, max |k| / 127, and its weights are rounded to the nearest multiple of
    it; 0 stays 0. So a weight moves by half of its channel's scale at most. Only the weights: what is computed with
    them is floats, by `dequantise`. Biases and norms stay as they are, and so do kernels that a layer makes of what it
    has learned (`WeightStandardizedConv`, `SpectralNorm`, `WeightNorm`). A transposed convolution in groups has one
    scale for the same output channel of each group.
    Source: Krishnamoorthi 2018, "Quantizing deep convolutional networks for efficient inference", sections 2.2, 3.1.
    """
    layers = dict(leaves(network))

    def quantised(path: tuple[Any, ...], a: Array) -> Any:
        layer = layers.get(layer_of(path))
        if path[-1].key != "kernel" or type(layer) not in (Conv, DepthwiseConv, ConvTranspose, Dense):
            return a
        out = a.ndim - (2 if isinstance(layer, ConvTranspose) else 1)
        largest = jnp.abs(a).max(tuple(axis for axis in range(a.ndim) if axis != out), keepdims=True)
        scale = jnp.where(largest > 0, largest, 1).astype(a.dtype) / MOST
        return Int8(jnp.round(a / scale).astype(jnp.int8), scale)

    return jax.tree.map_with_path(quantised, params)


@explained
def dequantise(params: Params) -> Params:
    """Params with kernels again, in the dtype of their scales."""
    return jax.tree.map(
        lambda a: a.values.astype(a.scale.dtype) * a.scale if isinstance(a, Int8) else a,
        params,
        is_leaf=lambda a: isinstance(a, Int8),
    )
