"""Pixels as text that a page holds: data URIs, and many small pictures on one sheet."""

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from jaxcnn.report.page.trained import Tested

LARGEST = 64  # pixels of the longer side of a picture on an album
LARGE = 128  # of one that stands by itself
ALBUM_BYTES = 1_200_000  # of all thumbnails together
LOSSLESS = 48  # pixels a side: what is larger is a photograph, and may be compressed as one
PHOTOGRAPH = 80  # WebP's quality for it


def uri(pixels: UInt8[np.ndarray, "h w c"], *, lossy: bool = False) -> str:
    """A data URI: PNG, or where pixels may change a little WebP, which is a fraction of it for a photograph.

    Of 1 or 3 channels; a fourth is opacity.
    """
    from PIL import Image

    file = io.BytesIO()
    picture = Image.fromarray(np.ascontiguousarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels))
    form = "webp" if lossy else "png"
    picture.save(file, form, **({"quality": PHOTOGRAPH} if lossy else {}))
    return f"data:image/{form};base64,{base64.b64encode(file.getvalue()).decode()}"


def is_fine(image: tuple[int, ...]) -> bool:
    """Whether an image of this shape (h, w, ...) is a photograph: one that has no pixels to be seen."""
    return max(image[:2]) > LOSSLESS


def photograph(pixels: UInt8[np.ndarray, "h w c"]) -> str:
    """A data URI of one picture: exact where it is small, compressed where it is large."""
    return uri(pixels, lossy=is_fine(pixels.shape))


def shrunk(images: UInt8[np.ndarray, "n h w c"], side: int) -> UInt8[np.ndarray, "n i j c"]:
    """The images with no side longer than this: each pixel is the mean of what it takes the place of."""
    from PIL import Image

    height, width = images.shape[1:3]
    if max(height, width) <= side:
        return images
    share = side / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    flat = images.squeeze(-1) if images.shape[-1] == 1 else images
    made = np.stack([np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX)) for image in flat])
    return made.reshape(len(images), size[1], size[0], -1)


def enlarged(tiles: UInt8[np.ndarray, "n h w c"], side: int) -> UInt8[np.ndarray, "n i j c"]:
    """Small tiles times a whole number, up to this many pixels, so that a gap between them stays small beside them."""
    times = max(1, side // max(tiles.shape[1:3]))
    return tiles.repeat(times, 1).repeat(times, 2)


def tiled(tiles: UInt8[np.ndarray, "n h w c"], columns: int, gap: int = 0) -> UInt8[np.ndarray, "i j d"]:
    """The tiles row by row in one picture; with a gap, it is transparent, and so is what is left of the last row."""
    n, height, width, channels = tiles.shape
    rows = math.ceil(n / columns)
    if gap:
        colour = np.broadcast_to(tiles, (n, height, width, 3)) if channels == 1 else tiles
        tiles = np.concatenate([colour, np.full((n, height, width, 1), 255, np.uint8)], -1)
    sheet = np.zeros((rows * (height + gap), columns * (width + gap), tiles.shape[-1]), np.uint8)
    for place, tile in enumerate(tiles):
        top, left = place // columns * (height + gap), place % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap]


def grey(values: Float[np.ndarray, "..."], low: Any, high: Any) -> UInt8[np.ndarray, "..."]:
    """Numbers as shades from black, `low`, to white, `high`; where these are equal all are black."""
    span = np.asarray(high - low, np.float64)
    share = np.divide(values - low, span, out=np.zeros(np.shape(values)), where=span > 0)
    return np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Album:
    """Thumbnails of test images on one sheet.

    Attributes:
      uri: the sheet.
      width, height: of a thumbnail, in pixels.
      columns: how many lie side by side.
      places: the number of a test image's thumbnail on the sheet, by the image's row.
    """

    uri: str
    width: int
    height: int
    columns: int
    places: dict[int, int]

    def place(self, row: int) -> tuple[int, int]:
        """In which column and which row of the sheet the thumbnail of a test image is."""
        down, right = divmod(self.places[row], self.columns)
        return right, down

    @property
    def fine(self) -> bool:
        """Whether they are photographs."""
        return is_fine((self.height, self.width))

    @property
    def zoom(self) -> int:
        """How many pixels of a screen a pixel is to be wide."""
        return max(1, round(LARGEST / max(self.width, self.height)))


def album(tested: Tested, rows: Iterable[int]) -> Album:
    """The thumbnails of these test images, as large as `ALBUM_BYTES` allow."""
    chosen = sorted(set(rows))
    thumbs = shrunk(tested.pixels(chosen), LARGEST)
    columns = math.ceil(math.sqrt(len(chosen)))
    places = {row: place for place, row in enumerate(chosen)}
    tiles, lossy = thumbs, is_fine(thumbs.shape[1:])
    while len(made := uri(tiled(tiles, columns), lossy=lossy)) > ALBUM_BYTES:
        side = max(tiles.shape[1:3])
        tiles = shrunk(thumbs, max(1, min(side - 1, int(side * math.sqrt(ALBUM_BYTES / len(made))))))
    return Album(made, tiles.shape[2], tiles.shape[1], columns, places)
