"""Losses: one number for each example of the batch."""

from jaxcnn.ops.loss.binary_cross_entropy import focal, sigmoid_cross_entropy
from jaxcnn.ops.loss.cross_entropy import nll, softmax_cross_entropy
from jaxcnn.ops.loss.divergence import kl_divergence
from jaxcnn.ops.loss.margin import hinge, multi_margin
from jaxcnn.ops.loss.regression import huber, l1, mse
from jaxcnn.ops.loss.triplet import triplet

__all__ = [
    "focal",
    "hinge",
    "huber",
    "kl_divergence",
    "l1",
    "mse",
    "multi_margin",
    "nll",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "triplet",
]
