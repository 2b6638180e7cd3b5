"""The one thread that computes: what waits is put together into batches of a few sizes, compiled beforehand.

No request is held back to wait for others. While a batch is computed the next ones arrive, and all that wait are then
taken together; so batches are small where there is little to do, and large where there is much.
"""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32, UInt8

from jaxcnn.layers import fold_batch_norm
from jaxcnn.serve.limits import BATCH
from jaxcnn.serve.metrics import SECONDS, Histogram
from jaxcnn.train.model import Model
from jaxcnn.train.predict import predictor

SIZES = (1, 2, 4, 8, 16, BATCH)  # of batches; a smaller one is filled up


@dataclass(frozen=True, eq=False)
class _Pictures:
    """What the network sees of a request's pictures, and where their probabilities go."""

    images: UInt8[np.ndarray, "n h w c"]
    result: "Future[Any]" = field(default_factory=Future)


@dataclass(frozen=True, eq=False)
class _Work:
    """Something else that computes, such as a heat map."""

    run: Callable[[], Any]
    result: "Future[Any]" = field(default_factory=Future)


class Engine:
    """Computes what a model says, for any number of threads that ask, in the order in which they do.

    Between `start` and `stop` a thread works. An error of a computation is its request's, and the thread goes on.
    """

    def __init__(self, model: Model) -> None:
        self.batches = Histogram("jaxcnn_batch_pictures", "Pictures that were computed together.", SIZES)
        self.seconds = Histogram("jaxcnn_compute_seconds", "Time of a batch, or of a map.", SECONDS)
        # Without its batch norms, which a single picture feels most.
        network, params, state = fold_batch_norm(model.network, model.params, model.state)
        self._model = replace(model, network=network, params=params, state=state)
        self._programs: dict[int, Callable[..., Any]] = {}
        self._waiting: deque[_Pictures | _Work] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="jaxcnn-compute", daemon=True)

    def compile(self) -> None:
        """Compile for each of `SIZES`. Raises what the network raises of images that it can't take."""
        step = jax.jit(predictor(self._model))
        for size in SIZES:
            images = jax.ShapeDtypeStruct((size, *self._model.image_shape), jnp.uint8)
            self._programs[size] = step.lower(self._model.params, self._model.state, images).compile()

    def start(self) -> None:
        """Begin to compute."""
        self._thread.start()

    def stop(self) -> None:
        """Return when all that waits has been computed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def ready(self) -> bool:
        """Whether what is asked for now will be computed."""
        return self._thread.is_alive() and not self._stopping

    def waiting(self) -> int:
        """How many pictures and maps wait for their turn."""
        with self._changed:
            return sum(len(work.images) if isinstance(work, _Pictures) else 1 for work in self._waiting)

    def probabilities(self, images: UInt8[np.ndarray, "n h w c"]) -> "Future[Float32[np.ndarray, 'n classes']]":
        """Of at most as many images as the largest batch has, as `Model.pixels` gives them."""
        return self._ask(_Pictures(images))

    def run(self, function: Callable[[], Any]) -> "Future[Any]":
        """What the function returns, when its turn has come."""
        return self._ask(_Work(function))

    def _ask(self, work: _Pictures | _Work) -> "Future[Any]":
        with self._changed:
            if self._stopping:
                raise RuntimeError("the engine has been stopped")
            self._waiting.append(work)
            self._changed.notify()
        return work.result

    def _work(self) -> None:
        while taken := self._take():
            asked = [work for work in taken if work.result.set_running_or_notify_cancel()]
            if not asked:
                continue
            try:
                with self.seconds.timed():
                    results = self._computed(asked)
            except Exception as error:
                for work in asked:
                    work.result.set_exception(error)
            else:
                for work, result in zip(asked, results, strict=True):
                    work.result.set_result(result)

    def _take(self) -> list[Any]:
        """The work that has waited longest, and if it is pictures those that come next; [] when there will be none."""
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return []
                self._changed.wait()
            taken = [self._waiting.popleft()]
            room = SIZES[-1] - (len(taken[0].images) if isinstance(taken[0], _Pictures) else SIZES[-1])
            while self._waiting and isinstance(then := self._waiting[0], _Pictures) and len(then.images) <= room:
                room -= len(then.images)
                taken.append(self._waiting.popleft())
            return taken

    def _computed(self, taken: list[Any]) -> list[Any]:
        if isinstance(taken[0], _Work):
            return [taken[0].run()]
        images = np.concatenate([work.images for work in taken])
        self.batches.observe(len(images))
        size = next(size for size in SIZES if size >= len(images))
        filled = np.concatenate([images, np.zeros((size - len(images), *images.shape[1:]), np.uint8)])
        found = np.asarray(self._programs[size](self._model.params, self._model.state, filled))
        return np.split(found[: len(images)], np.cumsum([len(work.images) for work in taken])[:-1])
