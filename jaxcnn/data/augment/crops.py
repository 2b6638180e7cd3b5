"""Parts of an image: cropped at random after padding, or cut out and enlarged."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.data.augment.arguments import PIXELS, interval, word
from jaxcnn.data.augment.boxes import Boxes, random_boxes
from jaxcnn.data.augment.registry import Images, as_floats, as_pixels, augmentation

# As PyTorch calls them, and NumPy.
MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}
MODE = word(*MODES, zeros="constant", edge="replicate", wrap="circular")


@augmentation(pixels=PIXELS, mode=MODE)
def crop(key: Array, images: Images, pixels: int, mode: str = "constant") -> Images:
    """Each image padded by `pixels` on all sides and cropped to its size, at a place of its own; uniform over all.

    Source: He et al. 2016, "Deep residual learning for image recognition", section 4.2 (4 pixels, zeros, CIFAR-10).

    Args:
      key: decides the places.
      images: (n, h, w, c).
      pixels: 0 or more, and less than h and w.
      mode: what stands beyond the border: "constant" (or "zeros"); "reflect", the image mirrored about its border
        pixels, which are not repeated; "symmetric", they are; "replicate" (or "edge"), the border pixel; "circular" (or
        "wrap"), the other side.

    Raises: ValueError unless the images are (n, h, w, c) and the arguments as above.
    """
    return _cropped("crop", key, images, pixels, mode)


@augmentation(pixels=PIXELS)
def shift(key: Array, images: Images, pixels: int | None = None) -> Images:
    """Each image moved by its own random offset, uniform over -pixels .. pixels along both axes; zeros move in.

    This is `crop(key, images, pixels)`, and by default 1/8 of the shorter side, at least 1 pixel.

    Raises: ValueError unless the images are (n, h, w, c) and 0 <= pixels < min(h, w).
    """
    return _cropped("shift", key, images, max(1, min(images.shape[1:3]) // 8) if pixels is None else pixels, "constant")


def _cropped(caller: str, key: Array, images: Images, pixels: int, mode: str) -> Images:
    n, height, width, channels = images.shape
    if pixels >= min(height, width):
        raise ValueError(
            f"{caller}: pixels is {pixels}; expected 0 to {min(height, width) - 1} for images of {height} × {width}, "
            "as a larger shift can move an image out of sight."
        )
    padded = jnp.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)), mode=MODES[mode])
    corners = jax.random.randint(key, (n, 2), 0, 2 * pixels + 1)

    def cut(image: Array, corner: Array) -> Array:
        return jax.lax.dynamic_slice(image, (corner[0], corner[1], 0), (height, width, channels))

    return jax.vmap(cut)(padded, corners)


@augmentation(
    scale=interval("two shares of the image's area, such as (0.08, 1)", most=1),
    ratio=interval("two ratios of width to height, such as (0.75, 1.333)"),
)
def random_resized_crop(
    key: Array, images: Images, scale: tuple[float, float] = (0.08, 1.0), ratio: tuple[float, float] = (3 / 4, 4 / 3)
) -> Images:
    """A random part of each image, enlarged bilinearly to the image's size; torchvision's RandomResizedCrop.

    Where 10 draws are all too long for the image it is the largest part in its middle that keeps within `ratio`.
    Source: Szegedy et al. 2015, "Going deeper with convolutions", section 6.

    Args:
      key: decides the parts.
      images: (n, h, w, c).
      scale: least and greatest share of the image's area; uniform between them.
      ratio: least and greatest width / height; uniform on a logarithmic scale.

    Raises: ValueError unless the images are (n, h, w, c), 0 < scale <= 1 and ratio > 0, the smaller number first.
    """
    n, height, width, _ = images.shape
    boxes, found = random_boxes(key, n, height, width, scale, ratio)
    middle = _middle(height, width, ratio)
    boxes = Boxes(*(jnp.where(found, drawn, other) for drawn, other in zip(boxes, middle, strict=True)))
    x = _enlarged(as_floats(images), boxes.top, boxes.height, 1)
    return as_pixels(_enlarged(x, boxes.left, boxes.width, 2), images)


def _middle(height: int, width: int, ratio: tuple[float, float]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the largest box in the middle whose width is within `ratio` of its height."""
    low, high = ratio
    tall = min(height, max(1, round(width / low)))
    wide = min(width, max(1, round(height * high)))
    return (height - tall) // 2, (width - wide) // 2, tall, wide


def _enlarged(x: Array, first: Array, count: Array, axis: int) -> Array:
    """Of each image the `count` rows or columns from `first` on, interpolated linearly to as many as the image has."""
    length = x.shape[axis]
    outputs = jnp.arange(length, dtype=jnp.float32)
    at = jnp.clip((outputs + 0.5) * count[:, None] / length - 0.5, 0, count[:, None] - 1)
    low = jnp.floor(at)
    part = jnp.expand_dims(at - low, (2, 3) if axis == 1 else (1, 3)).astype(x.dtype)

    def pixels(offset: Array) -> Array:
        index = first[:, None] + jnp.minimum(offset.astype(jnp.int32), count[:, None] - 1)
        return jnp.take_along_axis(x, jnp.expand_dims(index, (2, 3) if axis == 1 else (1, 3)), axis)

    below, above = pixels(low), pixels(low + 1)
    return below + part * (above - below)
