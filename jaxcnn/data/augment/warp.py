"""Images turned, moved, sheared and scaled: read bilinearly at the places that an affine map names."""

import math

import jax
import jax.numpy as jnp
from jax import Array
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Float

from jaxcnn.data.augment.arguments import DEGREES, FILL, interval, real
from jaxcnn.data.augment.registry import Images, as_floats, as_pixels, augmentation

Maps = Float[Array, "n 2 3"]


@augmentation(degrees=DEGREES, fill=FILL)
def rotate(key: Array, images: Images, degrees: float, fill: float = 0.0) -> Images:
    """Each image turned about its middle by an angle of its own, uniform over -degrees .. degrees.

    Args:
      key: decides the angles.
      images: (n, h, w, c).
      degrees: the largest angle, 0 to 180.
      fill: what lies beyond the border.

    Raises: ValueError unless the images are (n, h, w, c) and the arguments as above.
    """
    angle = jax.random.uniform(key, (images.shape[0],), jnp.float32, -1, 1) * math.radians(degrees)
    return warp(images, rotation(angle), fill)


@augmentation(
    degrees=DEGREES,
    translate=real("a share of the side, 0 to 1", least=0, most=1),
    scale=interval("two factors above 0, such as (0.9, 1.1)"),
    shear=real("degrees, 0 or more and less than 90", least=0, most=89.9),
    fill=FILL,
)
def affine(
    key: Array,
    images: Images,
    degrees: float = 0.0,
    translate: float = 0.0,
    scale: tuple[float, float] = (1.0, 1.0),
    shear: float = 0.0,
    fill: float = 0.0,
) -> Images:
    """Each image sheared, scaled, turned about its middle and moved, by draws of its own, all of them uniform.

    This is torchvision's RandomAffine with one number for each argument, but for `translate`, which is not rounded to
    whole pixels.

    Args:
      key: decides all draws.
      images: (n, h, w, c).
      degrees: turned by -degrees .. degrees.
      translate: moved by up to this share of its width and height, either way.
      scale: least and greatest factor of its size.
      shear: rows pushed along x in proportion to their y, by -shear .. shear degrees.
      fill: what lies beyond the border.

    Raises: ValueError unless the images are (n, h, w, c) and the arguments as above.
    """
    n, height, width, _ = images.shape
    u = 2 * jax.random.uniform(key, (5, n), jnp.float32) - 1
    factor = (scale[0] + scale[1]) / 2 + u[1] * (scale[1] - scale[0]) / 2
    turned = rotation(u[0] * math.radians(degrees))
    # The output at A p + t shows the image's p, A = factor · turn · shear; so the output at q reads A⁻¹ (q - t).
    one, zero = jnp.ones(n), jnp.zeros(n)
    unsheared = _maps(one, -jnp.tan(u[2] * math.radians(shear)), zero, one)
    inverse = (unsheared[..., :2] @ turned[..., :2]) / factor[:, None, None]
    moved = jnp.stack([u[3] * width, u[4] * height], -1)[..., None] * translate
    return warp(images, jnp.concatenate([inverse, -(inverse @ moved)], -1), fill)


def rotation(angle: Float[Array, " n"]) -> Maps:
    """The maps that turn images counterclockwise by `angle`, in radians."""
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return _maps(cos, -sin, sin, cos)


def _maps(xx: Array, xy: Array, yx: Array, yy: Array) -> Maps:
    """The maps (x, y) -> (xx x + xy y, yx x + yy y), which move nothing."""
    zero = jnp.zeros_like(xx)
    return jnp.stack([jnp.stack([xx, xy, zero], -1), jnp.stack([yx, yy, zero], -1)], -2)


def warp(images: Images, maps: Maps, fill: float) -> Images:
    """Images that show at the place (x, y) what is at map (x, y, 1): in pixels from the middle, x to the right, y down.

    Between pixels it is linear along both axes, and so it is between border pixels and `fill`, which lies beyond them.
    """
    _, height, width, _ = images.shape
    # In pixels, not from -1 to 1 as `ops.grid_sample` has it: there pixels lie on numbers that floats have, so that an
    # image that is moved by whole pixels is the same to the bit, however XLA rounds.
    x = jnp.arange(width, dtype=jnp.float32) - (width - 1) / 2
    y = jnp.arange(height, dtype=jnp.float32)[:, None] - (height - 1) / 2

    def warped(image: Array, to: Array) -> Array:
        column = to[0, 0] * x + to[0, 1] * y + to[0, 2] + (width - 1) / 2
        row = to[1, 0] * x + to[1, 1] * y + to[1, 2] + (height - 1) / 2

        def read(channel: Array) -> Array:
            return map_coordinates(channel, [row, column], order=1, mode="constant", cval=fill)

        return jax.vmap(read, -1, -1)(image)

    return as_pixels(jax.vmap(warped)(as_floats(images), maps), images)
