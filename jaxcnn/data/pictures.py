"""Picture files to arrays: decode with Pillow, make one size of them, stack them."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import PIL.Image

Pixels = NDArray[np.uint8]
Resample = Literal["bilinear", "bicubic"]
T = TypeVar("T")

_ORIENTATION = 0x0112  # the EXIF tag
_BITS, _PHOTOMETRIC = 258, 262  # tags of TIFF: bits of a pixel; 0 where 0 is white
_GRAY = ("1", "L", "LA")
_SIXTEEN_BITS = ("I;16", "I;16B", "I;16L", "I;16N")
_COLOUR = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr", "HSV")
_ALPHA = ("LA", "RGBA", "PA")


class Header(NamedTuple):
    """What the head of a picture file says.

    Attributes:
      height, width: in pixels, of the picture upright.
      channels: 1 for grayscale, 3 for colour.
      mode: Pillow's name for the pixels as they lie in the file: "RGB", "L", "P", "CMYK", "I;16", ...
      transparent: it has an alpha channel or a transparent colour, so that white may show through.
      profiled: it has an ICC profile, which is not applied.
      turned: its EXIF orientation turns or mirrors it.
    """

    height: int
    width: int
    channels: int
    mode: str
    transparent: bool
    profiled: bool
    turned: bool


class Fit(NamedTuple):
    """How a picture becomes a square of `size` pixels a side; nothing is stretched.

    Of its middle that square is taken whose side is the share `crop` of the picture's shorter one: 1 keeps all that a
    square can, 0.875 is the "resize to 256, crop to 224" of most networks for ImageNet. It is resized by `resample`, in
    shrinking with an average over all pixels that each new one covers.
    """

    size: int
    crop: float = 1.0
    resample: Resample = "bilinear"


def decode(file: Path | IO[bytes], fit: Fit | None = None) -> Pixels:
    """A picture as (h, w, 1) if it is grayscale, otherwise (h, w, 3).

    It is turned upright as its EXIF orientation says, if that can be read, and laid over white where it is transparent;
    of an animation the first frame is taken. Of 16 bits, v becomes v / 257, so that 65535 is white (255). An ICC
    profile is not applied: pixels are those that lie in the file. With `fit` it becomes such a square. Pillow's
    guard against decompression bombs stays on.

    Raises ValueError for pixels of more than 16 bits, and whatever Pillow raises for a file that it can't read.
    """
    from PIL import Image

    with Image.open(file) as picture:
        mode = _mode(picture)
        picture.load()
        turn = _turn(picture)
        eight_bits = _scaled(picture) if _is_deep(picture) else _opaque(picture, mode)
        pixels = _square(eight_bits if turn is None else eight_bits.transpose(turn), fit)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def header(file: Path | IO[bytes]) -> Header:
    """The size and kind of what `decode` gives, from the head of the file alone.

    An orientation that stands behind a PNG's pixels is not seen: then h and w may be exchanged. Raises as `decode`.
    """
    from PIL import Image

    with Image.open(file) as picture:
        channels = 1 if _mode(picture) == "L" else 3
        width, height = picture.size
        # Asked for its EXIF, a PNG that begins without it is decoded to its end; a TIFF's size is turned already.
        turn = None if picture.format in ("PNG", "TIFF") and "exif" not in picture.info else _turn(picture)
        transparent = picture.mode in _ALPHA or "transparency" in picture.info
        profiled = bool(picture.info.get("icc_profile"))
        kind = (channels, picture.mode, transparent, profiled, turn is not None)
    return Header(width, height, *kind) if turn in _sideways() else Header(height, width, *kind)


def _mode(picture: "PIL.Image.Image") -> str:
    """ "L" or "RGB": what the picture is to become."""
    if _is_deep(picture) or picture.mode in _GRAY:
        return "L"
    if picture.mode in _COLOUR:
        return "RGB"
    raise ValueError(f"its pixels are of Pillow's mode {picture.mode!r}; convert it to 8-bit grayscale or colour")


def _is_deep(picture: "PIL.Image.Image") -> bool:
    """Whether it has 16-bit gray pixels. Pillow widens those of a PGM, and may those of a PNG, to 32 bits."""
    return picture.mode in _SIXTEEN_BITS or (picture.mode == "I" and picture.format in ("PNG", "PPM"))


def _scaled(picture: "PIL.Image.Image") -> "PIL.Image.Image":
    """16-bit gray in 8 bits. convert() would clip at 255, and knows nothing of a TIFF's 12 bits or of white as 0."""
    from PIL import Image

    tags = getattr(picture, "tag_v2", {})
    top = 2 ** tags.get(_BITS, (16,))[0] - 1
    values = np.asarray(picture).astype(np.uint32)
    gray = ((values * 255 + top // 2) // top).astype(np.uint8)  # round(v · 255 / top), for 16 bits v / 257
    if tags.get(_PHOTOMETRIC) == 0:
        gray = 255 - gray
    if "transparency" in picture.info:
        gray[values == picture.info["transparency"]] = 255
    return Image.fromarray(gray)


def _opaque(picture: "PIL.Image.Image", mode: str) -> "PIL.Image.Image":
    """The picture as "L" or "RGB", over white where it is transparent. convert() shows what is hidden there."""
    from PIL import Image

    if picture.mode not in _ALPHA and "transparency" not in picture.info:
        return picture if picture.mode == mode else picture.convert(mode)
    with_alpha = picture.convert("LA" if mode == "L" else "RGBA")
    ground = Image.new(mode, picture.size, "white")
    ground.paste(with_alpha.convert(mode), mask=with_alpha.getchannel("A"))
    return ground


def _turn(picture: "PIL.Image.Image") -> "PIL.Image.Transpose | None":
    """What brings the picture upright. Not Pillow's `exif_transpose`, which fails where any other tag is malformed."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # struct.error, SyntaxError, ...: whatever malformed EXIF makes of Pillow's reader
        return None


def _sideways() -> "tuple[PIL.Image.Transpose, ...]":
    """The turns that exchange height and width."""
    from PIL.Image import Transpose

    return Transpose.TRANSPOSE, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90


def resize(pixels: Pixels, fit: Fit) -> Pixels:
    """(h, w) or (h, w, 3) as a square."""
    from PIL import Image

    return _square(Image.fromarray(pixels), fit)


def _square(picture: "PIL.Image.Image", fit: Fit | None) -> Pixels:
    return np.asarray(picture if fit is None else resized(picture, (fit.size, fit.size), fit.crop, fit.resample))


def resized(
    picture: "PIL.Image.Image", size: tuple[int, int], crop: float = 1.0, resample: Resample = "bilinear"
) -> "PIL.Image.Image":
    """The middle of a picture as (width, height) pixels: see `Fit`, of which this is the one for any rectangle."""
    from PIL import Image, ImageOps

    if crop == 1 and picture.size == size:
        return picture
    return ImageOps.fit(picture, size, Image.Resampling[resample.upper()], bleed=(1 - crop) / 2)


@contextmanager
def in_silence() -> Iterator[None]:
    """Without Pillow's warnings, which name no file: what can be read is read, what can't is an error."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def in_threads(read: Callable[[range], list[T]], count: int) -> Iterator[T]:
    """The items that `read` gives for the indices 0 to `count` - 1, in order, read chunk by chunk in threads.

    Pillow decodes outside Python's lock, so large pictures use all cores; chunks keep the threads from fighting
    over the lock for small ones. A thread may hold its picture four times over, so there is one for every 16 at most.
    """
    chunk = max(1, min(256, count // 64))
    with ThreadPoolExecutor(max(1, min(32, (os.cpu_count() or 1) + 4, count // 16))) as pool:
        for part in pool.map(read, [range(i, min(i + chunk, count)) for i in range(0, count, chunk)]):
            yield from part


def be_silent() -> None:
    """For the whole process: lazily decoded pictures are decoded by threads, to which `in_silence` would be common."""
    warnings.filterwarnings("ignore", module=r"PIL\.")


def check_size(name: str, size: tuple[int, ...], other: str, expected: tuple[int, ...]) -> None:
    """Raises ValueError unless the picture `name` has the (height, width) of the `other`."""
    if size != expected:
        raise ValueError(
            f"load: the images differ in size: {other} is {expected[0]} × {expected[1]} (height × width) and {name} is "
            f"{size[0]} × {size[1]}. Give the size that all shall have: image_size=64."
        )


class Stack:
    """Pictures as one (n, h, w, channels) array, into which any thread puts each: none is held in memory twice.

    With 3 channels a grayscale picture gets three equal ones. `name` says what the picture at an index is called, and
    `first` is the index of the one whose size is that of `shape`, (n, h, w, channels).
    """

    def __init__(self, shape: tuple[int, ...], name: Callable[[int], str], first: int = 0) -> None:
        self._images = np.empty(shape, np.uint8)
        self._gray = np.ones(len(self._images), bool)
        self._name, self._first = name, first

    def put(self, index: int, pixels: Pixels) -> None:
        """Raises as `check_size`."""
        check_size(self._name(index), pixels.shape[:2], self._name(self._first), self._images.shape[1:3])
        self._images[index] = pixels
        self._gray[index] = pixels.shape[-1] == 1

    def take(self, rows: Sequence[int] | NDArray[np.intp]) -> Pixels:
        """The pictures at the indices `rows`, ascending; of 1 channel if all are grayscale. The stack is used up."""
        images = self._images
        if len(rows) < len(images):
            for new, old in enumerate(rows):
                images[new] = images[old]
            images = images[: len(rows)]
        return np.ascontiguousarray(images[..., :1]) if self._gray[rows].all() else images
