"""Which layers take flattened images, and of what size: other libraries flatten them channel by channel."""

import math
from dataclasses import dataclass
from typing import Any

import jax
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers import Flatten, Layer, Params, State
from jaxcnn.layers.walk import Around, Path, changed

Sizes = tuple[int, ...]  # of an image, without its channels


def flattened(network: Layer, params: Params, state: State, x: ShapeDtypeStruct) -> dict[str, Sizes]:
    """The sizes of the flattened images that layers take, by the layers' paths; `x` describes what the network takes.

    A dense layer ends it; norms, activations and dropout are gone through. Images of one pixel are left out, as they
    are the same in any order.
    """
    found: dict[str, Sizes] = {}
    flat: list[tuple[Any, Sizes]] = []  # the arrays themselves: a layer's output is the next one's input

    def followed(path: Path, layer: Layer) -> Layer:
        return _Followed(layer, "/".join(path), found, flat)

    jax.eval_shape(lambda *arguments: changed(network, followed).apply(*arguments)[0], params, state, x)
    return found


@dataclass(frozen=True, repr=False)
class _Followed(Around):
    """A layer that notes in `found` and `flat` whether it takes and gives flattened images."""

    path: str
    found: dict[str, Sizes]
    flat: list[tuple[Any, Sizes]]

    def __post_init__(self) -> None:
        """Without what makes options hashable: it would copy `found` and `flat`."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y, new = self.layer.apply(params, state, x, train=train, key=key)
        sizes = next((sizes for array, sizes in self.flat if array is x), None)
        if sizes is not None:
            self.found[self.path] = sizes
        elif isinstance(self.layer, Flatten) and math.prod(x.shape[1:-1]) > 1:
            sizes = x.shape[1:-1]
        if sizes is not None and "kernel" not in params:
            self.flat.append((y, sizes))
        return y, new
