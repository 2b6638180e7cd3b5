"""Operations drawn at random from a list, with one number at most to choose: RandAugment and TrivialAugment.

Both take the same 14 operations, and differ in how many, how strong, and how far each goes. What a strength s from 0 to
1 means is torchvision's: shears, moves, turns and the four enhancements go either way; brightness, color (saturation),
contrast and sharpness to a factor 1 ± s · `enhance`. Geometry is bilinear here, and the nearest pixel in both papers.
"""

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array
from jaxtyping import Float, Int

from jaxcnn.data.augment import color, tone
from jaxcnn.data.augment.arguments import FILL, real, whole
from jaxcnn.data.augment.color import Each, Pixels, check_channels, each
from jaxcnn.data.augment.registry import Images, as_floats, as_pixels, augmentation
from jaxcnn.data.augment.warp import Maps, rotation, warp

GEOMETRIC = ("shear_x", "shear_y", "translate_x", "translate_y", "rotate")
OPERATIONS = (
    "identity",
    *GEOMETRIC,
    "brightness",
    "color",
    "contrast",
    "sharpness",
    "posterize",
    "solarize",
    "autocontrast",
    "equalize",
)
STEPS = 30  # strengths are 0, 1/30, 2/30, ..., 1


@dataclass(frozen=True)
class Ranges:
    """What the strength 1 is for each operation.

    Attributes:
      shear: how far a row moves with each row below it.
      translate: pixels, or, as `share`, that part of the side.
      degrees: turned by.
      enhance: how far a factor is from 1.
      bits: how many of 8 posterizing takes away.
    """

    shear: float
    translate: float
    share: bool
    degrees: float
    enhance: float
    bits: int


RAND_AUGMENT = Ranges(shear=0.3, translate=150 / 331, share=True, degrees=30, enhance=0.9, bits=4)
TRIVIAL_AUGMENT = Ranges(shear=0.99, translate=32, share=False, degrees=135, enhance=0.99, bits=6)


@augmentation(
    operations=whole("a number of operations, 1 or more", least=1),
    magnitude=real("0 to 30, 9 being the usual one", least=0, most=STEPS),
    fill=FILL,
)
def rand_augment(key: Array, images: Images, operations: int = 2, magnitude: float = 9.0, fill: float = 0.0) -> Images:
    """`operations` of 14 operations in turn, drawn for each image uniformly and with replacement, of one magnitude.

    Source: Cubuk et al. 2020, "RandAugment: practical automated data augmentation with a reduced search space".

    Args:
      key: decides operations and directions.
      images: (n, h, w, c) of 1 or 3 channels, pixels from 0 to 255.
      operations: N of the paper, 1 or more.
      magnitude: M of the paper, from 0 to 30 as in torchvision.
      fill: what lies beyond the border.

    Raises: ValueError unless the images are (n, h, w, 1) or (n, h, w, 3) and the arguments as above.
    """
    check_channels("rand_augment", images)

    def drawn(x: Pixels, key: Array) -> tuple[Pixels, None]:
        operation_key, sign_key = jax.random.split(key)
        operation = jax.random.randint(operation_key, (x.shape[0],), 0, len(OPERATIONS), jnp.int32)
        strength = jnp.full(x.shape[0], magnitude / STEPS, jnp.float32)
        return applied(x, operation, strength, _signs(sign_key, x.shape[0]), RAND_AUGMENT, fill), None

    x, _ = jax.lax.scan(drawn, as_floats(images), jax.random.split(key, operations))
    return as_pixels(x, images)


@augmentation(fill=FILL)
def trivial_augment(key: Array, images: Images, fill: float = 0.0) -> Images:
    """One of 14 operations for each image, of a strength of its own, both uniform: nothing to tune.

    Source: Müller & Hutter 2021, "TrivialAugment: tuning-free yet state-of-the-art data augmentation", with the wide
    ranges (TA (Wide)), 31 strengths.

    Args:
      key: decides operations, strengths and directions.
      images: (n, h, w, c) of 1 or 3 channels, pixels from 0 to 255.
      fill: what lies beyond the border.

    Raises: ValueError unless the images are (n, h, w, 1) or (n, h, w, 3) and fill is from 0 to 255.
    """
    check_channels("trivial_augment", images)
    n = images.shape[0]
    operation_key, strength_key, sign_key = jax.random.split(key, 3)
    operation = jax.random.randint(operation_key, (n,), 0, len(OPERATIONS), jnp.int32)
    strength = jax.random.randint(strength_key, (n,), 0, STEPS + 1, jnp.int32).astype(jnp.float32) / STEPS
    x = applied(as_floats(images), operation, strength, _signs(sign_key, n), TRIVIAL_AUGMENT, fill)
    return as_pixels(x, images)


def _signs(key: Array, n: int) -> Each:
    return jnp.where(jax.random.bernoulli(key, 0.5, (n,)), 1.0, -1.0)


def applied(x: Pixels, operation: Int[Array, " n"], strength: Each, sign: Each, ranges: Ranges, fill: float) -> Pixels:
    """Each image after the operation of its number in OPERATIONS, of its strength, in the direction of its sign.

    All operations are computed for all images, but for the geometric ones, which are one map.
    """
    factor = 1 + sign * strength * ranges.enhance
    changed = {
        "brightness": color.with_brightness(x, factor),
        "color": color.with_saturation(x, factor),
        "contrast": color.with_contrast(x, factor),
        "sharpness": color.with_sharpness(x, factor),
        "posterize": tone.posterize(x, 8 - jnp.round(strength * ranges.bits)),
        "solarize": tone.solarize(x, 256 - jnp.floor(strength * 256)),
        "autocontrast": tone.autocontrast(x),
        "equalize": tone.equalize(x),
    }
    y = x
    for name, pixels in changed.items():
        y = jnp.where(each(operation == OPERATIONS.index(name)), pixels, y)
    first, last = OPERATIONS.index(GEOMETRIC[0]), OPERATIONS.index(GEOMETRIC[-1])
    moved = warp(x, _maps(x, operation, sign * strength, ranges), fill)
    return jnp.where(each((operation >= first) & (operation <= last)), moved, y)


def _maps(x: Pixels, operation: Int[Array, " n"], amount: Float[Array, " n"], ranges: Ranges) -> Maps:
    """The map of each image whose operation is geometric; the identity for the others.

    Shears leave the first row, or column, where it is, and moves are by whole pixels, as published.
    """
    _, height, width, _ = x.shape
    sheared = amount * ranges.shear
    across = jnp.trunc(amount * ranges.translate * (width if ranges.share else 1))
    down = jnp.trunc(amount * ranges.translate * (height if ranges.share else 1))
    entries = {  # of the identity they move (row, column) of the map by so much
        "shear_x": [((0, 1), sheared), ((0, 2), sheared * height / 2)],
        "shear_y": [((1, 0), sheared), ((1, 2), sheared * width / 2)],
        "translate_x": [((0, 2), across)],
        "translate_y": [((1, 2), down)],
    }
    maps = jnp.broadcast_to(jnp.eye(2, 3), (x.shape[0], 2, 3))
    for name, moved in entries.items():
        chosen = operation == OPERATIONS.index(name)
        for (row, column), by in moved:
            maps = maps.at[:, row, column].add(jnp.where(chosen, by, 0))
    turned = rotation(amount * math.radians(ranges.degrees))
    return jnp.where((operation == OPERATIONS.index("rotate"))[:, None, None], turned, maps)
