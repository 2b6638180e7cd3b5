"""What a network computes on the way: its features, and the outputs of layers within it."""

from collections.abc import Iterable
from dataclasses import dataclass

from jax import Array

from jaxcnn.layers.base import Layer, Params, State
from jaxcnn.layers.combine import Chain
from jaxcnn.layers.walk import Around, Path, known_path, rebuilt
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

    Raises: ValueError for a path that no layer has, with the nearest; TypeError for a string in the place of a list.
    """
    if isinstance(paths, str):
        raise TypeError(f"intermediates: paths is {paths!r}; expected a list, such as [{paths!r}].")
    paths = list(paths)
    for path in paths:
        known_path("intermediates", "one of paths", network, path)
    seen: dict[str, Array] = {}

    def heard(path: Path, layer: Layer) -> Layer:
        name = "/".join(path)
        return _Heard(layer, name, seen) if name in paths else layer

    rebuilt(network, heard).apply(params, state, x)
    return {path: seen[path] for path in paths}


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
