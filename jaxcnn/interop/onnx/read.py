"""An ONNX file as a network of ours."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import jax

from jaxcnn.interop.onnx.axes import Value, image
from jaxcnn.interop.onnx.build import headed
from jaxcnn.interop.onnx.file import Graph, Node, Unreadable, read
from jaxcnn.interop.onnx.operators import OPERATORS
from jaxcnn.interop.onnx.reader import Reader
from jaxcnn.interop.onnx.rewrite import simplified
from jaxcnn.interop.onnx.tree import Leaf, Series, series
from jaxcnn.layers import Activation, Layer, Params, State

USUAL = 224  # length of an image's side that the file leaves open


class Imported(NamedTuple):
    """A network from a file.

    Attributes:
      network, params, state: `network(params, state, images)` is the file's output for images (n, h, w, c).
      image_shape: (h, w, c) that the file is made for.
      metadata: what else its author wrote into it.
    """

    network: Layer
    params: Params
    state: State
    image_shape: tuple[int, ...]
    metadata: dict[str, str]


def load_onnx(
    file: str | Path, *, image_shape: Sequence[int] | None = None, output: str | None = None, logits: bool = False
) -> Imported:
    """The network in an ONNX file, as a tree of layers with its weights.

    >>> net = jaxcnn.load_onnx("resnet50.onnx")  # doctest: +SKIP
    >>> y = net.network(net.params, net.state, images)  # doctest: +SKIP

    Images have their channels last, whatever the file has; so has an output of images, and one of (n, c, 1, 1) is
    (n, c). The batch may have any size. Layers are called as in `chain`, but for the last one with weights and what
    follows it: that is "head". Weights become float32.

    Args:
      image_shape: (h, w, c) of the images where the file leaves them open; by default h and w are 224 then. A network
        that ends in global pooling is the same for all sizes.
      output: which of several outputs, by its name.
      logits: leave out a softmax at the end, as losses here take it.

    Raises: ValueError, with the file's name and the node's, for an operator that is not known, for one of which not all
      is known, and for a graph that is no tree of chains and branches; for a damaged file, and for several inputs or
      outputs; and without the package onnx; FileNotFoundError without the file. Nothing is half-loaded.
    """
    file = Path(file)
    try:
        graph = read(file, OPERATORS)
        shape = _image_shape(graph, image_shape)
        parts = simplified(_parts(graph, shape, output))
    except Unreadable as error:
        raise ValueError(f"{file}: {error}") from error
    match parts:
        case [*before, Leaf(layer=Activation(name="softmax" | "log_softmax"))] if logits:
            parts = before
    network, *arrays = headed(parts)
    params, state = jax.device_put(arrays)
    return Imported(network, params, state, shape, graph.metadata)


def _image_shape(graph: Graph, given: Sequence[int] | None) -> tuple[int, ...]:
    """(h, w, c) of the input, by the file or as given."""
    sizes = graph.sizes[1:]
    fixed = sizes if _channels_last(graph) else (*sizes[1:], *sizes[:1])
    words = " × ".join("open" if size is None else str(size) for size in fixed)
    if given is not None:
        fits = len(given) == len(fixed) and all(b in (None, a) for a, b in zip(given, fixed, strict=True))
        if not fits:
            raise Unreadable(f"image_shape is {tuple(given)}; the file's images are {words}, channels last.")
        return tuple(map(int, given))
    if not fixed or fixed[-1] is None:
        raise Unreadable(f"its images are {words}, channels last: give image_shape, such as ({USUAL}, {USUAL}, 3).")
    return tuple(USUAL if size is None else size for size in fixed)


def _channels_last(graph: Graph) -> bool:
    """Whether the file takes (n, h, w, c): then it moves the channels to where ONNX's operators have them."""
    rank = len(graph.sizes)
    value = graph.input
    for node in graph.nodes:
        if value not in node.inputs:
            continue
        if node.op == "Transpose":
            return node.options.get("perm", [0])[1:2] == [rank - 1]
        if node.op == "Reshape":  # of a single channel that is the same
            return rank > 2 and graph.sizes[-1] == 1 != graph.sizes[1]
        if node.op not in ("Identity", "Cast", "Add", "Sub", "Mul", "Div", "Pad", "Clip"):
            return False
        value = node.outputs[0]
    return False


def _parts(graph: Graph, image_shape: tuple[int, ...], output: str | None) -> Series:
    """The graph from its input to its output, as parts one after another."""
    end = _output(graph, output)
    batch = graph.sizes[0] or 1  # the network takes any: nothing here goes across it
    sizes = (batch, *image_shape)
    rank = len(sizes)
    last = Value(sizes, tuple((axis,) for axis in range(rank)))
    reader = Reader(graph, last if _channels_last(graph) else image(sizes))
    nodes = _needed(graph, end)
    for node in nodes:
        if reader.fold(node):
            continue
        if node.op not in OPERATORS:
            raise node.unknown(OPERATORS)
        try:
            OPERATORS[node.op](reader, node)
        except Unreadable:
            raise
        except (LookupError, TypeError, ValueError, ArithmeticError) as error:
            why = f"{type(error).__name__}: {error}"
            raise node.refused(f"has attributes or arrays that do not fit what comes in ({why}).") from error
    if end not in reader.values or not nodes:
        raise Unreadable(f"its output {end!r} is not made of its input.")
    return series(reader.steps, graph.input, reader.result(nodes[-1]))


def _output(graph: Graph, given: str | None) -> str:
    known = ", ".join(map(repr, graph.outputs))
    if given is None and len(graph.outputs) > 1:
        raise Unreadable(f"it has several outputs, {known}; say which by output.")
    if given is not None and given not in graph.outputs:
        raise Unreadable(f"output is {given!r}; expected one of {known}.")
    return graph.outputs[0] if given is None else given


def _needed(graph: Graph, end: str) -> list[Node]:
    """The nodes that this value comes from, in the file's order."""
    wanted, needed = {end}, []
    for node in reversed(graph.nodes):
        if wanted.intersection(node.outputs):
            needed.append(node)
            wanted.update(node.inputs)
    return needed[::-1]
