"""Operations as pure functions; each one is a `Rule` with its backward written by hand."""

from jaxcnn.ops.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.rule import RULES, Rule, backward, rule

__all__ = ["RULES", "Rule", "backward", "conv", "conv_dgrad", "conv_wgrad", "rule"]
