"""What all layers of a network make of test images: one program for every section that asks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float, Int

from jaxcnn.data import Images
from jaxcnn.layers import (
    Activation,
    Dropout,
    Flatten,
    Layer,
    Params,
    PReLU,
    State,
    intermediates,
    summary,
)
from jaxcnn.layers.combine import Chain, Combinator
from jaxcnn.layers.walk import Path, leaves
from jaxcnn.primitive import promoting
from jaxcnn.train.evaluate import inputs
from jaxcnn.train.model import Model

IMAGES = 512  # that are looked at, or as many as WORK allows
WORK = 20_000_000_000  # multiply-adds
BATCH = 64
LAYERS = 16  # whose maps are kept
CHANNELS = 12  # of each
UNITS = 256  # of a layer without places
# Of activations that saturate, the slope over the largest that it can be, from the value.
SLOPES: dict[str, Callable[[Array], Array]] = {
    "sigmoid": lambda y: 4 * y * (1 - y),
    "hard_sigmoid": lambda y: ((y > 0) & (y < 1)).astype(y.dtype),
    "tanh": lambda y: 1 - y * y,
}
_NO_UNITS = ("softmax", "log_softmax")  # which are not of each value by itself


@dataclass(frozen=True, eq=False)
class Range:
    """An activation layer's values over all images and places, channel by channel.

    Attributes:
      low, high: the least and the largest.
      slope: the largest slope anywhere, over the largest that there can be; None for what does not saturate.
    """

    path: str
    kind: str
    low: Float[np.ndarray, " c"]
    high: Float[np.ndarray, " c"]
    slope: Float[np.ndarray, " c"] | None


@dataclass(frozen=True, eq=False)
class Maps:
    """A layer's output for a few pictures: of `shape` for each, of which these channels are kept.

    `values` are (pictures, h, w, channels), or (pictures, units) of a layer without places.
    """

    path: str
    layer: Layer
    shape: tuple[int, ...]
    channels: Int[np.ndarray, " k"]
    values: Float[np.ndarray, "p *places k"]


@dataclass(frozen=True, eq=False)
class Activity:
    """What the layers make of the `pictures`, the numbers of a few test images, and the activations of `images`."""

    pictures: list[int]
    images: int
    maps: list[Maps]
    ranges: list[Range]


def look(model: Model, images: Images, pictures: Sequence[int]) -> Activity:
    """Run the network, in evaluation, on these pictures and on others of the images, evenly taken."""
    network, pictures = model.network, list(pictures)
    shown = {"/".join(path): layer for path, layer in _shown(network)}
    acting = {"/".join(path): layer for path, layer in leaves(network) if path and _acts(layer)}

    @jax.jit
    @promoting()
    def program(params: Params, state: State, pixels: Array) -> tuple[dict[str, Any], dict[str, list[Array]]]:
        x = inputs(model, pixels)
        found = intermediates(network, params, state, x, [*shown, *(path for path in acting if path not in shown)])
        first = {path: _most_active(found[path][: len(pictures)]) for path in shown}
        return first, {path: _ends(layer, found[path]) for path, layer in acting.items()}

    rows = _rows(len(images), pictures, _affordable(model))
    size = max(min(BATCH, len(rows)), len(pictures))
    ends: dict[str, list[list[np.ndarray]]] = {path: [] for path in acting}
    maps = None
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        batch = np.concatenate([batch, np.resize(rows, size - len(batch))])  # once more: it changes no extreme
        first, found = jax.device_get(program(model.params, model.state, np.asarray(images[batch])))
        maps = first if maps is None else maps
        for path, arrays in found.items():
            ends[path].append(arrays)
    assert maps is not None
    return Activity(
        pictures,
        len(rows),
        [_maps(path, layer, *maps[path]) for path, layer in shown.items() if maps[path][2].ndim in (2, 4)],
        [_range(path, layer, ends[path]) for path, layer in acting.items()],
    )


def _shown(network: Layer) -> list[tuple[Path, Layer]]:
    """The layers whose maps are kept: all that change their input. Of a large network blocks as one, evenly taken."""
    found: list[tuple[Path, Layer]] = []
    for ways in (leaves(network), _steps(network), _outermost(network)):
        found = [(path, layer) for path, layer in ways if path and not isinstance(layer, Dropout | Flatten)]
        if len(found) <= LAYERS:
            return found
    return [found[i] for i in np.linspace(0, len(found) - 1, LAYERS).round().astype(int)]


def _outermost(network: Layer) -> list[tuple[Path, Layer]]:
    return [((name,), part) for name, part in network.parts] if isinstance(network, Combinator) else []


def _steps(layer: Layer, path: Path = ()) -> list[tuple[Path, Layer]]:
    """What a network does one after another: chains part by part, blocks with branches as one."""
    if isinstance(layer, Chain):
        return [step for name, part in layer.parts for step in _steps(part, (*path, name))]
    return [(path, layer)] if path else []


def _acts(layer: Layer) -> bool:
    return isinstance(layer, PReLU) or (isinstance(layer, Activation) and layer.name not in _NO_UNITS)


def _affordable(model: Model) -> int:
    return min(IMAGES, WORK // max(1, summary(model.network, model.image_shape).multiply_adds))


def _rows(n: int, pictures: list[int], most: int) -> Int[np.ndarray, " r"]:
    """The pictures, and evenly spread over all n images as many others as make `most`."""
    others = np.delete(np.arange(n), pictures)
    more = min(len(others), max(0, most - len(pictures)))
    places = np.linspace(0, len(others) - 1, more).round().astype(int)
    return np.concatenate([np.asarray(pictures, int), others[places]])


def _most_active(y: Array) -> tuple[Array, Array, Array]:
    """Each channel's mean square, the numbers of those where it is largest, and these channels.

    Of a layer without places the first units, in their order. No sort, which XLA compiles slowly for a CPU.
    """
    power = jnp.square(y).mean(tuple(range(y.ndim - 1)))
    if y.ndim == 2:
        return power, jnp.arange(min(UNITS, len(power))), y[:, :UNITS]
    number = jnp.arange(len(power))
    ahead = (power > power[:, None]) | ((power == power[:, None]) & (number < number[:, None]))
    channels = (ahead.sum(1) == number[:CHANNELS, None]).argmax(1)
    return power, channels, jnp.take(y, channels, axis=-1)


def _ends(layer: Layer, y: Array) -> list[Array]:
    """By channel the least and largest value, and the largest slope where there is one to speak of."""
    over = tuple(range(y.ndim - 1))
    found = [y.min(over), y.max(over)]
    slope = SLOPES.get(layer.name) if isinstance(layer, Activation) else None
    return found if slope is None else [*found, slope(y).max(over)]


def _maps(path: str, layer: Layer, power: np.ndarray, channels: np.ndarray, values: np.ndarray) -> Maps:
    return Maps(path, layer, (*values.shape[1:-1], len(power)), channels, values)


def _range(path: str, layer: Layer, batches: list[list[np.ndarray]]) -> Range:
    low, high, *slope = zip(*batches, strict=True)
    kind = layer.name if isinstance(layer, Activation) else type(layer).__name__.lower()
    return Range(path, kind, np.min(low, 0), np.max(high, 0), np.max(slope[0], 0) if slope else None)
