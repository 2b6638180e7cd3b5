"""Arrays as PNG files in memory, and a picture of which a part is covered."""

import base64
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from jaxtyping import Float32, UInt8

from jaxcnn.serve.answers import FeatureMap


def png(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """Pixels of one or three channels as a PNG."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return file.getvalue()


def in_base64(file: bytes) -> str:
    """A file as text."""
    return base64.b64encode(file).decode("ascii")


def covered(
    pixels: UInt8[np.ndarray, "h w c"], window: Sequence[int], mean: tuple[float, ...]
) -> UInt8[np.ndarray, "h w c"]:
    """The picture with the mean colour, from 0 to 1, over a window (top, left, height, width)."""
    top, left, height, width = window
    changed = pixels.copy()
    changed[top : top + height, left : left + width] = np.round(255 * np.asarray(mean)).astype(np.uint8)
    return changed


def feature_maps(output: Float32[np.ndarray, "..."], most: int) -> list[FeatureMap]:
    """The first `most` channels of a layer's output, each in gray from its least to its largest value.

    Of an output without places, (channels,), they are one row of pixels.
    """
    output = output[None, :, None] if output.ndim == 1 else output.reshape(*output.shape[:2], -1)
    maps = []
    for channel in range(min(most, output.shape[-1])):
        values = output[..., channel]
        least, largest = float(values.min()), float(values.max())
        gray = (values - least) * (255 / (largest - least)) if largest > least else np.zeros_like(values)
        drawn = in_base64(png(np.round(gray).astype(np.uint8)[..., None]))
        maps.append(FeatureMap(channel=channel, least=least, most=largest, png=drawn))
    return maps
