"""The layers of a network that are not made of others, by their paths."""

from collections.abc import Callable, Iterator, Mapping
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
    """Each layer with its path, in the order in which the network computes them."""
    if not isinstance(network, Combinator):
        yield path, network
        return
    for name, part in network.parts:
        yield from leaves(part, (*path, name))


def changed(network: Layer, change: Callable[[Path, Layer], Layer], path: Path = ()) -> Layer:
    """The network with change(path, layer) in the place of each layer; params and state stay those of the old one."""
    if not isinstance(network, Combinator):
        return change(path, network)
    parts = tuple((name, changed(part, change, (*path, name))) for name, part in network.parts)
    return replace(network, parts=parts)


def at(tree: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """The layer's own part of the network's params or state; empty where it has none."""
    for name in path:
        tree = tree.get(name, {})
    return tree


def layer_of(path: tuple[Any, ...]) -> Path:
    """The path of the layer whose parameter or state lies at this key path."""
    return tuple(key.key for key in path[:-1])


def name_of(path: tuple[Any, ...]) -> str:
    """A key path as it is shown: "block1/conv/kernel"."""
    return jax.tree_util.keystr(path, simple=True, separator="/")
