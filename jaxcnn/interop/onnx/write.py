"""A network as an ONNX file, which other runtimes run without JAX."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jax import ShapeDtypeStruct

from jaxcnn.interop.onnx import package
from jaxcnn.layers import Layer, Params, State, dequantise
from jaxcnn.layers.base import output
from jaxcnn.layers.combine import Branches, Chain

OPSET, IR = 18, 8  # of 2022: what is older lacks layer norm and antialiased resizing, and runtimes since then know them
INPUT, OUTPUT, BATCH = "images", "logits", "n"


def dump(
    network: Layer,
    params: Params,
    state: State,
    image_shape: tuple[int, ...],
    *,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """The network in evaluation as an ONNX file, of opset 18.

    Its input "images" is what the network takes, float32, but with channels second, as is usual there:
    (n, channels, *spatial), n being open and the other sizes fixed. Its output "logits" is (n, classes), or again with
    channels second, (n, classes, *spatial). All is computed in float32, whatever the layers' precision.

    Args:
      params: may hold `Int8` kernels (`layers.quantise`): they are kept in 8 bits, and a node makes floats of each.
      image_shape: (*spatial, channels), without the batch.
      metadata: words for the file's metadata_props.

    Raises: ValueError without the package onnx, and for a layer that can't be written, with its path and kind.
    """
    onnx = package()
    from jaxcnn.interop.onnx.write_graph import Graph

    graph = Graph()
    x = ShapeDtypeStruct((1, *image_shape), np.float32)
    made, y = _written(graph, (), network, params, state, INPUT, x)
    ends = (INPUT, _channels_second(x.shape)), (OUTPUT, _channels_second(y.shape))
    model = onnx.helper.make_model(
        graph.made("jaxcnn", *ends, made),
        producer_name="jaxcnn",
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR,
    )
    onnx.helper.set_model_props(model, dict(metadata or {}))
    return bytes(model.SerializeToString())


def _channels_second(shape: tuple[int, ...]) -> tuple[Any, ...]:
    return (BATCH, shape[-1], *shape[1:-1])


def _written(
    graph: Any, path: tuple[str, ...], layer: Layer, params: Any, state: Any, x: str, shape: ShapeDtypeStruct
) -> tuple[str, ShapeDtypeStruct]:
    """The name of what the layer makes of x, and its shape as the layer itself has it."""
    from jaxcnn.interop.onnx.write_layers import Site, write

    def part(name: str, layer: Layer, x: str, shape: ShapeDtypeStruct) -> tuple[str, ShapeDtypeStruct]:
        return _written(graph, (*path, name), layer, params.get(name, {}), state.get(name, {}), x, shape)

    if isinstance(layer, Chain):
        for name, each in layer.parts:
            x, shape = part(name, each, x, shape)
        return x, shape
    made = output(layer, dequantise(params), state, shape)
    if isinstance(layer, Branches):
        ends = [part(name, each, x, shape) for name, each in layer.parts]
        return _joined(graph, "/".join(path), layer.join, ends), made
    return write(Site(graph, "/".join(path), layer, params, state, x, shape.shape, made.shape)), made


def _joined(graph: Any, path: str, join: str, ends: list[tuple[str, ShapeDtypeStruct]]) -> str:
    """The branches' outputs as one."""
    names = [name for name, _ in ends]
    if join == "concat":
        return str(graph.node("Concat", *names, at=path, axis=1))
    if join == "add":
        return str(graph.node("Add" if len(names) == 2 else "Sum", *names, at=path))
    (_, body), (gate, factors) = ends
    if factors.ndim < body.ndim:
        gate = graph.node("Unsqueeze", gate, graph.whole([*range(2, body.ndim)], f"{path}/axes"), at=path)
    return str(graph.node("Mul", names[0], gate, at=path))
