"""What the first layer looks for: its filters, as pictures."""

import math
from dataclasses import dataclass

import numpy as np
from jax import Array
from jaxtyping import Float, UInt8

from jaxcnn.layers import Conv, ConvTranspose, Dense, DepthwiseConv, Layer
from jaxcnn.layers.base import Params
from jaxcnn.layers.reparametrize import Reparametrized
from jaxcnn.layers.walk import at, leaves
from jaxcnn.report.page import pictures
from jaxcnn.report.page.section import Missing, section
from jaxcnn.report.page.trained import Trained
from jaxcnn.train.model import Model

SHOWN = 96
SIDE = 48  # pixels of a screen that a filter is to be wide
LEAST = 12  # pixels of the sheet, with a gap of one between filters


@dataclass(frozen=True)
class Filters:
    """The weights of the first layer that has any.

    Attributes:
      kind: "convolution", or "dense" of a layer that takes all pixels, whose rows are as large as an image.
      count: how many filters there are, of which the first `shown` are drawn.
      height, width, channels: of a filter.
      channels_shown: 3 as one colour picture, otherwise side by side in shades of grey.
      uri, rows, columns: the picture of all, with a gap of one pixel between them.
    """

    path: str
    kind: str
    count: int
    shown: int
    height: int
    width: int
    channels: int
    channels_shown: int
    uri: str
    rows: int
    columns: int
    sheet_width: int
    sheet_height: int

    @property
    def zoom(self) -> int:
        """How many pixels of a screen one of the sheet is to be wide."""
        return max(1, round(SIDE / max(self.height, self.width, LEAST)))


@section("filters", "First-layer filters", tested=False)
def filters(trained: Trained) -> Filters:
    """Raises: Missing where the first layer with weights has none that are like an image."""
    assert trained.model is not None
    path, kind, kernel = _first(trained.model)
    height, width, channels, count = kernel.shape
    tiles = drawn(np.moveaxis(kernel[..., :SHOWN], -1, 0))
    columns = _columns(len(tiles), tiles.shape[2] / tiles.shape[1])
    sheet = pictures.tiled(pictures.enlarged(tiles, LEAST), columns, gap=1)
    return Filters(
        path,
        kind,
        count,
        len(tiles),
        height,
        width,
        channels,
        3 if channels == 3 else min(channels, 4),
        pictures.uri(sheet),
        math.ceil(len(tiles) / columns),
        columns,
        sheet.shape[1],
        sheet.shape[0],
    )


def drawn(filters: Float[np.ndarray, "n h w c"]) -> UInt8[np.ndarray, "n h v d"]:
    """Each filter from -m to m, its largest absolute weight: 0 is mid-grey; three channels are red, green and blue.

    Of other numbers the first four are put side by side, in shades of grey.
    """
    largest = np.abs(filters).max((1, 2, 3), keepdims=True)
    shades = pictures.grey(filters, -np.where(largest > 0, largest, 1), np.where(largest > 0, largest, 1))
    if filters.shape[-1] == 3:
        return shades
    return np.concatenate(np.split(shades[..., :4], min(4, filters.shape[-1]), axis=-1), axis=2)


def _first(model: Model) -> tuple[str, str, Float[np.ndarray, "h w c n"]]:
    for path, layer in leaves(model.network):
        params = dict(at(model.params, path))
        if "kernel" not in params:
            continue
        name = "/".join(path) or type(layer).__name__
        kernel = np.asarray(_kernel(layer, params), np.float32)
        inner = layer.layer if isinstance(layer, Reparametrized) else layer
        convolves = isinstance(inner, Conv | DepthwiseConv) and not isinstance(inner, ConvTranspose)
        if convolves and kernel.ndim == 4 and kernel.shape[2] in (1, model.image_shape[-1]):
            return name, "convolution", kernel
        if isinstance(inner, Dense) and kernel.shape[0] == math.prod(model.image_shape):
            return name, "dense", kernel.reshape(*model.image_shape, -1)
        raise Missing(
            f"The first layer with a kernel, {name}, is a {type(inner).__name__} with one of shape {kernel.shape}: "
            "it does not lie on the image, and is no picture."
        )
    raise Missing("No layer of the network has a kernel.")


def _kernel(layer: Layer, params: Params) -> Float[Array, "*window c n"]:
    """What is convolved with; a normalised kernel as it is learned, which differs by each filter's length alone."""
    return layer.kernel(params) if isinstance(layer, Conv) else params["kernel"]


def _columns(filters: int, aspect: float) -> int:
    """So many that the picture becomes about twice as wide as high; `aspect` is a filter's width over its height."""
    return min(filters, max(1, math.ceil(math.sqrt(2 * filters / aspect))))
