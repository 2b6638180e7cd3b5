"""An ONNX file: its nodes in the order in which they are computed, its arrays, its input and its outputs."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

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


class Graph(NamedTuple):
    """What a file holds. `sizes` are of the input, None for those that the file leaves open; `opset` is its version."""

    nodes: tuple[Node, ...]
    constants: dict[str, np.ndarray]
    input: str
    sizes: tuple[int | None, ...]
    outputs: tuple[str, ...]
    opset: int
    metadata: dict[str, str]


def read(file: Path) -> Graph:
    """The file's graph, its weights included, also those that lie in files beside it (`external_data`).

    Raises: FileNotFoundError; ValueError without the package onnx; Unreadable for a damaged file, for one of another
      kind, for an operator that ONNX does not have, for more than one input, and for weights outside of the file's
      folder.
    """
    onnx = package()
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file}.")
    try:
        model = onnx.load_model_from_string(file.read_bytes())
    except Exception as error:  # protobuf's
        raise Unreadable(f"it is damaged, or no ONNX file: {error}.") from error
    if not model.ir_version or not model.graph.output:
        raise Unreadable("it is damaged, or no ONNX file: it has no graph.")
    if model.functions:
        model = _inlined(model)
    _known_operators(onnx, model.graph.node)
    for tensor in model.graph.initializer:
        if onnx.external_data_helper.uses_external_data(tensor):
            _fetch(onnx, tensor, file.parent)
    _leave_out_shapes(model.graph)
    try:
        onnx.checker.check_model(model)
        constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    except (onnx.checker.ValidationError, ValueError, TypeError) as error:
        raise Unreadable(f"it is damaged: {str(error).splitlines()[0]}") from error
    opset = next((known.version for known in model.opset_import if known.domain in ("", "ai.onnx")), 0)
    if opset < OLDEST:
        raise Unreadable(f"it is of operator set {opset}; expected {OLDEST} or a later one.")
    given = [value for value in model.graph.input if value.name not in constants]
    if len(given) != 1:
        names = ", ".join(repr(value.name) for value in given) or "none"
        raise Unreadable(f"it has {len(given)} inputs ({names}); expected one, a batch of images.")
    return Graph(
        tuple(_node(onnx, proto) for proto in model.graph.node),
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


def _leave_out_shapes(graph: Any) -> None:
    """Of all that the graph computes: they are worked out here, and the checker is not to miss one."""
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.shape.Clear()
        value.type.tensor_type.shape.SetInParent()


def _known_operators(onnx: Any, nodes: Iterable[Any]) -> None:
    for proto in nodes:
        if proto.domain not in ("", "ai.onnx") or not onnx.defs.has(proto.op_type):
            where = f" of {proto.domain!r}" if proto.domain else ""
            raise _node(onnx, proto).refused(f"is no operator{where} that is known here.")


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


def _fetch(onnx: Any, tensor: Any, folder: Path) -> None:
    """Put a tensor's bytes from the file beside into it; only a file in the same folder or below it is opened."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    beside = folder / where.get("location", "")
    if not beside.resolve().is_relative_to(folder.resolve()):
        raise Unreadable(f"the weights {tensor.name!r} are to lie in {beside}, outside of its folder; not opened.")
    if not beside.is_file():
        raise Unreadable(f"the weights {tensor.name!r} lie in a file of their own, and there is no {beside}.")
    bits = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    offset, length = int(where.get("offset", 0)), int(where.get("length", math.prod(tensor.dims) * bits))
    with beside.open("rb") as opened:
        opened.seek(offset)
        tensor.raw_data = opened.read(length)
    if len(tensor.raw_data) != length:
        raise Unreadable(f"{beside} is damaged: it ends within the weights {tensor.name!r}.")
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def evaluated(node: Node, arrays: list[np.ndarray | None], opset: int) -> list[np.ndarray]:
    """What the node makes of constants, by ONNX's reference implementation."""
    from onnx import TypeProto, helper
    from onnx.reference import ReferenceEvaluator

    given = {name: a for name, a in zip(node.inputs, arrays, strict=True) if a is not None}
    taken, made = ([helper.make_value_info(name, TypeProto()) for name in names] for names in (given, node.outputs))
    graph = helper.make_graph([node.proto], "constants", taken, made)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    return [np.asarray(a) for a in ReferenceEvaluator(model).run(None, given)]
