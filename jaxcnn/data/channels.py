"""Grey as colour, and colour as grey: images with as many channels as a network takes."""

from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcnn.data.dataset import Dataset, Images


def in_channels(images: Any, channels: int) -> Any:
    """uint8 images (..., c) with that many channels: three equal ones of grey; of colour the luma of ITU-R BT.601.

    Raises ValueError for other numbers of channels.
    """
    there = images.shape[-1]
    if there == channels:
        return images
    xp: Any = jnp if isinstance(images, Array) else np
    if (there, channels) == (1, 3):
        return xp.repeat(images, 3, axis=-1)
    if (there, channels) == (3, 1):
        red, green, blue = (images[..., i].astype(np.uint32) for i in range(3))
        # 0.299 R + 0.587 G + 0.114 B in 1/65536, rounded: Pillow's own "L".
        return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[..., None]
    raise ValueError(f"the images have {there} channels, and the network takes {channels}.")


@dataclass(frozen=True)
class InChannels:
    """Images that are decoded when they are indexed, in that many channels."""

    images: Images
    channels: int

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.images.shape[:-1], self.channels)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.images.dtype

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Any, /) -> Any:
        return in_channels(self.images[rows], self.channels)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)


def of_channels(dataset: Dataset, channels: int) -> Dataset:
    """The dataset with such images; those that are streamed change when they are decoded. Raises as `in_channels`."""

    def changed(images: Images) -> Images:
        if images.shape[-1] == channels:
            return images
        made = InChannels(images, channels)
        return made[:] if isinstance(images, np.ndarray) else made

    train, test, valid = dataset.train_images, dataset.test_images, dataset.valid_images
    return replace(
        dataset,
        train_images=changed(train),
        test_images=changed(test),
        valid_images=None if valid is None else changed(valid),
    )
