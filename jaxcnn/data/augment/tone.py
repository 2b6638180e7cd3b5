"""Curves that map each pixel's value to another one, by Pillow's definitions, for pixels from 0 to 255."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.data.augment.color import Each, Pixels, each


def posterize(x: Pixels, bits: Each) -> Pixels:
    """Each image with only its first `bits` of 8 bits, the others being 0."""
    step = each(2 ** (8 - bits))
    return jnp.floor(x / step) * step


def solarize(x: Pixels, threshold: Each) -> Pixels:
    """Each image with the pixels from `threshold` on inverted: v becomes 255 - v."""
    return jnp.where(x >= each(threshold), 255 - x, x)


def autocontrast(x: Pixels) -> Pixels:
    """Each channel of each image stretched so that it goes from 0 to 255; one of a single value stays."""
    low, high = x.min((1, 2), keepdims=True), x.max((1, 2), keepdims=True)
    constant = high <= low
    return jnp.where(constant, x, (x - low) * (255 / jnp.where(constant, 1, high - low)))


def equalize(x: Pixels) -> Pixels:
    """Each channel of each image mapped so that all values from 0 to 255 are about equally frequent.

    Of a channel's pixels, those of its greatest value left out, 1/255 is a step, in whole pixels. A value becomes the
    number of steps in the pixels below it, rounded: Pillow's histogram equalization. Where a step is no pixel at all
    the channel stays.
    """
    n, height, width, channels = x.shape
    levels = jnp.clip(jnp.round(x), 0, 255).astype(jnp.int32).reshape(n, height * width, channels).swapaxes(1, 2)

    def equalized(values: Array) -> Array:
        counts = jnp.zeros(256, jnp.int32).at[values].add(1)
        step = (values.size - counts[values.max()]) // 255
        below = jnp.cumsum(counts) - counts
        curve = jnp.minimum((below + step // 2) // jnp.maximum(step, 1), 255)
        return jnp.where(step > 0, curve[values], values)

    y = jax.vmap(jax.vmap(equalized))(levels)
    return y.swapaxes(1, 2).reshape(x.shape).astype(x.dtype)
