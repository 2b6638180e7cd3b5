"""Arithmetic with constants, for each channel; and where branches are joined: sums, products, concatenation."""

import math
from typing import Any

import numpy as np

from jaxcnn.interop.onnx.axes import Value
from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import channels, operator
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.interop.onnx.tree import Affine


@operator("Add", "Sum", "Sub", "Mul", "Div", "Neg")
def arithmetic(r: Reader, node: Node) -> None:
    """With a constant, or of two branches."""
    constants = [place for place in range(len(node.inputs)) if r.is_constant(node, place)]
    if node.op == "Neg" or (len(node.inputs) == 2 and constants):
        _affine(r, node, constants)
    elif constants or node.op in ("Sub", "Div"):
        raise node.refused("is not known of these inputs: of branches only sums and products are, of constants one.")
    elif len(node.inputs) == 1:
        r.same(node)
    elif node.op == "Mul":
        _gated(r, node)
    else:
        _added(r, node)


def _affine(r: Reader, node: Node, constants: list[int]) -> None:
    if constants == [0]:  # the layer takes the node's first input
        node = node._replace(inputs=node.inputs[::-1])
    number = np.ones(r.value(node).ours[-1], np.float32) if node.op == "Neg" else r.by_channel(node, 1, "its constant")
    one, none = np.ones_like(number), np.zeros_like(number)
    first = constants == [0]
    match node.op:
        case "Add" | "Sum":
            made = Affine(one, number)
        case "Sub":
            made = Affine(-one, number) if first else Affine(one, -number)
        case "Mul":
            made = Affine(number, none)
        case "Div" if not first:
            made = Affine(1 / number, none)
        case "Neg":
            made = Affine(-one, none)
        case _:
            raise node.refused("divides a constant by what comes in.")
    r.layer(node, made)


def _added(r: Reader, node: Node) -> None:
    _like(r, node)
    r.joined(node, "add", r.value(node), range(len(node.inputs)))


def _gated(r: Reader, node: Node) -> None:
    """A product of branches. One that has a factor for each channel of an image is its gate."""
    a, b = r.value(node, 0), r.value(node, 1)
    if a.shape != b.shape:
        gate = int(b.shape[:2] == a.shape[:2] and math.prod(b.shape) == math.prod(b.shape[:2]))
        image, factor = r.value(node, 1 - gate), r.value(node, gate)
        fits = image.is_image() and factor.shape == (*image.shape[:2], *(1,) * (len(image.axes) - 2))
        if not fits:
            raise node.refused(
                f"multiplies the shapes {a.shape} and {b.shape}; expected equal ones, or a factor for each channel of "
                "an image."
            )
        r.pooled(node, gate)
        r.joined(node, "multiply", image, (1 - gate, gate))
        return
    _like(r, node)
    r.joined(node, "multiply", r.value(node), (0, 1))


def _like(r: Reader, node: Node, apart: int | None = None) -> None:
    """Inputs whose arrays of ours can be joined, of equal sizes but along the place `apart`; else Unreadable."""
    places = range(len(node.inputs))
    if len({len(r.value(node, place).ours) for place in places}) > 1:
        for place in places:
            if math.prod(r.value(node, place).sizes[1:-1]) == 1:
                r.pooled(node, place)
    values = [r.value(node, place) for place in places]

    def described(value: Value) -> Any:
        longer = [value.longer(place) for place in range(len(value.axes)) if place != apart]
        sizes = value.sizes if apart is None else value.sizes[:-1]
        return longer, sizes, len(value.sizes), value.flat

    if any(described(value) != described(values[0]) for value in values):
        shapes = ", ".join(str(value.shape) for value in values)
        raise node.refused(f"joins arrays of the shapes {shapes}, which do not fit here: none is broadcast.")


@operator("Concat")
def concat(r: Reader, node: Node) -> None:
    """Along the channels."""
    if len(node.inputs) == 1:
        r.same(node)
        return
    for place in range(len(node.inputs)):
        if r.is_constant(node, place):
            raise node.refused("concatenates a constant with what comes in.")
    axis = node.options["axis"] % len(r.value(node).axes)
    _like(r, node, axis)
    values = [r.value(node, place) for place in range(len(node.inputs))]
    for value in values:
        channels(node, value, axis)
    sizes = (*values[0].sizes[:-1], sum(value.sizes[-1] for value in values))
    axes = tuple((len(sizes) - 1,) if place == axis else axes for place, axes in enumerate(values[0].axes))
    r.joined(node, "concat", Value(sizes, axes), range(len(values)))
