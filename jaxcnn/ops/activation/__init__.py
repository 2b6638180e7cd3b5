"""Activations: element by element, and softmax over one axis.

Each backward uses the cheapest residual: y where the derivative is a function of y, so that x can be freed. None of
them makes a NaN or an infinity out of finite values, however large.
"""

from jaxcnn.ops.activation.elu import celu, elu, selu
from jaxcnn.ops.activation.gelu import gelu
from jaxcnn.ops.activation.glu import glu
from jaxcnn.ops.activation.relu import leaky_relu, prelu, relu, relu6
from jaxcnn.ops.activation.sigmoid import hard_sigmoid, sigmoid, softplus, softsign, tanh
from jaxcnn.ops.activation.softmax import log_softmax, softmax
from jaxcnn.ops.activation.swish import hard_swish, mish, silu

__all__ = [
    "celu",
    "elu",
    "gelu",
    "glu",
    "hard_sigmoid",
    "hard_swish",
    "leaky_relu",
    "log_softmax",
    "mish",
    "prelu",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "softsign",
    "tanh",
]
