"""Pixels to what a network is fed: scaled by 1/255, less the training set's mean, over its standard deviation."""

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, Float32, Int, UInt8

from jaxcnn.data.ahead import read_ahead
from jaxcnn.data.batches import Taken
from jaxcnn.data.dataset import Images
from jaxcnn.primitive import promoting

BLOCK = 2**20  # pixels that are counted at once: NumPy makes eight bytes of each
SAMPLE = 2**29  # pixels that are decoded for statistics: 10,700 images of 224 × 224, all of CIFAR-10's ten times over


def statistics(images: Images) -> tuple[Float32[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
    """Mean and standard deviation of each channel over all images and places, of pixels scaled to 0 .. 1.

    With N pixels p of a channel, mean = Σp / N and std² = Σp² / N - mean² (the biased variance). The sums are taken
    from a count of the 256 values, so they are exact and no float copy of the images is made. A channel that is
    constant gets std 1, so that `normalise` makes it 0 instead of dividing by 0.

    Of images that are no NumPy array, each of which is to be decoded, it is that of a sample where they have more than
    2²⁹ pixels: of as many images as have these, drawn at random, always the same.

    Raises: ValueError unless images is a non-empty (n, h, w, c) array of uint8.
    """
    if len(images.shape) != 4 or images.dtype != np.uint8 or 0 in images.shape:
        raise ValueError(
            f"statistics: images has shape {images.shape} and dtype {images.dtype}; "
            "expected a non-empty (n, h, w, c) array of uint8."
        )
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for part in [images] if isinstance(images, np.ndarray) else read_ahead(_sample(images)):
        pixels = part.reshape(-1, part.shape[-1])
        for i in range(0, len(pixels), BLOCK):
            counts += value_counts(pixels[i : i + BLOCK])
    return moments(counts)


def _sample(images: Images) -> Taken:
    n, height, width, _ = images.shape
    drawn = np.random.default_rng(0).permutation(n)[: max(SAMPLE // (height * width), 1)]
    return Taken(images, np.sort(drawn))


def moments(counts: Int[np.ndarray, "c 256"]) -> tuple[Float32[np.ndarray, " c"], Float32[np.ndarray, " c"]]:
    """`statistics` of pixels of which channel c has the value v `counts[c, v]` times."""
    value = np.arange(256) / 255
    mean = counts @ value / counts.sum(1)
    variance = (counts * (value - mean[:, None]) ** 2).sum(1) / counts.sum(1)
    constant = np.count_nonzero(counts, axis=1) == 1
    return mean.astype(np.float32), np.where(constant, 1, np.sqrt(variance)).astype(np.float32)


def value_counts(pixels: UInt8[np.ndarray, "n c"]) -> Int[np.ndarray, "c 256"]:
    """How often each channel has each value."""
    return np.stack([np.bincount(channel, minlength=256) for channel in pixels.T])


@promoting()
def normalise(images: ArrayLike, mean: ArrayLike, std: ArrayLike) -> Float[Array, "n h w c"]:
    """(images / 255 - mean) / std, channel by channel, for pixels 0 .. 255 and the training set's `statistics`."""
    return (jnp.asarray(images) / 255 - jnp.asarray(mean)) / jnp.asarray(std)
