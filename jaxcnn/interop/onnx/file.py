"""An ONNX file: its nodes in the order in which they are computed, its arrays, its input and its outputs."""

import math
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.interop.files import check_there
from jaxcnn.interop.onnx import package

OLDEST = 7  # operator set in which arrays are broadcast as in NumPy


class Unreadable(ValueError):
    """What in a file is no network of ours; who reads the file puts its name before it."""


class Node(NamedTuple):
    """One operation.

    Attributes:
      name: what messages call it: the file's name for it or, where it has none, that of its output.
      inputs: "" for one that is left out.
      options: its attributes.
      proto: as the onnx package has it.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    options: dict[str, Any]
    proto: Any

    def refused(self, why: str) -> Unreadable:
        """The error that names the node."""
        return Unreadable(f"node {self.name!r} ({self.op}) {why}")

    def unknown(self, operators: Collection[str]) -> Unreadable:
        """The error for a node of none of these operators."""
        return self.refused(f"is an operator that is not known here; known are {', '.join(sorted(operators))}.")


class Graph(NamedTuple):
    """What a file holds. `sizes` are of the input, None for those that the file leaves open; `opset` is its version."""

    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input: str
    sizes: tuple[int | None, ...]
    outputs: tuple[str, ...]
    opset: int
    metadata: dict[str, str]


def read(file: Path, operators: Collection[str]) -> Graph:
    """The file's graph, its weights included, also those that lie in files beside it (`external_data`).

    `operators` are those that are known for what comes from the image.

    Raises: FileNotFoundError, IsADirectoryError; ValueError without the package onnx; Unreadable for a damaged file,
      for one of another kind, for an operator that ONNX does not have, for more than one input, and for weights outside
      of the file's folder.
    """
    onnx = package()
    check_there(file)
    try:
        model = onnx.load_model_from_string(file.read_bytes())
    except Exception as error:  # protobuf's
        raise Unreadable(f"it is damaged, or no ONNX file: {error}.") from error
    if not model.ir_version or not model.graph.output:
        raise Unreadable("it is damaged, or no ONNX file: it has no graph.")
    if model.functions:
        model = _inlined(model)
    opset = next((known.version for known in model.opset_import if known.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST:
        raise Unreadable(f"it is of operator set {opset}; expected {OLDEST} or a later one.")
    nodes = tuple(_node(onnx, proto) for proto in model.graph.node)
    constants = {tensor.name: _array(onnx, tensor, file.parent) for tensor in model.graph.initializer}
    given = [value for value in model.graph.input if value.name not in constants]
    if len(given) != 1:
        names = ", ".join(repr(value.name) for value in given) or "none"
        raise Unreadable(f"it has {len(given)} inputs ({names}); expected one, a batch of images.")
    _check(onnx, model.ir_version, opset, nodes, given[0].name, set(constants), operators)
    return Graph(
        nodes,
        constants,
        given[0].name,
        tuple(_size(axis) for axis in given[0].type.tensor_type.shape.dim),
        tuple(value.name for value in model.graph.output),
        opset,
        {entry.key: entry.value for entry in model.metadata_props},
    )


def _inlined(model: Any) -> Any:
    """With the functions that the file defines itself written out."""
    from onnx import inliner

    return inliner.inline_local_functions(model)


def _check(
    onnx: Any,
    ir_version: int,
    opset: int,
    nodes: Iterable[Node],
    image: str,
    constants: set[str],
    operators: Collection[str],
) -> None:
    """Unreadable unless each node is as ONNX has it and takes what comes before it."""
    known, computed = {image, *constants}, {image}
    context = type(onnx.checker.DEFAULT_CONTEXT)()
    context.ir_version, context.opset_imports = ir_version, {"": opset}
    for node in nodes:
        if node.proto.domain not in ("", "ai.onnx") or not onnx.defs.has(node.op):
            where = f" of {node.proto.domain!r}" if node.proto.domain else ""
            raise node.refused(f"is no operator{where} that is known here.")
        try:
            onnx.checker.check_node(node.proto, context)
        except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
            if node.op not in operators and computed.intersection(node.inputs):
                raise node.unknown(operators) from error
            raise node.refused(f"is damaged: {str(error).splitlines()[0]}") from error
        for name in node.inputs:
            if name and name not in known:
                raise node.refused(f"is damaged: it takes {name!r}, which nothing before it makes.")
        known.update(node.outputs)
        if computed.intersection(node.inputs):
            computed.update(node.outputs)


def _node(onnx: Any, proto: Any) -> Node:
    return Node(
        proto.op_type,
        proto.name or (proto.output[0] if proto.output else ""),
        tuple(proto.input),
        tuple(proto.output),
        {a.name: _plain(onnx, onnx.helper.get_attribute_value(a)) for a in proto.attribute},
        proto,
    )


def _plain(onnx: Any, value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, onnx.TensorProto):
        return onnx.numpy_helper.to_array(value)
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else value


def _size(axis: Any) -> int | None:
    return axis.dim_value if axis.dim_value > 0 else None


def _array(onnx: Any, tensor: Any, folder: Path) -> np.ndarray:
    """A tensor's values, also those that lie in a file beside: only one in the same folder or below is opened."""
    try:
        if not onnx.external_data_helper.uses_external_data(tensor):
            return onnx.numpy_helper.to_array(tensor)
        where = {entry.key: entry.value for entry in tensor.external_data}
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
        size = math.prod(tensor.dims) * dtype.itemsize
        offset, length = int(where.get("offset", 0)), int(where.get("length", size))
    except (ValueError, TypeError, KeyError) as error:
        raise Unreadable(f"it is damaged, in the weights {tensor.name!r}: {error}.") from error
    beside = folder / where.get("location", "")
    if not beside.resolve().is_relative_to(folder.resolve()):
        raise Unreadable(f"the weights {tensor.name!r} are to lie in {beside}, outside of its folder; not opened.")
    if not beside.is_file():
        raise Unreadable(f"the weights {tensor.name!r} lie in a file of their own, and there is no {beside}.")
    with beside.open("rb") as opened:
        opened.seek(max(offset, 0))
        content = opened.read(size)
    if len(content) != size or length != size:
        raise Unreadable(f"{beside} is damaged: it does not hold all of the weights {tensor.name!r}.")
    return np.frombuffer(content, dtype).reshape(tensor.dims)


def evaluated(node: Node, arrays: list[np.ndarray | None], opset: int) -> list[np.ndarray]:
    """What the node makes of constants, by ONNX's reference implementation."""
    from onnx import TypeProto, helper
    from onnx.reference import ReferenceEvaluator

    given = {name: a for name, a in zip(node.inputs, arrays, strict=True) if a is not None}
    taken, made = ([helper.make_value_info(name, TypeProto()) for name in names] for names in (given, node.outputs))
    graph = helper.make_graph([node.proto], "constants", taken, made)
    if node.op == "DequantizeLinear":  # of older sets it is the same, and the reference implementation lacks it
        opset = max(opset, 19)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, given)]
