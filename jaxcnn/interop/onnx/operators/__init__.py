"""The operators of ONNX that are read, a file a family as in `ops`."""

from jaxcnn.interop.onnx.operators import activation, arithmetic, conv, dense, norm, pool, shape, space
from jaxcnn.interop.onnx.operators.table import OPERATORS

__all__ = ["OPERATORS", "activation", "arithmetic", "conv", "dense", "norm", "pool", "shape", "space"]
