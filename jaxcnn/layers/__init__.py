"""Layers: frozen dataclasses with `init` and `apply`; a network is a chain of them, and again a layer."""

from jaxcnn.layers.backprop import Backprop, backprop
from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.blocks import separable_conv, squeeze_excite
from jaxcnn.layers.combine import chain, concat, gated, residual
from jaxcnn.layers.intermediates import features, intermediates
from jaxcnn.layers.linear import Conv, ConvTranspose, Dense, DepthwiseConv, WeightStandardizedConv
from jaxcnn.layers.norm import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, LayerScale, LocalResponseNorm, RMSNorm
from jaxcnn.layers.pointwise import Activation, Dropout, PReLU, SpatialDropout, StochasticDepth
from jaxcnn.layers.reparametrize import SpectralNorm, WeightNorm
from jaxcnn.layers.shape import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    Pad,
    PixelShuffle,
    Resize,
)
from jaxcnn.layers.summary import Summary, summary

__all__ = [
    "Activation",
    "AdaptiveAvgPool",
    "AdaptiveMaxPool",
    "AvgPool",
    "Backprop",
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DepthwiseConv",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "GroupNorm",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LayerScale",
    "LocalResponseNorm",
    "LpPool",
    "MaxPool",
    "PReLU",
    "Pad",
    "Params",
    "PixelShuffle",
    "RMSNorm",
    "Resize",
    "SpatialDropout",
    "SpectralNorm",
    "State",
    "StochasticDepth",
    "Summary",
    "WeightNorm",
    "WeightStandardizedConv",
    "backprop",
    "chain",
    "concat",
    "features",
    "gated",
    "intermediates",
    "residual",
    "separable_conv",
    "squeeze_excite",
    "summary",
]
