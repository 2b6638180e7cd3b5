"""Picture files to arrays: decode with Pillow, make one size of them, stack them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import PIL.Image

Pixels = NDArray[np.uint8]
T = TypeVar("T")

# What convert() turns into 8-bit grayscale and colour. 16-bit pixels it would clip, so they are refused.
_GRAY = ("1", "L", "LA")
_COLOUR = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV")


def decode(file: Path | IO[bytes], image_size: int | None = None) -> Pixels:
    """A picture as (h, w, 1) if it is grayscale, otherwise (h, w, 3).

    It is turned upright as its EXIF orientation says; of an animation the first frame is taken, and transparency is
    dropped. With `image_size` it is `resize`d. Pillow's guard against decompression bombs stays on.

    Raises ValueError for pixels of more than 8 bits, and whatever Pillow raises for a file that it can't read.
    """
    from PIL import Image, ImageOps

    with Image.open(file) as picture:
        if picture.mode not in _GRAY + _COLOUR:
            raise ValueError(
                f"its pixels are of Pillow's mode {picture.mode!r}; convert it to 8-bit grayscale or colour"
            )
        mode = "L" if picture.mode in _GRAY else "RGB"
        ImageOps.exif_transpose(picture, in_place=True)
        pixels = _square(picture if picture.mode == mode else picture.convert(mode), image_size)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def resize(pixels: Pixels, image_size: int) -> Pixels:
    """(h, w) or (h, w, 3) as a square of `image_size` pixels.

    Nothing is stretched: the shorter side becomes `image_size` long, and of the longer one the middle is kept. The
    resizing is bilinear, in shrinking an average over all pixels that each new one covers.
    """
    from PIL import Image

    return _square(Image.fromarray(pixels), image_size)


def _square(picture: "PIL.Image.Image", image_size: int | None) -> Pixels:
    from PIL import Image, ImageOps

    if image_size is not None and picture.size != (image_size, image_size):
        picture = ImageOps.fit(picture, (image_size, image_size), Image.Resampling.BILINEAR)
    return np.asarray(picture)


def in_threads(read: Callable[[range], list[T]], count: int, chunk: int = 256) -> Iterator[T]:
    """The items that `read` gives for the indices 0 to `count` - 1, in order, read chunk by chunk in threads.

    Pillow decodes outside Python's lock, so large pictures use all cores; chunks keep the threads from fighting
    over the lock for small ones.
    """
    with ThreadPoolExecutor() as pool:
        for part in pool.map(read, [range(i, min(i + chunk, count)) for i in range(0, count, chunk)]):
            yield from part


def stack(pictures: Sequence[Pixels], channels: int, name: Callable[[int], str]) -> Pixels:
    """The pictures as one (n, h, w, channels) array; with 3 channels a grayscale picture gets three equal ones.

    Raises ValueError if they differ in size; `name` says what the picture at an index is called.
    """
    height, width, _ = pictures[0].shape
    images = np.empty((len(pictures), height, width, channels), np.uint8)
    for index, picture in enumerate(pictures):
        if picture.shape[:2] != (height, width):
            raise ValueError(
                f"load: the images differ in size: {name(0)} is {height} × {width} (height × width) and "
                f"{name(index)} is {picture.shape[0]} × {picture.shape[1]}. Give the size that all shall have: "
                "image_size=64."
            )
        images[index] = picture
    return images
