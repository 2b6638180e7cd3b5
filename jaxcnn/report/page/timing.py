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
    """A layer that tells what it is given, and what it makes of that."""

    meet: Callable[[Array, Array], None]

    def __post_init__(self) -> None:
        """Without what makes options hashable: it lives for one trace."""

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y, after = self.layer.apply(params, state, x, train=train, key=key)
        self.meet(x, y)
        return y, after


@dataclass(frozen=True)
class _Given:
    """A layer with the input that it gets; `first` where no parameters come before it, so that nobody needs its dx."""

    layer: Layer
    like: ShapeDtypeStruct
    first: bool


def times(model: Model, seconds: float) -> Times:
    """Those of all layers, as far as so many seconds suffice: of equal ones once, and those first that compute most."""
    described = summary(model.network, model.image_shape)
    batch = int(np.clip(WORK // max(1, described.multiply_adds), 2, LARGEST_BATCH))
    work = {row.path: row.multiply_adds for row in described.rows}
    met = _inputs(model, batch)
    order = sorted(met, key=lambda path: (-work.get("/".join(path), 0), -met[path].like.size))
    until = time.perf_counter() + seconds
    known: dict[Any, Time | None] = {}
    found = {}
    for path in order:
        given = met[path]
        equal = given.layer, given.like.shape, given.like.dtype, given.first
        if equal not in known and time.perf_counter() < until:
            known[equal] = _measured(given, at(model.params, path), at(model.state, path))
        if (measured := known.get(equal)) is not None:
            found["/".join(path)] = measured
    return Times(found, batch, _device(), len(met) - len(found))


def _inputs(model: Model, batch: int) -> dict[Path, _Given]:
    """Each layer with its input, by its path, in the order of the network."""
    met: dict[Path, _Given] = {}
    images: list[Array] = []  # the batch, and what layers without parameters make of it

    def listening(path: Path, layer: Layer) -> Layer:
        def meet(x: Array, y: Array) -> None:
            first = any(x is image for image in images)
            met[path] = _Given(layer, ShapeDtypeStruct(x.shape, x.dtype), first)
            if first and not jax.tree.leaves(at(model.params, path)):
                images.append(y)

        return _Met(layer, meet)

    def network(params: Params, state: State, x: Array) -> Array:
        images.append(x)
        return changed(model.network, listening)(params, state, x)

    x = ShapeDtypeStruct((batch, *model.image_shape), np.float32)
    jax.eval_shape(network, model.params, model.state, x)
    return met


def _measured(given: _Given, params: Any, state: Any) -> Time | None:
    """None where the layer can't be trained on such a batch."""
    key = jax.random.key(0)
    x = jnp.asarray(np.random.default_rng(0).standard_normal(given.like.shape, np.float32), given.like.dtype)

    def apply(params: Params, x: Array) -> Array:
        return given.layer.apply(params, state, x, train=True, key=key)[0]

    # XLA leaves out what nobody asks for.
    forward = jax.jit(lambda params, x: jax.vjp(apply, params, x))
    backward = jax.jit(lambda pull, dy: pull(dy)[: 1 if given.first else 2])
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
