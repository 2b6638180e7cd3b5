"""How long each layer takes, forward and backward, each by itself on a batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, ShapeDtypeStruct

from jaxcnn.layers import Layer, Params, State, summary
from jaxcnn.layers.walk import Around, Path, at, changed
from jaxcnn.report.machine import machine
from jaxcnn.train.model import Model

CALLS = 5
MOST = 0.2  # seconds for the calls of one layer, after which there are no more
LARGEST_BATCH = 64
WORK = 2_000_000_000  # multiply-adds of a batch's forward pass, or those of 2 images


@dataclass(frozen=True)
class Time:
    """Seconds that a batch takes: the medians of a few calls."""

    forward: float
    backward: float

    @property
    def both(self) -> float:
        """Forward and backward."""
        return self.forward + self.backward


@dataclass(frozen=True)
class Times:
    """Attributes:
    of: by a layer's path.
    batch: how many images.
    device: what they were measured on.
    left: how many layers were not measured, for which there was no time left.
    """

    of: dict[str, Time]
    batch: int
    device: str
    left: int


@dataclass(frozen=True)
class _Met(Around):
    """A layer that tells what it is given."""

    meet: Callable[[Array], None]

    def __post_init__(self) -> None:
        """Without what makes options hashable: it lives for one trace."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        self.meet(x)
        return self.layer.apply(params, state, x, train=train, key=key)


def times(model: Model, seconds: float) -> Times:
    """Those of all layers, as far as so many seconds suffice: of equal ones once, and those first that compute most."""
    described = summary(model.network, model.image_shape)
    batch = int(np.clip(WORK // max(1, described.multiply_adds), 2, LARGEST_BATCH))
    work = {row.path: row.multiply_adds for row in described.rows}
    met = _inputs(model, batch)
    order = sorted(met, key=lambda path: (-work.get("/".join(path), 0), -met[path][1].size))
    until = time.perf_counter() + seconds
    known: dict[Any, Time | None] = {}
    found = {}
    for path in order:
        layer, x = met[path]
        equal = layer, x.shape, x.dtype
        if equal not in known and time.perf_counter() < until:
            known[equal] = _measured(layer, at(model.params, path), at(model.state, path), x)
        if (measured := known.get(equal)) is not None:
            found["/".join(path)] = measured
    return Times(found, batch, _device(), len(met) - len(found))


def _inputs(model: Model, batch: int) -> dict[Path, tuple[Layer, ShapeDtypeStruct]]:
    """Each layer with the input that it gets, by its path, in the order of the network."""
    met: dict[Path, tuple[Layer, ShapeDtypeStruct]] = {}

    def listening(path: Path, layer: Layer) -> Layer:
        return _Met(layer, lambda x: met.__setitem__(path, (layer, ShapeDtypeStruct(x.shape, x.dtype))))

    x = ShapeDtypeStruct((batch, *model.image_shape), np.float32)
    jax.eval_shape(changed(model.network, listening), model.params, model.state, x)
    return met


def _measured(layer: Layer, params: Any, state: Any, like: ShapeDtypeStruct) -> Time | None:
    """None where the layer can't be trained on such a batch."""
    key = jax.random.key(0)
    x = jnp.asarray(np.random.default_rng(0).standard_normal(like.shape, np.float32), like.dtype)

    def apply(params: Params, x: Array) -> Array:
        return layer.apply(params, state, x, train=True, key=key)[0]

    forward = jax.jit(lambda params, x: jax.vjp(apply, params, x))
    backward = jax.jit(lambda pull, dy: pull(dy))
    try:
        y, pull = forward(params, x)
    except ValueError:  # batch norm, of one value
        return None
    return Time(_median(forward, params, x), _median(backward, pull, y))


def _median(function: Callable[..., Any], *arguments: Any) -> float:
    jax.block_until_ready(function(*arguments))  # compiled
    taken: list[float] = []
    while len(taken) < CALLS and sum(taken) < MOST:
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def _device() -> str:
    here = machine()
    return f"{here.cores} cores of {here.device}" if jax.default_backend() == "cpu" else here.device
