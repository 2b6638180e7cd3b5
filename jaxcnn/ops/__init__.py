"""Operations as pure functions; each one is a `Rule` with its backward written by hand."""

from jaxcnn.ops.activation import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, tanh
from jaxcnn.ops.adaptive_pool import adaptive_avg_pool, adaptive_max_pool
from jaxcnn.ops.bilinear import bilinear
from jaxcnn.ops.binary_cross_entropy import focal, sigmoid_cross_entropy
from jaxcnn.ops.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.conv_transpose import conv_transpose
from jaxcnn.ops.cross_entropy import softmax_cross_entropy
from jaxcnn.ops.dense import dense, flatten
from jaxcnn.ops.divergence import kl_divergence
from jaxcnn.ops.dropout import dropout, spatial_dropout, stochastic_depth
from jaxcnn.ops.example_norm import group_norm, instance_norm, layer_norm, rms_norm
from jaxcnn.ops.gate import hard_sigmoid, hard_swish, mish, softplus, softsign
from jaxcnn.ops.geometry import output_size, unseen
from jaxcnn.ops.global_pool import global_avg_pool, global_max_pool
from jaxcnn.ops.local_norm import local_response_norm
from jaxcnn.ops.lp_pool import lp_pool
from jaxcnn.ops.margin import hinge, multi_margin
from jaxcnn.ops.norm import batch_norm, batch_norm_eval
from jaxcnn.ops.pad import pad
from jaxcnn.ops.pool import avg_pool, max_pool
from jaxcnn.ops.rectifier import celu, elu, prelu, relu6, selu
from jaxcnn.ops.regression import huber, l1, mse
from jaxcnn.ops.resize import resize_bilinear, resize_nearest
from jaxcnn.ops.rule import RULES, Rule, backward, rule
from jaxcnn.ops.standardize import weight_standardize
from jaxcnn.ops.triplet import triplet
from jaxcnn.ops.unpool import max_pool_with_indices, max_unpool

__all__ = [
    "RULES",
    "Rule",
    "adaptive_avg_pool",
    "adaptive_max_pool",
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
    "focal",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "hinge",
    "huber",
    "instance_norm",
    "kl_divergence",
    "l1",
    "layer_norm",
    "leaky_relu",
    "local_response_norm",
    "log_softmax",
    "lp_pool",
    "max_pool",
    "max_pool_with_indices",
    "max_unpool",
    "mish",
    "mse",
    "multi_margin",
    "output_size",
    "pad",
    "prelu",
    "relu",
    "relu6",
    "resize_bilinear",
    "resize_nearest",
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
    "triplet",
    "unseen",
    "weight_standardize",
]
