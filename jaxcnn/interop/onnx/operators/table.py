"""The table of operators: how each of ONNX's is read, and what all of them ask of their input."""

from collections.abc import Callable

import numpy as np

from jaxcnn.interop.onnx.axes import Value
from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.reader import Reader

Operator = Callable[[Reader, Node], None]
OPERATORS: dict[str, Operator] = {}


def operator(*names: str) -> Callable[[Operator], Operator]:
    """Enter a function that reads the operators of these names."""

    def entered(function: Operator) -> Operator:
        OPERATORS.update(dict.fromkeys(names, function))
        return function

    return entered


def channels(node: Node, x: Value, place: int) -> None:
    """Unreadable unless this axis of ONNX's is x's channels."""
    if not x.has_channels(place):
        raise node.refused(f"works along axis {place} of an array of the shape {x.shape}, which is not its channels.")


def decimal(number: float) -> float:
    """A float32, as which ONNX has all its numbers, as the shortest decimal that it stands for: 1e-05, 0.9."""
    return float(str(np.float32(number)))
