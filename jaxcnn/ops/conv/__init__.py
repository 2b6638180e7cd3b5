"""Convolution, its two gradients and its transpose; the windows themselves; kernels designed by hand."""

from jaxcnn.ops.conv import filters
from jaxcnn.ops.conv.conv import conv, conv_dgrad, conv_wgrad
from jaxcnn.ops.conv.conv_transpose import conv_transpose
from jaxcnn.ops.conv.unfold import fold, unfold

__all__ = ["conv", "conv_dgrad", "conv_transpose", "conv_wgrad", "filters", "fold", "unfold"]
