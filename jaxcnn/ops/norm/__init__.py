"""Normalisation, of activations and of weights."""

from jaxcnn.ops.norm.batch_norm import batch_norm, batch_norm_eval
from jaxcnn.ops.norm.group_norm import group_norm, instance_norm, layer_norm, rms_norm
from jaxcnn.ops.norm.local_response_norm import local_response_norm
from jaxcnn.ops.norm.weight_standardize import weight_standardize

__all__ = [
    "batch_norm",
    "batch_norm_eval",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "rms_norm",
    "weight_standardize",
]
