"""Rectangles in images, each image having its own: where they are drawn at random, and which pixels they hold."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Bool, Int

TRIES = 10


class Boxes(NamedTuple):
    """The first row and column, and the numbers of rows and columns, of a rectangle in each image: (n,) each."""

    top: Int[Array, " n"]
    left: Int[Array, " n"]
    height: Int[Array, " n"]
    width: Int[Array, " n"]

    def mask(self, height: int, width: int) -> Bool[Array, "n h w 1"]:
        """Which pixels of images of height × width lie inside; a box may reach over the border."""
        rows = _among(jnp.arange(height), self.top, self.height)
        columns = _among(jnp.arange(width), self.left, self.width)
        return (rows[:, :, None] & columns[:, None, :])[..., None]


def _among(places: Array, first: Array, count: Array) -> Array:
    return (places >= first[:, None]) & (places < (first + count)[:, None])


def random_boxes(
    key: Array, n: int, height: int, width: int, scale: tuple[float, float], ratio: tuple[float, float]
) -> tuple[Boxes, Bool[Array, " n"]]:
    """n boxes that lie inside of images of height × width, and which of them there are.

    A box's area is `scale` of the image's, uniform between the two, and its width `ratio` of its height, uniform on a
    logarithmic scale; sides are rounded, and places uniform over all that there are. What is too long for the image is
    drawn again, up to 10 times, after which there is no box.
    """
    sizes, places = jax.random.split(key)
    area_key, ratio_key = jax.random.split(sizes)
    low, high = map(math.log, ratio)
    area = height * width * jax.random.uniform(area_key, (n, TRIES), jnp.float32, *scale)
    aspect = jnp.exp(jax.random.uniform(ratio_key, (n, TRIES), jnp.float32, low, high))
    wide, tall = jnp.round(jnp.sqrt(area * aspect)), jnp.round(jnp.sqrt(area / aspect))
    fits = (wide >= 1) & (wide <= width) & (tall >= 1) & (tall <= height)
    first = jnp.argmax(fits, 1, keepdims=True)
    found = fits.any(1)

    def taken(sides: Array) -> Array:
        return jnp.where(found, jnp.take_along_axis(sides, first, 1)[:, 0], 1).astype(jnp.int32)

    box_height, box_width = taken(tall), taken(wide)
    top_key, left_key = jax.random.split(places)
    top = jax.random.randint(top_key, (n,), 0, height - box_height + 1, jnp.int32)
    left = jax.random.randint(left_key, (n,), 0, width - box_width + 1, jnp.int32)
    return Boxes(top, left, box_height, box_width), found
