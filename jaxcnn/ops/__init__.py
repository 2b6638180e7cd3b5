"""Operations as pure functions; each one is a `Rule` with its backward written by hand."""

from jaxcnn.ops.activation import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, tanh
from jaxcnn.ops.bilinear import bilinear
from jaxcnn.ops.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.conv_transpose import conv_transpose
from jaxcnn.ops.dense import dense, flatten
from jaxcnn.ops.dropout import dropout, spatial_dropout, stochastic_depth
from jaxcnn.ops.example_norm import group_norm, instance_norm, layer_norm, rms_norm
from jaxcnn.ops.gate import hard_sigmoid, hard_swish, mish, softplus, softsign
from jaxcnn.ops.geometry import output_size, unseen
from jaxcnn.ops.global_pool import global_avg_pool, global_max_pool
from jaxcnn.ops.local_norm import local_response_norm
from jaxcnn.ops.loss import mse, sigmoid_cross_entropy, softmax_cross_entropy
from jaxcnn.ops.norm import batch_norm, batch_norm_eval
from jaxcnn.ops.pad import pad
from jaxcnn.ops.pool import avg_pool, max_pool
from jaxcnn.ops.rectifier import celu, elu, prelu, relu6, selu
from jaxcnn.ops.rule import RULES, Rule, backward, rule
from jaxcnn.ops.standardize import weight_standardize

__all__ = [
    "RULES",
    "Rule",
    "avg_pool",
    "backward",
    "batch_norm",
    "batch_norm_eval",
    "bilinear",
    "celu",
    "conv",
    "conv_dgrad",
    "conv_transpose",
    "conv_wgrad",
    "dense",
    "dropout",
    "elu",
    "flatten",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "instance_norm",
    "layer_norm",
    "leaky_relu",
    "local_response_norm",
    "log_softmax",
    "max_pool",
    "mish",
    "mse",
    "output_size",
    "pad",
    "prelu",
    "relu",
    "relu6",
    "rms_norm",
    "rule",
    "selu",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "softplus",
    "softsign",
    "spatial_dropout",
    "stochastic_depth",
    "tanh",
    "unseen",
    "weight_standardize",
]
