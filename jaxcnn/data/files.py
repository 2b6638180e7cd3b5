"""Labelled picture files, in a folder or a table: what they are, and how they become a dataset."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset, Part
from jaxcnn.data.failure import or_reason
from jaxcnn.data.lazy import Files, Pictures
from jaxcnn.data.room import Streaming, streams
from jaxcnn.data.split import PARTS, in_parts


class Picture(NamedTuple):
    """A picture file and its label. `where` says what names it, such as "line 3", if its path does not."""

    path: Path
    label: int
    where: str = ""


@dataclass(frozen=True)
class Listing:
    """The picture files of a dataset, not yet read.

    Attributes:
      name, classes, layout: as in `Dataset`.
      parts: the pictures of "train", of "valid" if there is one, and of "test".
      left_out: what lies among them and is no picture of a class, with the reason.
    """

    name: str
    classes: tuple[str, ...]
    parts: dict[str, list[Picture]]
    layout: str
    left_out: Sequence[str] = ()


def cut(
    name: str,
    classes: tuple[str, ...],
    files: list[Picture],
    layout: str,
    split: str | None,
    seed: int,
    left_out: Sequence[str] = (),
) -> Listing:
    """Files that come in one piece, in parts. Raises as `split.in_parts`."""
    rows, how = in_parts(np.array([file.label for file in files]), classes, split, seed)
    parts = {part: [files[i] for i in of_part] for part, of_part in rows.items()}
    return Listing(name, classes, parts, f"{layout}; {how}", left_out)


def read(
    listing: Listing,
    *,
    fit: pictures.Fit | None = None,
    skip_bad: bool = False,
    stream: Streaming = "never",
    workers: int = 0,
) -> Dataset:
    """Read the pictures into memory, or make them a dataset that is streamed: see `lookup.load`.

    What is left out, and with `skip_bad` what can't be read, is named in a warning.

    Raises ValueError for pictures of different sizes without `fit` (before any is decoded), and for pictures
    that can't be read (unless `skip_bad`), all named. Of pictures that are streamed only the heads are read now; with
    `skip_bad` all are decoded once, so that the same are left out.
    """
    if listing.left_out:
        what = "files or folders, which are no pictures of a class"
        warnings.warn(f"left out {len(listing.left_out)} {what}: {some(listing.left_out)}.", stacklevel=3)
    files = [file for part in listing.parts.values() for file in part]
    ends = np.cumsum([len(part) for part in listing.parts.values()])
    labels = np.array([file.label for file in files], np.int32)
    paths = Files(file.path for file in files)
    with pictures.in_silence():
        heads = _look(paths, fit)
        height, width = heads.size
        streamed, how = streams(stream, len(files) * height * width * int(heads.channels.max()))
        if not streamed:
            stack = _stack(paths, heads, fit)
        elif skip_bad:
            _decode_all(paths, heads, fit)
    if heads.reasons:
        bad = [named(files[i], reason) for i, reason in sorted(heads.reasons.items())]
        _report(bad, len(files), skip_bad)
    good = np.flatnonzero(heads.channels)
    ends = np.searchsorted(good, ends)
    rows = {part: slice(begin, end) for part, begin, end in zip(listing.parts, [0, *ends], ends, strict=False)}
    for part, chosen in rows.items():
        there = labels[good[chosen]]
        gone = np.setdiff1d(np.arange(len(listing.classes)), there).tolist() if part == "train" else []
        if gone or not len(there):
            what = f"training pictures of class {listing.classes[gone[0]]!r}" if gone else f"{PARTS[part]} pictures"
            raise ValueError(f"load: none of the {what} in {listing.name} can be read: {some(bad)}.")
    parts: dict[str, Part] = {}
    if streamed:
        lazy = Pictures(paths, good, (height, width, int(heads.channels.max())), fit)
        parts = {part: (lazy.part(chosen), labels[good[chosen]]) for part, chosen in rows.items()}
    else:
        images = stack.take(good)
        parts = {part: (images[chosen], labels[good[chosen]]) for part, chosen in rows.items()}
    transparent = np.count_nonzero(heads.transparent[good])
    layout = listing.layout + (f"; {transparent} with transparency, laid over white" if transparent else "")
    return Dataset.of(listing.name, parts, listing.classes, layout + how, workers if streamed else None)


@dataclass
class _Heads:
    """What the heads of picture files say.

    Attributes:
      channels: of each picture, 0 where it can't be read.
      transparent: whether each is laid over white.
      reasons: why a picture can't be read, by its number.
      size: (height, width) of the first that can be read, and of all others; (0, 0) where there is none.
      first: its number.
    """

    channels: np.ndarray
    transparent: np.ndarray
    reasons: dict[int, str]
    size: tuple[int, int] = (0, 0)
    first: int = 0

    def bad(self, i: int, reason: str) -> None:
        self.channels[i], self.reasons[i] = 0, reason


def _look(paths: Files, fit: pictures.Fit | None) -> _Heads:
    """Read the heads. Raises ValueError for a picture of another size than the first."""
    heads = _Heads(np.zeros(len(paths), np.uint8), np.zeros(len(paths), bool), {})
    seen = pictures.in_threads(lambda chunk: [or_reason(pictures.header, paths[i]) for i in chunk], len(paths))
    for i, header in enumerate(seen):
        if isinstance(header, str):
            heads.bad(i, header)
            continue
        heads.channels[i], heads.transparent[i] = header.channels, header.transparent
        if heads.size != (0, 0) and (fit or header[:2] == heads.size):
            continue
        # The first picture, or one that by its header is of another size, which is looked at before it is said.
        pixels = or_reason(pictures.decode, paths[i], fit)
        if isinstance(pixels, str):
            heads.bad(i, pixels)
        elif heads.size == (0, 0):
            heads.size, heads.first = (pixels.shape[0], pixels.shape[1]), i
        else:
            pictures.check_size(paths.name(i), pixels.shape[:2], paths.name(heads.first), heads.size)
    return heads


def _stack(paths: Files, heads: _Heads, fit: pictures.Fit | None) -> pictures.Stack:
    """All pictures, decoded; those that can't be are noted in `heads`."""
    shape = (len(paths), *heads.size, int(heads.channels.max()))
    stack = pictures.Stack(shape, paths.name, heads.first)
    _decode_all(paths, heads, fit, stack.put)
    return stack


def _decode_all(
    paths: Files,
    heads: _Heads,
    fit: pictures.Fit | None,
    put: Callable[[int, pictures.Pixels], None] = lambda i, pixels: None,
) -> None:
    """Decode all pictures and `put` each; those that can't be decoded are noted in `heads`."""

    def decoded(i: int) -> str:
        pixels = or_reason(pictures.decode, paths[i], fit)
        if isinstance(pixels, str):
            return pixels
        put(i, pixels)
        return ""

    looks = pictures.in_threads(lambda chunk: [heads.reasons.get(i) or decoded(i) for i in chunk], len(paths))
    for i, reason in enumerate(looks):
        if reason:
            heads.bad(i, reason)


def named(file: Picture, reason: str) -> str:
    """The file with the reason why it can't be read, and what names it."""
    return f"{file.path} ({file.where + ': ' if file.where else ''}{reason})"


def _report(bad: list[str], total: int, skip_bad: bool) -> None:
    if not skip_bad:
        raise ValueError(
            f"load: {len(bad)} of {total} pictures can't be read: {some(bad)}. "
            "Repair or remove them, or leave them out with skip_bad=True."
        )
    warnings.warn(f"left out {len(bad)} of {total} pictures, which can't be read: {some(bad)}.", stacklevel=4)


def some(names: Sequence[str], most: int = 10) -> str:
    """The names, or the first of them and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
