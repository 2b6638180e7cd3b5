"""Compiled programs of heat maps and of feature maps, for one picture, kept for when they are asked for again."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, Int32, UInt8

from jaxcnn.layers import Params, State, intermediates
from jaxcnn.layers.base import one_of
from jaxcnn.layers.walk import known_path
from jaxcnn.primitive import promoting
from jaxcnn.report import explained
from jaxcnn.train.model import Model

KEPT = 64  # programs: each takes a few megabytes
Pixels = UInt8[np.ndarray, "h w c"]
Heat = Callable[[Pixels, int], Float32[np.ndarray, "h w"]]
Features = Callable[[Pixels], Float32[np.ndarray, "..."]]


class Maps:
    """The maps of a model. A program is compiled when it is first asked for, by a thread that does nothing else.

    What is asked for a second time while it is compiled is compiled once. Its methods are called by one thread.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._compiler = ThreadPoolExecutor(1, "jaxcnn-compile")
        self._programs: OrderedDict[tuple[str | None, ...], Future[Any]] = OrderedDict()

    def heat(self, method: str, layer: str | None) -> "Future[Heat]":
        """The function (pixels, class) -> heat from 0 to 1, see `explained.heat_maps`.

        Raises: ValueError for an unknown method or layer, here or by the future, with what the method raises.
        """
        one_of("explain", "method", method, explained.METHODS)
        if layer is not None:
            known_path("explain", "layer", self._model.network, layer)
        return self._kept((method, layer), lambda: self._heat(method, layer))

    def features(self, layer: str) -> "Future[Features]":
        """The function pixels -> the layer's output, such as (h, w, channels). Raises ValueError for an unknown one."""
        known_path("features", "layer", self._model.network, layer)
        return self._kept((layer,), lambda: self._features(layer))

    def stop(self) -> None:
        """Compile nothing more."""
        self._compiler.shutdown(wait=False, cancel_futures=True)

    def _kept(self, key: tuple[str | None, ...], make: Callable[[], Any]) -> "Future[Any]":
        if key not in self._programs:
            self._programs[key] = self._compiler.submit(make)
        self._programs.move_to_end(key)
        if len(self._programs) > KEPT:
            self._programs.popitem(last=False)
        return self._programs[key]

    def _heat(self, method: str, layer: str | None) -> Heat:
        model, found = self._model, explained.heat_function(self._model, method, layer=layer)

        def heat(params: Params, state: State, images: Array, classes: Int32[Array, "1"]) -> Array:
            return found(params, state, model.normalise(images), classes).astype(jnp.float32)

        program = self._compiled(heat, jax.ShapeDtypeStruct((1,), jnp.int32))
        return lambda pixels, index: np.asarray(
            program(model.params, model.state, pixels[None], np.full(1, index, np.int32))
        )[0]

    def _features(self, layer: str) -> Features:
        model = self._model

        def features(params: Params, state: State, images: Array) -> Array:
            found = intermediates(model.network, params, state, model.normalise(images), [layer])
            return found[layer].astype(jnp.float32)

        program = self._compiled(features)
        return lambda pixels: np.asarray(program(model.params, model.state, pixels[None]))[0]

    def _compiled(self, function: Callable[..., Array], *arguments: Any) -> Callable[..., Array]:
        images = jax.ShapeDtypeStruct((1, *self._model.image_shape), jnp.uint8)
        jitted = jax.jit(promoting()(function))
        return jitted.lower(self._model.params, self._model.state, images, *arguments).compile()
