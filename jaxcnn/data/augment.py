"""Random changes to training images that keep their class; pure functions of a key, for use inside `jit`.

They belong before `normalise`, on pixels: the 0 that `shift` fills in is then black, whatever the dataset's mean.
"""

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Shaped

from jaxcnn.primitive import promoting

Images = Shaped[Array, "n h w c"]


@promoting()
def shift(key: Array, images: ArrayLike, pixels: int) -> Images:
    """Each image moved by its own random offset, uniform over -pixels .. pixels along both axes; zeros move in.

    This is "pad by `pixels`, then crop at random" (He et al. 2016, "Deep residual learning for image recognition",
    section 4.2, with 4 pixels for CIFAR-10).

    Raises: ValueError unless the images are (n, h, w, c) and 0 <= pixels < min(h, w).
    """
    images = _batch("shift", images)
    n, height, width, channels = images.shape
    if not 0 <= pixels < min(height, width):
        raise ValueError(
            f"shift: pixels is {pixels}; expected 0 to {min(height, width) - 1} for images of {height} × {width}, "
            "as a larger shift can move an image out of sight."
        )
    padded = jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    corners = jax.random.randint(key, (n, 2), 0, 2 * pixels + 1)

    def crop(image: Array, corner: Array) -> Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(crop)(padded, corners)


@promoting()
def flip(key: Array, images: ArrayLike) -> Images:
    """Each image mirrored left to right with probability 1/2. Not for digits or letters: a mirrored 2 is no 2.

    Raises: ValueError unless the images are (n, h, w, c).
    """
    images = _batch("flip", images)
    mirrored = jax.random.bernoulli(key, 0.5, (len(images), 1, 1, 1))
    return jnp.where(mirrored, images[:, :, ::-1], images)


@promoting()
def cutout(key: Array, images: ArrayLike, side: int) -> Images:
    """Zeros in a square of `side` × `side` pixels around a random pixel of each image, less what the border cuts off.

    Source: DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with cutout".

    Raises: ValueError unless the images are (n, h, w, c) and side is 1 or more.
    """
    images = _batch("cutout", images)
    if side < 1:
        raise ValueError(f"cutout: side is {side}; expected 1 pixel or more.")
    n, height, width, _ = images.shape
    first = jax.random.randint(key, (2, n, 1), 0, jnp.array([height, width])[:, None, None]) - side // 2
    rows, columns = jnp.arange(height), jnp.arange(width)
    in_rows = (rows >= first[0]) & (rows < first[0] + side)
    in_columns = (columns >= first[1]) & (columns < first[1] + side)
    return jnp.where((in_rows[:, :, None] & in_columns[:, None, :])[..., None], 0, images)


def _batch(caller: str, images: ArrayLike) -> Images:
    array = jnp.asarray(images)
    if array.ndim != 4:
        raise ValueError(
            f"{caller}: images has shape {array.shape}; expected a batch (n, h, w, c). "
            "For one image write images[None]."
        )
    return array
