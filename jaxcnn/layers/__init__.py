"""Layers: frozen dataclasses with `init` and `apply`; a network is a chain of them, and again a layer."""

from jaxcnn.layers.backprop import Backprop, backprop
from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.combine import chain, concat, residual
from jaxcnn.layers.linear import Conv, Dense
from jaxcnn.layers.norm import BatchNorm
from jaxcnn.layers.pointwise import Activation, Dropout
from jaxcnn.layers.shape import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
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
    "Dense",
    "Dropout",
    "Flatten",
    "GlobalAvgPool",
    "GlobalMaxPool",
    "Layer",
    "LpPool",
    "MaxPool",
    "Params",
    "Resize",
    "State",
    "Summary",
    "backprop",
    "chain",
    "concat",
    "residual",
    "summary",
]
