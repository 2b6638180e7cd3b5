"""Labelled picture files, in a folder or a table: what they are, and how they become a dataset."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset
from jaxcnn.data.split import PARTS, in_parts

T = TypeVar("T")


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


def read(listing: Listing, *, image_size: int | None = None, skip_bad: bool = False) -> Dataset:
    """Read the pictures into memory. What is left out, and with `skip_bad` what can't be read, is named in a warning.

    Raises ValueError for pictures of different sizes without `image_size` (before any is decoded), and for pictures
    that can't be read (unless `skip_bad`), all named.
    """
    if listing.left_out:
        what = "files or folders, which are no pictures of a class"
        warnings.warn(f"left out {len(listing.left_out)} {what}: {some(listing.left_out)}.", stacklevel=3)
    files = [file for part in listing.parts.values() for file in part]
    with pictures.in_silence():
        stack, transparent, reasons = _read([file.path for file in files], image_size)
    bad = [named(file, reason) for file, reason in zip(files, reasons, strict=True) if reason]
    if bad:
        _report(bad, len(files), skip_bad)
    good = [i for i, reason in enumerate(reasons) if not reason]
    labels = np.array([files[i].label for i in good], np.int32)
    ends = np.searchsorted(good, np.cumsum([len(part) for part in listing.parts.values()]))
    rows = {part: slice(begin, end) for part, begin, end in zip(listing.parts, [0, *ends], ends, strict=False)}
    for part, chosen in rows.items():
        gone = sorted(set(range(len(listing.classes))) - set(labels[chosen].tolist())) if part == "train" else []
        if gone or not len(labels[chosen]):
            what = f"training pictures of class {listing.classes[gone[0]]!r}" if gone else f"{PARTS[part]} pictures"
            raise ValueError(f"load: none of the {what} in {listing.name} can be read: {some(bad)}.")
    assert stack is not None  # some can be read
    images = stack.take(good)
    layout = listing.layout + (f"; {transparent} with transparency, laid over white" if transparent else "")
    parts = {part: (images[chosen], labels[chosen]) for part, chosen in rows.items()}
    return Dataset.of(listing.name, parts, listing.classes, layout)


def _read(paths: list[Path], image_size: int | None) -> tuple[pictures.Stack | None, int, list[str]]:
    """The pictures, how many have transparency, and for each "" or the reason why it can't be read.

    There is no stack where none can be read.
    """
    count = len(paths)
    headers = list(pictures.in_threads(lambda chunk: [or_reason(pictures.header, paths[i]) for i in chunk], count))
    reasons = [header if isinstance(header, str) else "" for header in headers]
    stack, size = None, (0, 0)
    for i, header in enumerate(headers):
        if isinstance(header, str) or (stack and (image_size or header[:2] == size)):
            continue
        # The first picture, or one that by its header is of another size, which is looked at before it is said.
        pixels = or_reason(pictures.decode, paths[i], image_size)
        if isinstance(pixels, str):
            reasons[i] = pixels
        elif stack:
            stack.check_size(i, pixels)
        else:
            channels = max(header.channels for header in headers if not isinstance(header, str))
            stack = pictures.Stack(count, pixels, channels, lambda i: str(paths[i]), first=i)
            size = pixels.shape[:2]
    if stack is None:
        return None, 0, reasons

    def put(i: int) -> str:
        pixels = or_reason(pictures.decode, paths[i], image_size)
        if isinstance(pixels, str):
            return pixels
        stack.put(i, pixels)
        return ""

    reasons = list(pictures.in_threads(lambda chunk: [reasons[i] or put(i) for i in chunk], count))
    kinds = [header for header, reason in zip(headers, reasons, strict=True) if not reason]
    return stack, sum(not isinstance(kind, str) and kind.transparent for kind in kinds), reasons


def or_reason(read: Callable[..., T], path: Path, *options: Any) -> T | str:
    """What `read` makes of the file, or the reason why it can't be read."""
    from PIL import UnidentifiedImageError

    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        return "a folder, a pipe or a device"
    try:
        return read(path, *options)
    except UnidentifiedImageError:
        return "not a picture of any kind that Pillow reads" if path.stat().st_size else "the file is empty"
    except FileNotFoundError:
        return "a broken link" if path.is_symlink() else "there is no such file"
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error, their own kinds, ...
        return str(error) or type(error).__name__


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
