"""The layers of a network by their paths."""

import difflib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import jax
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.combine import Combinator

Path = tuple[str, ...]  # of names, as they lie in params and state


@dataclass(frozen=True, repr=False)
class Around(Layer):
    """A layer around another, whose params and state are the other's; what `changed` puts in its place."""

    layer: Layer

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return self.layer.init(key, x)


def leaves(network: Layer, path: Path = ()) -> Iterator[tuple[Path, Layer]]:
    """Each layer that is not made of others with its path, in the order in which the network computes them."""
    if not isinstance(network, Combinator):
        yield path, network
        return
    for name, part in network.parts:
        yield from leaves(part, (*path, name))


def changed(network: Layer, change: Callable[[Path, Layer], Layer], path: Path = ()) -> Layer:
    """The network with change(path, layer) in the place of each of its `leaves`; params and state stay as they are."""

    def leaf(path: Path, layer: Layer) -> Layer:
        return layer if isinstance(layer, Combinator) else change(path, layer)

    return rebuilt(network, leaf, path)


def rebuilt(network: Layer, change: Callable[[Path, Layer], Layer], path: Path = ()) -> Layer:
    """`changed` for all layers: also for those made of others, whose parts are changed before them."""
    if isinstance(network, Combinator):
        parts = tuple((name, rebuilt(part, change, (*path, name))) for name, part in network.parts)
        network = replace(network, parts=parts)
    return change(path, network)


def paths(network: Layer, path: Path = ()) -> Iterator[str]:
    """The path of each layer and each block within the network, as it is written: "block1_1/body/conv1"."""
    if path:
        yield "/".join(path)
    if isinstance(network, Combinator):
        for name, part in network.parts:
            yield from paths(part, (*path, name))


def known_path(owner: str, argument: str, network: Layer, path: str) -> None:
    """ValueError, with the nearest, unless the network has a layer of this path."""
    known = list(paths(network))
    if path not in known:
        near = difflib.get_close_matches(str(path), known, 1)
        outermost = ", ".join(name for name in known if "/" not in name)
        hint = f" Did you mean {near[0]!r}?" if near else f" Its outermost are {outermost}." if known else ""
        raise ValueError(f"{owner}: {argument} is {path!r}, which is no layer of the network.{hint}")


def layer_of(path: tuple[Any, ...]) -> Path:
    """The path of the layer whose parameter or state lies at this key path."""
    return tuple(key.key for key in path[:-1])


def name_of(path: tuple[Any, ...]) -> str:
    """A key path as it is shown: "block1/conv/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")
