"""What the addresses have in common: a request's pictures in, what the network makes of them out."""

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np
from jaxtyping import Float32, UInt8
from starlette.requests import Request

from jaxcnn.serve import uploads
from jaxcnn.serve.describe import layers, shown
from jaxcnn.serve.engine import Engine
from jaxcnn.serve.limits import Limits
from jaxcnn.serve.maps import Maps
from jaxcnn.serve.refusal import Refusal
from jaxcnn.train.model import Model

DECODERS = 4  # threads: each may hold a picture of the largest size three times over
T = TypeVar("T")


class Picture(NamedTuple):
    """A picture of a request: its file's name, where it came with one, and what the network sees of it."""

    name: str | None
    pixels: UInt8[np.ndarray, "h w c"]


class Service:
    """A model, ready to be asked. Its coroutines raise `Refusal` for what can't be answered."""

    def __init__(self, model: Model, limits: Limits) -> None:
        """Compiles the network. Raises what the network raises of pictures that it can't take."""
        self.model, self.limits = model, limits
        self.classes = [shown(name) for name in model.classes]
        self.layers = layers(model)
        self.engine, self.maps = Engine(model), Maps(model)
        self.engine.compile()
        self._decoders = ThreadPoolExecutor(DECODERS, "jaxcnn-decode")

    def stop(self) -> None:
        """Return when all that waits has been computed."""
        self.engine.stop()
        self.maps.stop()
        self._decoders.shutdown(wait=False)

    async def pictures(self, request: Request, *, preprocessed: bool) -> list[Picture]:
        """Those of the request, in its order."""
        content_type = request.headers.get("content-type", "")
        uploads.kind(content_type)  # refuses others before they are received
        content = await uploads.body(request, self.limits)
        return await self.in_thread(self._decoded, content_type, content, preprocessed)

    def _decoded(self, content_type: str, content: bytes, preprocessed: bool) -> list[Picture]:
        """All by one thread, so that a request of many does not keep those of others waiting."""
        return [
            Picture(upload.name, uploads.pixels(self.model, upload, self.limits, preprocessed=preprocessed))
            for upload in uploads.uploads(content_type, content, self.limits)
        ]

    async def picture(self, request: Request, *, preprocessed: bool) -> Picture:
        """The one that the request has."""
        found = await self.pictures(request, preprocessed=preprocessed)
        if len(found) > 1:
            raise Refusal(400, f"the request has {len(found)} pictures; expected one.")
        return found[0]

    async def probabilities(self, images: UInt8[np.ndarray, "n h w c"]) -> Float32[np.ndarray, "n classes"]:
        """Of each class, for each image."""
        found = await asyncio.wrap_future(self.engine.probabilities(images))
        if not np.isfinite(found).all():
            raise Refusal(500, "what the network makes of the picture is not finite; there are no probabilities.")
        return found

    async def heat(
        self, pixels: UInt8[np.ndarray, "h w c"], method: str, index: int, layer: str | None
    ) -> Float32[np.ndarray, "h w"]:
        """What speaks for a class, from 0 to 1."""
        return await self._mapped(lambda: self.maps.heat(method, layer), pixels, index)

    async def features(self, pixels: UInt8[np.ndarray, "h w c"], layer: str) -> Float32[np.ndarray, "..."]:
        """What a layer makes of the picture."""
        return await self._mapped(lambda: self.maps.features(layer), pixels)

    async def _mapped(self, program: Callable[[], Any], *arguments: Any) -> np.ndarray:
        """The program's result, computed when its turn has come."""
        try:
            compiled = await asyncio.shield(asyncio.wrap_future(program()))
        except ValueError as error:
            raise Refusal(422, re.sub(r"^\w+: ", "", str(error))) from None
        found = await asyncio.wrap_future(self.engine.run(lambda: compiled(*arguments)))
        if not np.isfinite(found).all():
            raise Refusal(500, "what the network makes of the picture is not finite; there is no map.")
        return found

    def index(self, name: str) -> int:
        """Of the class of this name."""
        if name not in self.classes:
            known = ", ".join(self.classes[:20]) + (", ..." if len(self.classes) > 20 else "")
            raise Refusal(422, f"class is {name!r:.80}, which the network does not know; it knows {known}.")
        return self.classes.index(name)

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result, by one of the threads that decode."""
        return await asyncio.get_running_loop().run_in_executor(self._decoders, function, *arguments)
