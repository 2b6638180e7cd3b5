"""What a network computes on the way: its features, and the outputs of layers within it."""

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from jax import Array

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.combine import Chain, Combinator
from jaxcnn.layers.walk import Around
from jaxcnn.ops.arguments import explained


@explained
def features(network: Layer) -> Chain:
    """The network without its `head`: what it knows of an image, before it says which class that is.

    It takes the params and state of the whole network, whose head's it leaves.

    Raises: ValueError unless the network is a chain with a layer called "head".
    """
    names = [name for name, _ in network.parts] if isinstance(network, Chain) else []
    if not isinstance(network, Chain) or "head" not in names:
        seen = f"its layers are {', '.join(names)}" if names else f"it is {network!r}"
        raise ValueError(f"features: the network has no layer called 'head' to cut off; {seen}.")
    return Chain(tuple((name, layer) for name, layer in network.parts if name != "head"))


@explained
def intermediates(network: Layer, params: Params, state: State, x: Array, paths: Iterable[str]) -> dict[str, Array]:
    """In evaluation the outputs of the layers at these paths, such as "block1_1/body/conv1" or "block1_1".

    The network stays as it is, and what it computes besides is dropped by jit. Paths are those of params and of the
    summary, and those of the blocks that these lie in.

    Raises: ValueError for a path that no layer has, with the nearest.
    """
    paths = list(paths)
    known = dict.fromkeys("/".join(path) for path in _paths(network))
    for path in paths:
        if path not in known:
            near = difflib.get_close_matches(path, known, 1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"intermediates: paths has {path!r}, which is no layer of the network.{hint}")
    seen: dict[str, Array] = {}
    _listening(network, frozenset(paths), (), seen).apply(params, state, x)
    return {path: seen[path] for path in paths}


def _paths(network: Layer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path:
        yield path
    if isinstance(network, Combinator):
        for name, part in network.parts:
            yield from _paths(part, (*path, name))


@dataclass(frozen=True, repr=False)
class _Heard(Around):
    """A layer whose output is put into `seen`, under its path."""

    path: str
    seen: dict[str, Array]

    def __post_init__(self) -> None:
        """Without what makes options hashable: it would copy `seen`, and lives for one call."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        self.seen[self.path], new = self.layer.apply(params, state, x, train=train, key=key)
        return self.seen[self.path], new


def _listening(network: Layer, paths: frozenset[str], path: tuple[str, ...], seen: dict[str, Array]) -> Layer:
    """The network with the layers at these paths heard."""
    if isinstance(network, Combinator):
        parts = tuple((name, _listening(part, paths, (*path, name), seen)) for name, part in network.parts)
        network = replace(network, parts=parts)
    return _Heard(network, "/".join(path), seen) if "/".join(path) in paths else network
