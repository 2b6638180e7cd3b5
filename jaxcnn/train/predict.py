"""What a model says of picture files, however many: batch by batch, so that the memory does not grow with them."""

import os
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jaxtyping import Float32, UInt8

from jaxcnn.data import pictures
from jaxcnn.data.ahead import map_ahead
from jaxcnn.data.failure import or_reason
from jaxcnn.layers import Params, State
from jaxcnn.primitive import promoting
from jaxcnn.train.model import Model

BATCH = 32
Predictor = Callable[[Params, State, Array], Array]


class Predicted(NamedTuple):
    """Some pictures, and what the model says of them.

    Attributes:
      files: n of them, as and in the order in which they were given.
      images: what the network saw of them; where the last ones are fewer than those before, the first of them fills up.
      probabilities: of each class, for each of the files.
    """

    files: list[str]
    images: UInt8[np.ndarray, "b h w c"]
    probabilities: Float32[np.ndarray, "n classes"]


def predict(
    model: Model,
    files: Iterable[str | os.PathLike[str]],
    *,
    tta: bool = False,
    unreadable: Callable[[str, str], None],
    batch_size: int = BATCH,
) -> Iterator[Predicted]:
    """What the model says of picture files, each treated as in evaluation, see `Model.pixels`.

    They are decoded by threads, ahead of the network, which computes batches of one size: `batch_size`, or as many as
    there are where these are fewer. What can't be read is left out, and told to `unreadable` with the reason.

    Args:
      files: as many as one likes; they are asked for when their turn comes.
      tta: test-time augmentation: the mean of the probabilities of a picture and of its mirror image (left and right
        exchanged), in twice the time.

    Raises: ValueError, naming the file, where the network's output is not finite.
    """
    pictures.be_silent()
    step = predictor(model, tta)
    readable = _readable(model, files, unreadable, 2 * batch_size)
    size, computed = 0, None
    while batch := list(islice(readable, batch_size)):
        size = size or len(batch)
        images = np.stack([pixels for _, pixels in [*batch, *batch[:1] * (size - len(batch))]])
        probabilities = step(model.params, model.state, jnp.asarray(images))  # not waited for, but for the one before
        if computed is not None:
            yield _fetched(*computed)
        computed = [file for file, _ in batch], images, probabilities
    if computed is not None:
        yield _fetched(*computed)


def predictor(model: Model, tta: bool = False) -> Predictor:
    """(params, state, uint8 images (n, h, w, c)) -> probabilities (n, classes), compiled."""

    @jax.jit
    @promoting()
    def of(params: Params, state: State, images: Array) -> Array:
        x = model.normalise(images)
        if not tta:
            return model.activation(model.network(params, state, x))
        both = model.activation(model.network(params, state, jnp.concatenate([x, x[:, :, ::-1]])))
        return (both[: len(x)] + both[len(x) :]) / 2

    return of


def _readable(
    model: Model, files: Iterable[str | os.PathLike[str]], unreadable: Callable[[str, str], None], ahead: int
) -> Iterator[tuple[str, UInt8[np.ndarray, "h w c"]]]:
    """The files with what the network sees of each."""

    def read(file: str) -> UInt8[np.ndarray, "h w c"] | str:
        return or_reason(model.pixels, Path(file).absolute())  # absolute: a name may begin with a tilde

    for file, pixels in map_ahead(read, (os.fspath(file) for file in files), ahead):
        if isinstance(pixels, str):
            unreadable(file, pixels)
        else:
            yield file, pixels


def _fetched(files: list[str], images: np.ndarray, probabilities: Array) -> Predicted:
    found = np.asarray(probabilities)[: len(files)]
    if not np.isfinite(found).all():
        file = files[int(np.flatnonzero(~np.isfinite(found).all(-1))[0])]
        raise ValueError(f"what the network makes of {file} is not finite, so that there are no probabilities of it.")
    return Predicted(files, images, found)
