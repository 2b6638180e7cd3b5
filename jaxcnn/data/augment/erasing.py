"""Rectangles that are taken out of images, so that no single part of an object decides."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.data.augment.arguments import FILL, PROBABILITY, SIDE, either, interval, word
from jaxcnn.data.augment.boxes import Boxes, random_boxes
from jaxcnn.data.augment.registry import Images, as_pixels, augmentation


@augmentation(side=SIDE)
def cutout(key: Array, images: Images, side: int) -> Images:
    """Zeros in a square of `side` × `side` pixels around a random pixel of each image, less what the border cuts off.

    Source: DeVries & Taylor 2017, "Improved regularization of convolutional neural networks with cutout".

    Raises: ValueError unless the images are (n, h, w, c) and side is 1 or more.
    """
    n, height, width, _ = images.shape
    corner = jax.random.randint(key, (2, n, 1), 0, jnp.array([height, width])[:, None, None]) - side // 2
    sides = jnp.full(n, side)
    return jnp.where(Boxes(corner[0, :, 0], corner[1, :, 0], sides, sides).mask(height, width), 0, images)


@augmentation(
    probability=PROBABILITY,
    scale=interval("two shares of the image's area, such as (0.02, 0.4)", most=1),
    ratio=interval("two ratios of width to height, such as (0.3, 3.3)"),
    fill=either(word("random"), FILL),
)
def random_erasing(
    key: Array,
    images: Images,
    probability: float = 0.5,
    scale: tuple[float, float] = (0.02, 0.4),
    ratio: tuple[float, float] = (0.3, 1 / 0.3),
    fill: float | str = "random",
) -> Images:
    """A rectangle inside of each image overwritten, with this probability.

    Source: Zhong et al. 2020, "Random erasing data augmentation", algorithm 1. As in torchvision the ratio is uniform
    on a logarithmic scale, so that what is tall is no likelier than what is wide, and after 10 draws that are too long
    for the image it stays whole.

    Args:
      key: decides which images, where, and with what.
      images: (n, h, w, c), pixels from 0 to 255.
      probability: of an image being erased.
      scale: least and greatest share of the image's area.
      ratio: least and greatest width / height.
      fill: "random", each entry uniform from 0 to 255 (the paper's best), or one value.

    Raises: ValueError unless the images are (n, h, w, c) and the arguments as above.
    """
    n, height, width, _ = images.shape
    chosen_key, box_key, fill_key = jax.random.split(key, 3)
    boxes, found = random_boxes(box_key, n, height, width, scale, ratio)
    chosen = jax.random.bernoulli(chosen_key, probability, (n,)) & found
    if fill == "random":
        value = jax.random.randint(fill_key, images.shape, 0, 256, jnp.int32).astype(jnp.float32)
    else:
        value = jnp.float32(fill)
    return jnp.where(chosen[:, None, None, None] & boxes.mask(height, width), as_pixels(value, images), images)
