"""Convolutional networks in JAX as plain functions, every backward pass written by hand and proven."""

from jaxcnn.ops.rule import RULES, Rule, backward, rule

__all__ = ["RULES", "Rule", "backward", "rule"]
