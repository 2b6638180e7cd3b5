"""Dense layers."""

import numpy as np

from jaxcnn.interop.onnx.axes import Value
from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import channels, operator
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.layers import Dense


@operator("Gemm")
def gemm(r: Reader, node: Node) -> None:
    """alpha x W + beta b, W perhaps transposed."""
    if node.options.get("transA", 0):
        raise node.refused("transposes what comes in (transA); expected a batch of rows.")
    x, matrix, bias = r.rows(node), r.weights(node, 1, "its matrix"), r.optional(node, 2, "its bias")
    matrix = matrix.T if node.options.get("transB", 0) else matrix
    if bias is not None:
        bias = np.broadcast_to(bias, (1, matrix.shape[1])).reshape(-1) * np.float32(node.options.get("beta", 1.0))
    alpha = np.float32(node.options.get("alpha", 1.0))
    dense(r, node, x, 1, matrix if alpha == 1 else alpha * matrix, bias)


@operator("MatMul")
def matmul(r: Reader, node: Node) -> None:
    """A dense layer of rows, or at each place of images that have their channels last."""
    matrix = r.weights(node, 1, "its matrix")
    if matrix.ndim != 2:
        raise node.refused(f"multiplies by an array of the shape {matrix.shape}; expected a matrix.")
    x = r.value(node)
    if len(x.axes) == 2:
        x = r.rows(node)
    else:
        channels(node, x, len(x.axes) - 1)
    dense(r, node, x, len(x.axes) - 1, matrix, None)


def dense(r: Reader, node: Node, x: Value, place: int, kernel: np.ndarray, bias: np.ndarray | None) -> None:
    """The axis of ONNX's at this place through a kernel (in, out), whose rows are put into our order."""
    if kernel.shape[0] != x.ours[-1]:
        raise node.refused(f"takes {kernel.shape[0]} features, and {x.ours[-1]} come in.")
    kernel = x.in_our_order(kernel, place)
    axes = tuple((len(x.ours) - 1,) if each == place else axes for each, axes in enumerate(x.axes))
    r.layer(node, Dense(kernel.shape[1], bias is not None), axes, params(kernel, bias))


def params(kernel: np.ndarray, bias: np.ndarray | None) -> dict[str, np.ndarray]:
    """A layer's kernel, and its bias where there is one."""
    return {"kernel": kernel} | ({} if bias is None else {"bias": bias.astype(np.float32)})
