"""Walking through a graph's nodes: what each value is here, and the steps by which values come from others."""

import re
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from jaxcnn.interop.onnx.axes import Value, image
from jaxcnn.interop.onnx.file import Graph, Node, evaluated
from jaxcnn.interop.onnx.tree import Join, Leaf, Step
from jaxcnn.layers import Flatten, Layer
from jaxcnn.layers.base import output

# What is not computed although all its inputs are constants: it may run for ever, or is drawn anew each time.
NOT_FOLDED = re.compile("If|Loop|Scan|SequenceMap|Random.*|Bernoulli|Multinomial")


class Reader:
    """Values, constants and steps so far.

    A value is known by its name in the file; several may be one array of ours, whose name is the first one's: that of
    the step from which it comes. `open_sizes` is whether the file leaves the image's sizes open.
    """

    def __init__(self, graph: Graph, value: Value) -> None:
        self.opset = graph.opset
        self.open_sizes = None in graph.sizes[1:]
        self.constants = dict(graph.constants)
        self.values = {graph.input: (graph.input, value)}
        self.steps: dict[str, Step] = {}
        self._concats: dict[tuple[str, ...], str] = {}

    def fold(self, node: Node) -> bool:
        """Compute a node of constants, if it is one; the shape of a value is one."""
        if node.op == "Shape" and node.inputs[0] in self.values:
            ends = slice(node.options.get("start"), node.options.get("end"))
            self.constants[node.outputs[0]] = np.array(self.value(node).shape[ends], np.int64)
            return True
        if NOT_FOLDED.fullmatch(node.op) or any(name and name not in self.constants for name in node.inputs):
            return False
        try:
            arrays = evaluated(node, [self.constants.get(name) for name in node.inputs], self.opset)
        except Exception as error:  # of whatever kind the reference implementation raises
            why = (str(error) or type(error).__name__).splitlines()[0]
            raise node.refused(f"has only constants for inputs and can't be computed: {why}") from error
        self.constants |= zip(node.outputs, arrays, strict=False)
        return True

    # What a node is given.

    def value(self, node: Node, place: int = 0) -> Value:
        """The node's input at this place; Unreadable if it is a constant."""
        return self._named(node, place)[1]

    def constant(self, node: Node, place: int, what: str) -> np.ndarray:
        """The node's input at this place; Unreadable if it is none, or none that the file knows."""
        found = self.optional(node, place, what)
        if found is None:
            raise node.refused(f"lacks {what}.")
        return found

    def optional(self, node: Node, place: int, what: str) -> np.ndarray | None:
        """The node's input at this place, None where it is left out."""
        name = node.inputs[place] if place < len(node.inputs) else ""
        if name in self.values:
            raise node.refused(f"computes {what} from the image; expected a constant of the file.")
        if name and name not in self.constants:
            self._known(node, place)
        return self.constants[name] if name else None

    def weights(self, node: Node, place: int, what: str) -> np.ndarray:
        """The same, of floats."""
        return self.constant(node, place, what).astype(np.float32, copy=False)

    def by_channel(self, node: Node, place: int, what: str) -> np.ndarray:
        """The same as one number for each of our channels, where ONNX broadcasts it to the node's first input.

        Of (n, features) it may be one for each feature; then an image is flattened.
        """
        given = self.weights(node, place, what)
        x = self.value(node)
        if len(x.axes) == 2 and given.size > 1:
            x = self.rows(node)
        rank = len(x.axes)
        wide = given.reshape((1,) * (rank - given.ndim) + given.shape)
        places = [place for place, length in enumerate(wide.shape) if length != 1]
        if wide.ndim == rank and not places:
            return np.full(x.ours[-1], wide.reshape(()), np.float32)
        fits = wide.ndim == rank and len(places) == 1 and wide.size == x.shape[places[0]]
        if not fits or not (x.has_channels(places[0]) or (x.flat and places == [1])):
            raise node.refused(
                f"has a constant of the shape {given.shape} for an array of the shape {x.shape}; expected one number, "
                "or one for each channel."
            )
        return x.in_our_order(wide.reshape(-1), places[0])

    def numbers(self, node: Node, name: str, place: int) -> list[int] | None:
        """Whole numbers that are an attribute in older operator sets, and in newer ones an input."""
        if name in node.options:
            return list(node.options[name])
        found = self.optional(node, place, name)
        return None if found is None else [int(number) for number in found.reshape(-1)]

    def is_constant(self, node: Node, place: int) -> bool:
        return node.inputs[place] in self.constants

    def _known(self, node: Node, place: int) -> tuple[str, Value]:
        name = node.inputs[place]
        if name not in self.values:
            raise node.refused(f"takes {name!r}, a second output or none, which is not known here.")
        return self.values[name]

    def _named(self, node: Node, place: int) -> tuple[str, Value]:
        if self.is_constant(node, place):
            raise node.refused(f"has a constant for its input {place}, {node.inputs[place]!r}; expected what comes in.")
        return self._known(node, place)

    # What it makes of it.

    def same(self, node: Node, value: Value | None = None, place: int = 0) -> None:
        """The node's output is its input, perhaps with other axes of ONNX's."""
        name, before = self._named(node, place)
        self.values[node.outputs[0]] = name, before if value is None else value

    def layer(
        self,
        node: Node,
        layer: Any,
        axes: tuple[tuple[int, ...], ...] | None = None,
        params: dict[str, np.ndarray] | None = None,
        state: dict[str, np.ndarray] | None = None,
    ) -> None:
        """The node's output is its input through a layer, with the input's axes or others.

        Raises: Unreadable where the layer does not take the input.
        """
        name, value = self._named(node, 0)
        leaf = Leaf(layer, node, len(value.ours), params or {}, state or {})
        self.steps[node.outputs[0]] = Step((name,), node, leaf)
        if isinstance(layer, Layer):
            p, s = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, np.float32), (leaf.params, leaf.state))
            try:
                y = output(layer, p, s, jax.ShapeDtypeStruct(value.ours, np.float32))
            except ValueError as error:
                raise node.refused(f"does not fit what comes in, which has the shape {value.shape}: {error}") from error
            if axes is not None or not value.flat:
                value = Value(y.shape, value.axes if axes is None else axes)
        self.values[node.outputs[0]] = node.outputs[0], value

    def image(self, node: Node) -> Value:
        """The node's first input, which is (n, c, *spatial) of ONNX's."""
        name, value = self._named(node, 0)
        if not value.is_image():
            raise node.refused(
                f"takes an array of the shape {value.shape} that is no batch of images (n, c, *spatial)."
            )
        self.values[node.inputs[0]] = name, image(value.sizes)  # with its axes of length 1, which may grow
        return self.value(node)

    def rows(self, node: Node, place: int = 0) -> Value:
        """The node's input, which is (n, features) of ONNX's, as rows of ours: an image is flattened."""
        name, value = self._named(node, place)
        if len(value.axes) != 2:
            raise node.refused(f"takes an array of the shape {value.shape}; expected (n, features).")
        self.values[node.inputs[place]] = self._flattened(node, name, value)
        return self.value(node, place)

    def pooled(self, node: Node, place: int) -> None:
        """Make the node's input, (n, c, 1, ...) of ONNX's, (n, c) here."""
        name, value = self._flattened(node, *self._named(node, place))
        axes = tuple((0,) if 0 in axes else (1,) if value.channel in axes else () for axes in value.axes)
        self.values[node.inputs[place]] = name, Value(value.ours, axes)

    def _flattened(self, node: Node, name: str, value: Value) -> tuple[str, Value]:
        if len(value.sizes) == 2 or value.flat:
            return name, value
        flat = f"{name}/flatten"
        if flat not in self.steps:
            self.steps[flat] = Step((name,), node, Leaf(Flatten(), node, len(value.sizes)))
        return flat, value._replace(flat=True)

    def result(self, node: Node) -> str:
        """The step that gives what the network does: the node's output.

        Raises: Unreadable where our array would hold its entries in another order.
        """
        name, value = self.values[node.outputs[0]]
        order = [axis for place in range(len(value.axes)) for axis in value.longer(place)]
        rows = len(value.axes) == 2
        alike = len(value.sizes) == 2 or rows or (len(value.axes) == len(value.sizes) and not value.flat)
        if not value.is_image() and not (alike and order == sorted(order)):
            raise node.refused(f"gives {value.shape}, with axes joined or exchanged; expected images or (n, features).")
        return self._flattened(node, name, value)[0] if rows else name

    def joined(self, node: Node, by: Join, value: Value, places: Iterable[int]) -> None:
        """The node's output is these inputs joined.

        Concatenations that begin with what another one concatenates begin with that one's output, as DenseNet's do.
        """
        names = given = tuple(self._named(node, place)[0] for place in places)
        if by == "concat":
            before = next((k for k in range(len(names), 1, -1) if names[:k] in self._concats), 0)
            if before:
                names = (self._concats[names[:before]], *names[before:])
        made = node.outputs[0]
        if len(names) == 1:
            made = names[0]
        else:
            self.steps[made] = Step(names, node, by)
        if by == "concat":
            self._concats[given] = made
        self.values[node.outputs[0]] = made, value
