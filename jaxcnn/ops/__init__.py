"""Operations as pure functions; each one is a `Rule` with its backward written by hand."""

from jaxcnn.ops.activation import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, tanh
from jaxcnn.ops.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.dense import dense, flatten
from jaxcnn.ops.dropout import dropout
from jaxcnn.ops.geometry import output_size, unseen
from jaxcnn.ops.global_pool import global_avg_pool, global_max_pool
from jaxcnn.ops.loss import mse, sigmoid_cross_entropy, softmax_cross_entropy
from jaxcnn.ops.norm import batch_norm, batch_norm_eval
from jaxcnn.ops.pool import avg_pool, max_pool
from jaxcnn.ops.rule import RULES, Rule, backward, rule

__all__ = [
    "RULES",
    "Rule",
    "avg_pool",
    "backward",
    "batch_norm",
    "batch_norm_eval",
    "conv",
    "conv_dgrad",
    "conv_wgrad",
    "dense",
    "dropout",
    "flatten",
    "gelu",
    "global_avg_pool",
    "global_max_pool",
    "leaky_relu",
    "log_softmax",
    "max_pool",
    "mse",
    "output_size",
    "relu",
    "rule",
    "sigmoid",
    "sigmoid_cross_entropy",
    "silu",
    "softmax",
    "softmax_cross_entropy",
    "tanh",
    "unseen",
]
