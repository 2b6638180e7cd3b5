"""Operators that move no value: they say only which axes ONNX's array has."""

import math

from jaxcnn.interop.onnx.file import Node
from jaxcnn.interop.onnx.operators.table import operator
from jaxcnn.interop.onnx.reader import Reader


@operator("Identity")
def identity(r: Reader, node: Node) -> None:
    """Nothing happens to x."""
    r.same(node)


@operator("Cast")
def cast(r: Reader, node: Node) -> None:
    """To another kind of floats, which changes nothing here."""
    from onnx import helper

    if helper.tensor_dtype_to_np_dtype(node.options["to"]).kind not in "fV":  # bfloat16 is a V
        raise node.refused("makes whole numbers of what comes in.")
    r.same(node)


@operator("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape(r: Reader, node: Node) -> None:
    """Only which axes of ours are meant changes, see `axes`."""
    x = r.value(node)
    shape = _shape(r, node, x.shape)
    made = x.reshaped(shape)
    if made is None:
        raise node.refused(f"reshapes {x.shape} to {shape}; only whole axes can be joined here, and not the batch.")
    r.same(node, made)


def _shape(r: Reader, node: Node, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that the node gives an array of this one."""
    rank = len(shape)
    if node.op == "Flatten":
        axis = node.options.get("axis", 1) % (rank + 1)
        return math.prod(shape[:axis]), math.prod(shape[axis:])
    if node.op == "Reshape":
        given = r.numbers(node, "shape", 1) or []
        if not node.options.get("allowzero", 0):
            given = [shape[place] if length == 0 else length for place, length in enumerate(given)]
        known = math.prod(length for length in given if length != -1)
        return tuple(math.prod(shape) // max(known, 1) if length == -1 else length for length in given)
    axes = r.numbers(node, "axes", 1)
    if node.op == "Squeeze":
        dropped = {axis % rank for axis in axes} if axes is not None else set(range(1, rank))
        return tuple(n for place, n in enumerate(shape) if place not in dropped or (axes is None and n != 1))
    new = {axis % (rank + len(axes or ())) for axis in axes or ()}
    left = iter(shape)
    return tuple(1 if place in new else next(left) for place in range(rank + len(new)))


@operator("Transpose")
def transpose(r: Reader, node: Node) -> None:
    """Only which axes of ours are meant changes, see `axes`."""
    x = r.value(node)
    order = node.options.get("perm", range(len(x.axes))[::-1])
    if order[0] != 0:
        raise node.refused("moves the batch's axis.")
    r.same(node, x._replace(axes=tuple(x.axes[place] for place in order)))
