"""Colours, brightness and sharpness changed, by torchvision's and Pillow's definitions, for pixels from 0 to 255."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcnn.data.augment.arguments import PROBABILITY, STRENGTH, real
from jaxcnn.data.augment.registry import Images, as_floats, as_pixels, augmentation

Pixels = Float[Array, "n h w c"]
Each = Float[Array, " n"]  # one number for each image


@augmentation(
    brightness=STRENGTH,
    contrast=STRENGTH,
    saturation=STRENGTH,
    hue=real("a share of the colour wheel, 0 to 0.5", least=0, most=0.5),
)
def color_jitter(
    key: Array,
    images: Images,
    brightness: float = 0.0,
    contrast: float = 0.0,
    saturation: float = 0.0,
    hue: float = 0.0,
) -> Images:
    """Brightness, contrast, saturation and hue of each image changed by draws of its own, in an order of its own.

    This is torchvision's ColorJitter: factors are uniform from max(0, 1 - argument) to 1 + argument, and the hue is
    turned by -hue .. hue of the colour wheel. Grayscale images have no saturation and no hue.

    Args:
      key: decides factors and orders.
      images: (n, h, w, c) of 1 or 3 channels, pixels from 0 to 255; results are cut off there.
      brightness, contrast, saturation: 0 or more; 0 leaves it as it is.
      hue: 0 to 0.5.

    Raises: ValueError unless the images are (n, h, w, 1) or (n, h, w, 3) and the arguments as above.
    """
    check_channels("color_jitter", images)
    order_key, *keys = jax.random.split(key, 5)
    ranges: list[tuple[Callable[[Pixels, Each], Pixels], float, float]] = [
        (with_brightness, max(0.0, 1 - brightness), 1 + brightness),
        (with_contrast, max(0.0, 1 - contrast), 1 + contrast),
        (with_saturation, max(0.0, 1 - saturation), 1 + saturation),
        (with_hue, -hue, hue),
    ]
    changes = [
        (change, jax.random.uniform(one, (images.shape[0],), jnp.float32, low, high))
        for (change, low, high), one in zip(ranges, keys, strict=True)
        if low < high
    ]
    orders = jnp.argsort(jax.random.uniform(order_key, (len(changes), images.shape[0]), jnp.float32), 0)

    def changed(x: Pixels, chosen: Array) -> tuple[Pixels, None]:
        """Each image after the change that it chooses."""
        for i, (change, amount) in enumerate(changes):
            x = jnp.where(each(chosen == i), change(x, amount), x)
        return x, None

    return as_pixels(jax.lax.scan(changed, as_floats(images), orders)[0], images)


@augmentation(probability=PROBABILITY)
def grayscale(key: Array, images: Images, probability: float = 0.1) -> Images:
    """Each image without its colours, with this probability; it keeps its channels.

    Raises: ValueError unless the images are (n, h, w, 1) or (n, h, w, 3) and 0 <= probability <= 1.
    """
    check_channels("grayscale", images)
    chosen = jax.random.bernoulli(key, probability, (images.shape[0], 1, 1, 1))
    return jnp.where(chosen, as_pixels(gray(as_floats(images)), images), images)


def with_brightness(x: Pixels, factor: Each) -> Pixels:
    """Each image times its factor: 0 is black, 1 as it is."""
    return _blended(jnp.zeros_like(x), x, factor)


def with_contrast(x: Pixels, factor: Each) -> Pixels:
    """Each image with its distance from its mean gray times its factor: 0 is all of that gray, 1 as it is."""
    return _blended(jnp.mean(gray(x)[..., :1], (1, 2, 3), keepdims=True), x, factor)


def with_saturation(x: Pixels, factor: Each) -> Pixels:
    """Each image with its distance from gray times its factor: 0 is grayscale, 1 as it is."""
    return _blended(gray(x), x, factor)


def with_hue(x: Pixels, turn: Each) -> Pixels:
    """Each image with its hues turned by that part of the colour wheel: 1/3 makes red green, green blue, blue red.

    With M the largest of r, g, b, and d what it is above the least, the hue is (g - b) / d, 2 + (b - r) / d or
    4 + (r - g) / d sixths of the wheel, where M is r, g or b. Red is at its fullest at k = 0 sixths, green at 2, blue
    at 4, and at the hue t a channel is M - d · clip(|t - k| - 1, 0, 1), |t - k| being the shorter way around the wheel.
    HSV's saturation, d / M, and its value, M, stay.
    """
    if x.shape[-1] == 1:
        return x
    red, green, blue = x[..., 0], x[..., 1], x[..., 2]
    most = x.max(-1)
    chroma = most - x.min(-1)
    safe = jnp.where(chroma > 0, chroma, 1)
    other = jnp.where(most == green, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    sixths = jnp.where(most == red, (green - blue) / safe, other) + 6 * turn[:, None, None]
    fullest = jnp.array([0, 2, 4], x.dtype)
    way = jnp.abs((sixths[..., None] - fullest + 3) % 6 - 3)
    return jnp.clip(most[..., None] - chroma[..., None] * jnp.clip(way - 1, 0, 1), 0, 255)


def with_sharpness(x: Pixels, factor: Each) -> Pixels:
    """Each image with its distance from a smoothed one times its factor: 0 is smooth, 1 as it is, 2 sharpened.

    The smoothed one is Pillow's: the mean over 3 × 3 pixels in which the middle counts 5 times; border pixels stay.
    """
    height, width = x.shape[1:3]
    if min(height, width) < 3:
        return x
    around = sum(x[:, i : height - 2 + i, j : width - 2 + j] for i in range(3) for j in range(3))
    smooth = x.at[:, 1:-1, 1:-1].set((around + 4 * x[:, 1:-1, 1:-1]) / 13)
    return _blended(smooth, x, factor)


def gray(x: Pixels) -> Pixels:
    """The images' luma of ITU-R BT.601, 0.299 r + 0.587 g + 0.114 b, in all channels."""
    if x.shape[-1] == 1:
        return x
    luma = 0.299 * x[..., 0] + 0.587 * x[..., 1] + 0.114 * x[..., 2]
    return jnp.broadcast_to(luma[..., None], x.shape)


def each(numbers: Array) -> Array:
    """A number for each image, to be broadcast over its pixels."""
    return numbers[:, None, None, None]


def check_channels(caller: str, images: Images) -> None:
    """ValueError for images that are neither grayscale nor RGB."""
    if images.shape[-1] not in (1, 3):
        raise ValueError(f"{caller}: images has shape {images.shape}; expected 1 channel (grayscale) or 3 (RGB).")


def _blended(zero: Array, one: Pixels, factor: Each) -> Pixels:
    """What lies at the factor on the line from `zero`, at 0, to `one`, at 1, cut off where pixels end."""
    return jnp.clip(zero + each(factor) * (one - zero), 0, 255)
