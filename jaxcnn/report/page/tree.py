"""The network as the tree of its layers: shapes, parameters, work, receptive fields, and how long each takes."""

from dataclasses import dataclass
from typing import Literal

from jaxcnn.layers import Layer, summary
from jaxcnn.layers.combine import Branches, Combinator
from jaxcnn.layers.describe import Row
from jaxcnn.layers.summary import Summary
from jaxcnn.report.page.section import section
from jaxcnn.report.page.timing import Time, Times, times
from jaxcnn.report.page.trained import Trained

OPEN = 40  # layers: of a network of more, blocks are folded up


@dataclass(frozen=True)
class Node:
    """A layer, or a block of some.

    Attributes:
      form: what it is drawn as: a box, boxes one below another, or side by side with what joins them below.
      text: the layer as it is written, a block's kind, or how branches are joined.
      shape: of the output for one image.
      parameters, multiply_adds: of all within.
      field: the receptive field of its output, in pixels of the image.
      time: of a layer; None where it was not measured, and of a block.
    """

    name: str
    path: str
    form: Literal["layer", "chain", "branches"]
    text: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    field: str
    time: Time | None
    parts: tuple["Node", ...] = ()

    @property
    def layers(self) -> int:
        """How many layers are within, itself where it is one."""
        return sum(part.layers for part in self.parts) if self.form != "layer" else 1

    @property
    def measured(self) -> Time | None:
        """The sum over all layers within, where each was measured."""
        if self.form == "layer":
            return self.time
        known = [part.measured for part in self.parts]
        if None in known:
            return None
        return Time(sum(time.forward for time in known if time), sum(time.backward for time in known if time))


@dataclass(frozen=True)
class Tree:
    """The whole network.

    Attributes:
      slowest: the longest time of a layer, forward and backward together, in seconds; 0 where none was measured.
      folded: whether blocks are to be folded up, since there are many.
    """

    root: Node
    input_shape: tuple[int, ...]
    parameters: int
    trainable: int
    multiply_adds: int
    times: Times
    slowest: float
    folded: bool


@section("network", "The network, layer by layer", tested=False)
def network(trained: Trained) -> Tree:
    """The tree, with its layers timed for `Trained.seconds` at most."""
    model = trained.model
    assert model is not None
    described = summary(model.network, model.image_shape)
    found = times(model, trained.seconds)
    root = node(model.network, described, found)
    slowest = max((time.both for time in found.of.values()), default=0.0)
    return Tree(
        root,
        model.image_shape,
        described.trainable + described.fixed,
        described.trainable,
        described.multiply_adds,
        found,
        slowest,
        root.layers > OPEN,
    )


def node(network: Layer, described: Summary, times: Times) -> Node:
    """The network's tree, by the rows of its summary."""
    return _node("", (), network, {row.path: row for row in described.rows}, times, described.input_shape)


def _node(
    name: str, path: tuple[str, ...], layer: Layer, rows: dict[str, Row], times: Times, shape: tuple[int, ...]
) -> Node:
    """`shape` is what goes in, which is what comes out of a chain of nothing."""
    place = "/".join(path)
    if not isinstance(layer, Combinator):
        return _leaf(name, place, layer, [row for row in rows.values() if _within(row.path, place)], times)
    parts = []
    through = shape
    for part, inner in layer.parts:
        parts.append(_node(part, (*path, part), inner, rows, times, through))
        through = parts[-1].shape if not isinstance(layer, Branches) else shape
    joined = rows[place] if isinstance(layer, Branches) else None
    return Node(
        name,
        place,
        "chain" if joined is None else "branches",
        _words(layer),
        through if joined is None else joined.shape,
        sum(part.parameters for part in parts),
        sum(part.multiply_adds for part in parts),
        str(joined.field) if joined is not None else parts[-1].field if parts else "",
        None,
        tuple(parts),
    )


def _leaf(name: str, place: str, layer: Layer, rows: list[Row], times: Times) -> Node:
    """A layer of the user's own may have several rows."""
    return Node(
        name,
        place,
        "layer",
        repr(layer),
        rows[-1].shape,
        sum(row.trainable + row.fixed for row in rows),
        sum(row.multiply_adds for row in rows),
        str(rows[-1].field),
        times.of.get(place),
    )


def _within(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/") or not place


def _words(layer: Combinator) -> str:
    if not isinstance(layer, Branches):
        return "one after another" if layer.parts else "the input as it is"
    return {"add": "added", "concat": "put together, channel behind channel", "multiply": "multiplied"}[layer.join]
