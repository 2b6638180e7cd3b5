"""Convolutional networks in JAX as plain functions, every backward pass written by hand and proven."""

from jaxcnn import layers, models, ops
from jaxcnn.layers import backprop, summary
from jaxcnn.ops import RULES, Rule, backward, rule

__all__ = ["RULES", "Rule", "backprop", "backward", "layers", "models", "ops", "rule", "summary"]
