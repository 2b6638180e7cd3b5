"""A look at a dataset before it is trained on: sizes, kinds, what can't be read, what is there twice.

It goes picture by picture: not all need to fit into memory, or to have one size.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset, Images
from jaxcnn.data.failure import or_reason
from jaxcnn.data.files import Listing, Picture, named
from jaxcnn.data.pictures import Header, Pixels
from jaxcnn.data.pixels import moments, value_counts

SIZE = 96  # pixels a side of a sample, where sizes differ


class Row(NamedTuple):
    """An image of a dataset, which is decoded when it is asked for, if it is not in memory."""

    images: Images
    row: int


class Item(NamedTuple):
    """A picture: the part that it is in, its label, what it is called, and its file, or where its pixels are."""

    part: str
    label: int
    name: str
    source: Picture | Row


class _Look(NamedTuple):
    """What one picture is. `fingerprint` is that of its pixels, `counts` (c, 256) says how often each has a value."""

    header: Header
    frames: int
    fingerprint: bytes
    counts: np.ndarray


@dataclass(frozen=True)
class Survey:
    """What a dataset's pictures are.

    Attributes:
      name, classes, layout: as in `Dataset`.
      items: the pictures that can be read, part by part.
      counts: how many of them each class has in each part, (classes,) by the part's name.
      unreadable: the others, each with the reason.
      left_out: what lies among them and is no picture of a class.
      sizes: how many have each (height, width), upright.
      modes: how many have which pixels, by Pillow's name for them in the file.
      transparent, profiled, turned, animated: how many are laid over white, have an ICC profile (not applied), are
        turned by their EXIF orientation, have further frames or pages (not read).
      duplicates: those with equal pixels, together; the same picture in gray and in colour is one.
      mean, std: `pixels.statistics` of the training pictures; they are None where none can be read.
    """

    name: str
    classes: tuple[str, ...]
    layout: str
    items: list[Item]
    counts: dict[str, np.ndarray]
    unreadable: list[str]
    left_out: list[str]
    sizes: Counter[tuple[int, int]]
    modes: Counter[str]
    transparent: int
    profiled: int
    turned: int
    animated: int
    duplicates: list[list[Item]]
    mean: np.ndarray | None
    std: np.ndarray | None

    def samples(self, count: int, image_size: int | None = None) -> tuple[np.ndarray, list[str]]:
        """Up to `count` training pictures of one size, as many of each class as can be, and the names of their classes.

        They are drawn at random, always the same. With `image_size`, or where sizes differ, all become squares.
        """
        training = [item for item in self.items if item.part == "train"]
        drawn = [training[i] for i in np.random.default_rng(0).permutation(len(training))]
        seen: Counter[int] = Counter()
        turns = []  # when each would be taken, if classes took turns
        for item in drawn:
            seen[item.label] += 1
            turns.append(seen[item.label])
        taken = [drawn[i] for i in np.argsort(turns, kind="stable")[:count]]
        taken.sort(key=lambda item: item.label)
        size = image_size or (SIZE if len(self.sizes) > 1 else None)
        read = [_pixels(item.source, size) for item in taken]
        channels = max((pixels.shape[-1] for pixels in read), default=1)
        images = [np.broadcast_to(pixels, (*pixels.shape[:2], channels)) for pixels in read]
        return np.stack(images), [self.classes[item.label] for item in taken]


def survey(source: Dataset | Listing, *, image_size: int | None = None) -> Survey:
    """Look at every picture of what `lookup.find` found. `mean` and `std` are those of pictures of this size."""
    items = _items(source)
    with pictures.in_silence():
        looks = pictures.in_threads(lambda chunk: [_look(items[i].source, image_size) for i in chunk], len(items))
        good, unreadable, headers = [], [], []
        alike: dict[bytes, list[Item]] = {}
        animated, values = 0, {1: np.zeros((1, 256), np.int64), 3: np.zeros((3, 256), np.int64)}
        for item, look in zip(items, looks, strict=True):
            if isinstance(look, str):
                unreadable.append(named(item.source, look) if isinstance(item.source, Picture) else look)
                continue
            good.append(item)
            headers.append(look.header)
            animated += look.frames > 1
            alike.setdefault(look.fingerprint, []).append(item)
            if item.part == "train":
                values[len(look.counts)] += look.counts
    counted = values[3] + values[1] if any(header.channels == 3 for header in headers) else values[1]
    mean, std = moments(counted) if counted.any() else (None, None)
    labels = {part: [item.label for item in good if item.part == part] for part in source.parts}
    return Survey(
        source.name,
        source.classes,
        source.layout,
        good,
        {part: np.bincount(np.array(of, int), minlength=len(source.classes)) for part, of in labels.items()},
        unreadable,
        list(source.left_out) if isinstance(source, Listing) else [],
        Counter(header[:2] for header in headers),
        Counter(header.mode for header in headers),
        sum(header.transparent for header in headers),
        sum(header.profiled for header in headers),
        sum(header.turned for header in headers),
        animated,
        [group for group in alike.values() if len(group) > 1],
        mean,
        std,
    )


def _items(source: Dataset | Listing) -> list[Item]:
    if isinstance(source, Listing):
        return [Item(part, file.label, str(file.path), file) for part, of in source.parts.items() for file in of]
    return [
        Item(part, int(label), f"{part}[{i}]", Row(images, i))
        for part, (images, labels) in source.parts.items()
        for i, label in enumerate(labels)
    ]


def _look(source: Picture | Row, image_size: int | None) -> _Look | str:
    """What the picture is, or the reason why it can't be read."""
    if isinstance(source, Picture):
        return or_reason(_look_at_file, source.path, image_size)
    try:
        pixels = source.images[source.row]
    except ValueError as error:  # of a record that is decoded only now
        return str(error)
    height, width, channels = pixels.shape
    header = Header(height, width, channels, "L" if channels == 1 else "RGB", False, False, False)
    return _Look(header, 1, _fingerprint(pixels), value_counts(pixels.reshape(-1, channels)))


def _look_at_file(path: Path, image_size: int | None) -> _Look:
    header, pixels = pictures.header(path), pictures.decode(path)
    header = header._replace(height=pixels.shape[0], width=pixels.shape[1])
    sized = _resized(pixels, image_size)
    return _Look(header, _frames(path), _fingerprint(pixels), value_counts(sized.reshape(-1, sized.shape[-1])))


def _frames(path: Path) -> int:
    from PIL import Image

    with Image.open(path) as picture:
        try:
            return getattr(picture, "n_frames", 1)
        except Exception:  # as for EXIF: what is malformed behind the first frame does not matter
            return 1


def _fingerprint(pixels: Pixels) -> bytes:
    gray = pixels[..., :1]
    distinct = gray if (pixels == gray).all() else pixels
    return hashlib.blake2b(repr(pixels.shape[:2]).encode() + distinct.tobytes(), digest_size=16).digest()


def _pixels(source: Picture | Row, image_size: int | None) -> Pixels:
    with pictures.in_silence():
        pixels = pictures.decode(source.path) if isinstance(source, Picture) else source.images[source.row]
    return _resized(pixels, image_size)


def _resized(pixels: Pixels, image_size: int | None) -> Pixels:
    if image_size is None:
        return pixels
    resized = pictures.resize(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels, pictures.Fit(image_size))
    return resized if resized.ndim == 3 else resized[..., None]
