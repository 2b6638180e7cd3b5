"""A trained network that stands alone: what it is, its weights, and how pictures become what it takes."""

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, UInt8

from jaxcnn.data import normalise
from jaxcnn.data.channels import in_channels
from jaxcnn.data.pictures import Resample, resized
from jaxcnn.layers import Layer, Params, State
from jaxcnn.train.facts import DatasetFacts

CheckpointName = Literal["best", "last"]


@dataclass(frozen=True)
class Card:
    """What model.json says, see `model_folder`.

    Attributes:
      network: its name in `jaxcnn.models`, or the function in `source`.
      options: what the network is built with.
      source: "network.py" for a network of the user's own, else None.
      classes: the name of each output, in order.
      image_shape: (h, w, c) of the images that it was trained on.
      crop, resample: how a picture of another size is brought to it, see `data.pictures.Fit`.
      pixels_divided_by, mean, std: x = (pixels / 255 - mean) / std, by channel.
      loss: what turns logits into probabilities: softmax, one distribution; or sigmoid, each class alone.
      temperature: what logits are divided by before that, to calibrate them; 1 as they were trained.
      label_smoothing: of the loss that was trained with.
      dataset: what it was trained on, by name; None where that is not known.
      checkpoint, step, epoch: which of the run's, the steps that were done, and the whole epochs; None and 0 where no
        run trained it.
      eval_accuracy: at that step, None within an epoch.
      imported: where no run trained it, whose weights they are: the "name" of the file or on the hub, there the
        "revision", the file's "sha256", and the "library" whose names it has; else empty.
      jaxcnn, jax: versions.
      files: the SHA-256 of each file beside model.json.
    """

    network: str
    options: dict[str, int]
    source: str | None
    classes: tuple[str, ...]
    image_shape: tuple[int, ...]
    crop: float
    resample: Resample
    pixels_divided_by: Literal[255]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    loss: Literal["softmax", "sigmoid"]
    temperature: float
    label_smoothing: float
    dataset: str | None
    checkpoint: CheckpointName | None
    step: int
    epoch: int
    eval_accuracy: float | None
    imported: dict[str, str]
    jaxcnn: str
    jax: str
    files: dict[str, str]

    def __post_init__(self) -> None:
        DatasetFacts(self.dataset or "", self.classes, self.image_shape, self.mean, self.std)  # checks them
        if not (0 < self.crop <= 1 and self.temperature > 0):
            raise ValueError(f"crop is {self.crop} and temperature {self.temperature}; expected (0, 1] and above 0.")

    @property
    def title(self) -> str:
        """Which weights they are: "checkpoint last, step 600", or "weights of timm"."""
        if self.checkpoint is None:
            return f"weights of {self.imported.get('library', 'an unknown library')}"
        return f"checkpoint {self.checkpoint}, step {self.step}"


@dataclass(frozen=True, eq=False)
class Model:
    """A trained network, ready to be used; made by `load_model`.

    `network`, `params` and `state` are what they are in training: `network(params, state, x)` are the logits. Where
    training kept an average of the weights they are that average.
    """

    card: Card
    network: Layer = field(repr=False)
    params: Params = field(repr=False)
    state: State = field(repr=False)

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each output."""
        return self.card.classes

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(h, w, c) of what the network was trained on."""
        return self.card.image_shape

    def preprocess(self, images: Any) -> Float[Array, "n h w c"]:
        """What the network takes, x: pixels over 255, less the training set's mean, over its deviation.

        Args:
          images: uint8 pixels (n, h, w, c) of `image_shape`, which may be traced. Or pictures, one or a list: paths,
            open files, Pillow's images, or uint8 arrays (h, w) or (h, w, c), see `pixels`.

        Raises: ValueError for anything else, and what Pillow raises for a picture that it can't read.
        """
        if not hasattr(images, "dtype"):
            pictures = list(images) if isinstance(images, Sequence) and not isinstance(images, str) else [images]
            if not pictures:
                raise ValueError("preprocess: images is empty; expected one picture or more.")
            images = np.stack([self.pixels(picture) for picture in pictures])
        if images.dtype != np.uint8 or images.ndim != 4 or images.shape[1:3] != self.image_shape[:2]:
            height, width, _ = self.image_shape
            raise ValueError(
                f"preprocess: images has shape {images.shape} and dtype {images.dtype}; expected uint8 pixels, 0 to "
                f"255, of shape (n, {height}, {width}, c), or a list of pictures, each of which is resized."
            )
        return self.normalise(in_channels(images, self.image_shape[-1]))

    def pixels(self, picture: Any) -> UInt8[np.ndarray, "h w c"]:
        """What the network sees of a picture: a path, an open binary file, an image of Pillow's, or a uint8 array.

        It is brought to `image_shape` as those that the network was trained and evaluated on: of its middle the share
        that the card's `crop` says is resized. An array that has this size already is taken as one that has been
        cropped. Grey becomes three equal channels, and colour luma where the network takes grey.

        Raises: ValueError for anything else, and what Pillow raises for a picture that it can't read.
        """
        from PIL import Image

        height, width, channels = self.image_shape
        pixels, is_array = _pixels(picture), hasattr(picture, "dtype")
        if not (is_array and pixels.shape[:2] == (height, width)):
            in_channels(pixels[:1, :1], channels)  # whether it can be
            flat = Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)
            pixels = np.asarray(resized(flat, (width, height), self.card.crop, self.card.resample))
        return np.asarray(in_channels(pixels.reshape(height, width, -1), channels))

    def normalise(self, images: ArrayLike) -> Float[Array, "n h w c"]:
        """(pixels / 255 - mean) / std, float32."""
        return normalise(images, jnp.float32(self.card.mean), jnp.float32(self.card.std))

    def logits(self, x: ArrayLike) -> Float[Array, "n classes"]:
        """What the network makes of x, as `preprocess` gives it."""
        return self._logits(self.params, self.state, jnp.asarray(x))

    def probabilities(self, images: Any) -> Float[Array, "n classes"]:
        """Of each class, in the order of `classes`, for images as `preprocess` takes them.

        They sum to 1 where the loss was softmax; where it was sigmoid each is the class's own.
        """
        return self.activation(self.logits(self.preprocess(images)))

    @property
    def activation(self) -> Callable[[Array], Array]:
        """Turns logits into probabilities."""
        act = jax.nn.softmax if self.card.loss == "softmax" else jax.nn.sigmoid
        return lambda logits: act(logits / self.card.temperature)

    @functools.cached_property
    def _logits(self) -> Callable[[Params, State, Array], Array]:
        return jax.jit(lambda params, state, x: self.network(params, state, x))


def _pixels(picture: Any) -> np.ndarray:
    """uint8 pixels (h, w, c) of a path, an open file, a Pillow image or an array."""
    from io import BytesIO

    from jaxcnn.data.pictures import decode

    if isinstance(picture, str | os.PathLike):
        return decode(Path(picture).expanduser())
    if hasattr(picture, "read"):
        return decode(picture)
    if hasattr(picture, "getexif"):  # a Pillow image: read as the file that it would be
        file = BytesIO()
        form = "PNG" if picture.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16") else "TIFF"
        picture.save(file, form, exif=picture.getexif())
        return decode(file)
    if not hasattr(picture, "dtype"):
        raise ValueError(
            f"preprocess: a picture is {picture!r:.80}; expected a path, an open file, a Pillow image or a uint8 array."
        )
    pixels = np.asarray(picture)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or 0 in pixels.shape:
        raise ValueError(
            f"preprocess: a picture has shape {pixels.shape} and dtype {pixels.dtype}; expected uint8 pixels, "
            "(h, w) or (h, w, c)."
        )
    return pixels
