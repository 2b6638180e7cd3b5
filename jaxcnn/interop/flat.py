"""Which layers take flattened images, and of what size: other libraries flatten them channel by channel."""

import math
from dataclasses import dataclass, replace
from typing import Any

import jax
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers import Flatten, Layer, Params, State
from jaxcnn.layers.combine import Branches, Combinator
from jaxcnn.layers.walk import Around, Path, rebuilt

Sizes = tuple[int, ...]  # of an image, without its channels
JOINED: Sizes = ()  # of branches joined, some of them flattened images


def flattened(network: Layer, params: Params, state: State, x: ShapeDtypeStruct) -> dict[str, Sizes]:
    """The sizes of the flattened images that layers take, by the layers' paths; `x` describes what the network takes.

    A dense layer ends it; norms, activations, dropout, and a sum of images of one size are gone through. Images of one
    pixel are left out, as they are the same in any order.

    Raises: ValueError for a layer with parameters behind branches that are joined otherwise, some of them flattened
      images: what another library has there in which order is not known.
    """
    found: dict[str, Sizes] = {}
    flat: list[tuple[Any, Sizes]] = []  # the arrays themselves: a layer's output is the next one's input

    def followed(path: Path, layer: Layer) -> Layer:
        if isinstance(layer, Branches):
            return _Joining(layer, flat)
        return layer if isinstance(layer, Combinator) else _Followed(layer, "/".join(path), found, flat)

    jax.eval_shape(lambda *arguments: rebuilt(network, followed).apply(*arguments)[0], params, state, x)
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
        sizes = _sizes(x, self.flat)
        if sizes is not None:
            if sizes == JOINED and params:
                raise ValueError(
                    "what comes in are branches joined, of which some are flattened images, and other libraries have "
                    "their entries in another order. Let each branch end in a dense layer or a mean over space; or put "
                    "channels last there before they are flattened, and give a Table with flat_channels_last=True."
                )
            self.found[self.path] = sizes
        elif isinstance(self.layer, Flatten) and math.prod(x.shape[1:-1]) > 1:
            sizes = x.shape[1:-1]
        if sizes is not None and "kernel" not in params:
            self.flat.append((y, sizes))
        return y, new


@dataclass(frozen=True, repr=False)
class _Joining(Around):
    """Branches that note in `flat` what becomes of flattened images among their outputs."""

    flat: list[tuple[Any, Sizes]]

    def __post_init__(self) -> None:
        """As of `_Followed`."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        outputs: list[Array] = []
        assert isinstance(self.layer, Branches)
        parts = tuple((name, _Noted(part, outputs)) for name, part in self.layer.parts)
        y, new = replace(self.layer, parts=parts).apply(params, state, x, train=train, key=key)
        sizes = {_sizes(output, self.flat) for output in outputs}
        if sizes != {None}:
            one = sizes.pop() if self.layer.join == "add" and len(sizes) == 1 else None
            self.flat.append((y, JOINED if one is None else one))
        return y, new


@dataclass(frozen=True, repr=False)
class _Noted(Around):
    """A layer whose output is put into `outputs`."""

    outputs: list[Array]

    def __post_init__(self) -> None:
        """As of `_Followed`."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y, new = self.layer.apply(params, state, x, train=train, key=key)
        self.outputs.append(y)
        return y, new


def _sizes(x: Array, flat: list[tuple[Any, Sizes]]) -> Sizes | None:
    return next((sizes for array, sizes in flat if array is x), None)
