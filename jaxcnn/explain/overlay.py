"""Drawing a map over its picture."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float, UInt8

from jaxcnn import ops
from jaxcnn.ops.check import floating, number
from jaxcnn.ops.geometry import is_whole, known, wrong
from jaxcnn.primitive import promoting

LUMA = (0.299, 0.587, 0.114)  # of ITU-R BT.601


def heat(attributions: Float[ArrayLike, "n ..."], size: tuple[int, int]) -> Float[Array, "n h w"]:
    """What a method returns as heat, from 0 to 1, for pictures of this size; each picture is scaled by itself.

    Of a map (n, i, j) what speaks for the class: its values above 0, over the largest, linearly interpolated. Of
    attributions (n, h, w, c) the largest of the channels' absolute values, over the 99th percentile of the picture's,
    since a few pixels stand out far (Smilkov et al. 2017, section 3.2).
    """
    given, shape = floating("heat", "attributions", attributions), known(size)
    if given.ndim not in (3, 4):
        raise ValueError(f"heat: attributions has shape {given.shape}; expected (n, h, w) or (n, h, w, c).")
    if not isinstance(shape, tuple) or len(shape) != 2 or not all(is_whole(length) and length > 0 for length in shape):
        raise wrong("heat", "size", size, "(h, w), of 1 or more pixels")
    with promoting():
        return _heat(given, *shape)


@functools.partial(jax.jit, static_argnums=(1, 2))
def _heat(attributions: Array, height: int, width: int) -> Array:
    if attributions.ndim == 4:
        values = jnp.abs(attributions).max(-1)
        top = jnp.percentile(values, 99, axis=(1, 2), keepdims=True)
    else:
        values = jnp.maximum(attributions, 0)
        top = values.max((1, 2), keepdims=True)
    scaled = jnp.minimum(values / jnp.where(top > 0, top, 1), 1)
    return ops.resize_bilinear(scaled[..., None], sizes=(height, width))[..., 0]


def overlay(
    pixels: UInt8[Any, "h w c"], heat: Float[Any, "h w"], *, opacity: float = 0.8
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture in gray, and over it the heat in colours (matplotlib's "inferno"), the more opaque the hotter.

    Args:
      pixels: (h, w, c), of 1 or 3 channels.
      heat: (h, w), from 0 to 1, see `heat`.
      opacity: where the heat is 1.

    Raises: ValueError for pixels that are not uint8, heat of another size, and an opacity that is no share.
    """
    from matplotlib import colormaps

    pixels, heat = np.asarray(pixels), np.asarray(heat, np.float32)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] not in (1, 3):
        raise ValueError(
            f"overlay: pixels has shape {pixels.shape} and dtype {pixels.dtype}; expected uint8, "
            "(h, w, 1) or (h, w, 3)."
        )
    if heat.shape != pixels.shape[:2]:
        raise ValueError(f"overlay: heat has shape {heat.shape}; expected the picture's, {pixels.shape[:2]}.")
    number("overlay", "opacity", opacity, "a share, 0 to 1", lambda v: 0 <= v <= 1)
    gray = pixels @ np.array(LUMA if pixels.shape[-1] == 3 else (1,), np.float32)
    colours = 255 * colormaps["inferno"](np.clip(heat, 0, 1))[..., :3]
    share = opacity * np.sqrt(np.clip(heat, 0, 1))[..., None]
    return np.round((1 - share) * gray[..., None] + share * colours).astype(np.uint8)
