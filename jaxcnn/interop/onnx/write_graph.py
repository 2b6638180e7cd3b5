"""An ONNX graph while it is built: nodes and the arrays that they take."""

from collections import Counter
from typing import Any

import numpy as np
from onnx import GraphProto, TensorProto, helper, numpy_helper

from jaxcnn.layers import Int8


class Graph:
    """Nodes in the order in which they are computed, and initialisers. What a node makes is known by its name."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._arrays: list[Any] = []
        self._names: Counter[str] = Counter()

    def node(self, kind: str, *inputs: str, at: str, **attributes: Any) -> str:
        """The name of what a node makes of these inputs; `at` is the path of the layer that it is a part of."""
        name = self._name(f"{at}/{kind}" if at else kind)
        self._nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def array(self, array: Any, name: str) -> str:
        """The name of an initialiser of float32."""
        return self._initialiser(np.asarray(array, np.float32), name)

    def whole(self, numbers: Any, name: str) -> str:
        """The name of an initialiser of int64: sizes, axes and places."""
        return self._initialiser(np.asarray(numbers, np.int64), name)

    def int8(self, array: Int8, name: str) -> str:
        """The name of what `DequantizeLinear` makes of an array in 8 bits."""
        scale = np.asarray(array.scale, np.float32)
        axis = max(range(scale.ndim), key=lambda axis: scale.shape[axis])
        values = self._initialiser(np.asarray(array.values), f"{name}/values")
        return self.node("DequantizeLinear", values, self.array(scale.reshape(-1), f"{name}/scale"), at=name, axis=axis)

    def made(self, name: str, x: tuple[str, Any], y: tuple[str, Any], output: str) -> GraphProto:
        """The graph called `name` that takes x and returns y, which is `output` so far; of each name and shape."""
        self._nodes.append(helper.make_node("Identity", [output], [y[0]], y[0]))
        ends = [helper.make_tensor_value_info(end, TensorProto.FLOAT, shape) for end, shape in (x, y)]
        return helper.make_graph(self._nodes, name, ends[:1], ends[1:], self._arrays)

    def _initialiser(self, array: Any, name: str) -> str:
        name = self._name(name)
        self._arrays.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def _name(self, name: str) -> str:
        """The name, or with a number behind it if there is one already."""
        self._names[name] += 1
        return name if self._names[name] == 1 else self._name(f"{name}_{self._names[name]}")
