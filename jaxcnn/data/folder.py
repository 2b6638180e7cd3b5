"""A folder of pictures, one subfolder for each class.

Either `root/cat/1.png`, and every fifth picture of each class is kept for testing (`split.every_fifth`); or
`root/train/cat/1.png` and `root/test/cat/9.png`, where `training` may stand for `train`, and for `test` any of
`testing`, `val`, `valid`, `validation`. The classes are the subfolders in sorted order; an accented letter is the
same whether its name is composed or not (Unicode's NFC and NFD).

Files count as pictures by their ending, if it is one that Pillow reads (.jpg, .png, .webp, ...), in small or capital
letters. What else lies in a class is left out, with a warning that names it; what has a name with a dot in front is
ignored. If every picture is grayscale the images have 1 channel, otherwise all have 3 (RGB).
"""

import functools
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset
from jaxcnn.data.split import every_fifth

LAYOUT = (
    "Expected ROOT/<class>/<picture>, or ROOT/train/<class>/<picture> and ROOT/test/<class>/<picture> (or val, valid, "
    "validation)."
)
TRAIN, TEST = ("train", "training"), ("test", "testing", "val", "valid", "validation")

# What Pillow recognises, but only with another program's help, or not at all, makes pixels of.
_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
_READ_AS_JPEG = {"MPO"}  # several JPEGs in one file: Pillow opens it as a JPEG

T = TypeVar("T")
Labelled = tuple[Path, int]  # a picture file and its label
Classes = dict[str, list[Path]]  # the folders of each class: more than one where their names differ only in Unicode


def load(root: Path, *, image_size: int | None = None, skip_bad: bool = False) -> Dataset:
    """Read the pictures under `root` into memory.

    Raises ValueError for a folder without classes, an empty class, a test class that is not trained on, pictures
    of different sizes without `image_size` (before any is decoded), and pictures that can't be read (unless
    `skip_bad`), all named.
    """
    classes, train, test, left_out = _files(root)
    if left_out:
        what = "files or folders, which are no pictures of a class"
        warnings.warn(f"left out {len(left_out)} {what}: {_some(left_out)}.", stacklevel=3)
    files = train + test
    with pictures.in_silence():
        stack, reasons = _read([path for path, _ in files], image_size)
    bad = [f"{path} ({reason})" for (path, _), reason in zip(files, reasons, strict=True) if reason]
    if bad:
        _report(bad, len(files), skip_bad)
    good = [i for i, reason in enumerate(reasons) if not reason]
    labels = np.array([files[i][1] for i in good], np.int32)
    n = sum(not reason for reason in reasons[: len(train)])
    gone = sorted(set(range(len(classes))) - set(labels[:n].tolist()))
    if gone or n == len(good):
        what = f"training pictures of class {classes[gone[0]]!r}" if gone else "test pictures"
        raise ValueError(f"load: none of the {what} in {root} can be read: {_some(bad)}.")
    assert stack is not None  # some can be read
    images = stack.take(good)
    return Dataset(root.resolve().name, images[:n], labels[:n], images[n:], labels[n:], classes)


def _files(root: Path) -> tuple[tuple[str, ...], list[Labelled], list[Labelled], list[str]]:
    """The classes, the labelled files for training and for testing, and what is neither, with the reason."""
    folders = [p for p in _visible(root) if p.is_dir()]
    trains, tests = _called(TRAIN, folders), _called(TEST, folders)
    if not trains or not tests:
        classes, left_out = _classes(root)
        names = tuple(classes)
        files, more = _of_classes(root, classes, names, least=2)
        train, test = every_fifth(np.array([label for _, label in files]))
        return names, [files[i] for i in train], [files[i] for i in test], left_out + more
    for same in (trains, tests):
        if len(same) > 1:
            raise ValueError(
                f"load: {_some([p.name for p in same])} in {root} differ only in capital letters; keep one of them, or "
                "rename the others."
            )
    (trained_on,), (tested_on,) = trains, tests
    classes, left_out = _classes(trained_on)
    tested, more = _classes(tested_on, least=1)
    names = tuple(classes)
    for name in tested:
        if name not in classes:
            raise ValueError(
                f"load: class {name!r} is in {tested_on} but not in {trained_on}, whose classes are {_some(names)}."
            )
    others = [p for p in folders if p not in (trained_on, tested_on)]
    left_out += [f"{p} (a folder beside {trained_on.name} and {tested_on.name})" for p in others]
    train_files, of_train = _of_classes(trained_on, classes, names)
    test_files, of_test = _of_classes(tested_on, tested, names)
    return names, train_files, test_files, [*left_out, *more, *of_train, *of_test]


def _called(names: tuple[str, ...], folders: list[Path]) -> list[Path]:
    """The folders with the first of the names that any has, in whatever letters: more than one if only these differ."""
    return next((same for name in names if (same := [p for p in folders if p.name.casefold() == name])), [])


def _classes(root: Path, least: int = 2) -> tuple[Classes, list[str]]:
    """The classes in the order of their names, and what lies beside them though it seems to belong into one."""
    classes: Classes = {}
    left_out = []
    for path in _visible(root):
        if path.is_dir():
            classes.setdefault(unicodedata.normalize("NFC", path.name), []).append(path)
        elif path.suffix.lower() in _endings() or _is_broken_link(path):
            left_out.append(f"{path} ({'a broken link' if _is_broken_link(path) else 'in no class'})")
    if len(classes) < least:
        seen = f"one subfolder, {next(iter(classes))!r}" if classes else "no subfolders"
        raise ValueError(f"load: {root} has {seen}; a dataset has a subfolder for each of its classes. {LAYOUT}")
    return dict(sorted(classes.items())), left_out


def _of_classes(
    root: Path, classes: Classes, names: tuple[str, ...], least: int = 1
) -> tuple[list[Labelled], list[str]]:
    """The pictures of the classes, each with the place of its class in `names`, and what is no picture."""
    files, left_out = [], []
    for name, folders in classes.items():
        inside = [p for folder in folders for p in _visible(folder)]
        found = [p for p in inside if p.suffix.lower() in _endings() and (p.is_file() or _is_broken_link(p))]
        if len(found) < least:
            expected = "1 or more" if least == 1 else f"{least} or more, as one is kept for testing"
            raise ValueError(
                f"load: class {name!r} has {len(found)} pictures in {root / name}; expected {expected}. "
                f"It holds {len(inside) - len(found)} other files or folders; pictures are files with an ending that "
                f"Pillow reads, such as .jpg, .png or .webp. {LAYOUT}"
            )
        files += [(p, names.index(name)) for p in found]
        taken = set(found)
        left_out += [f"{p}{_reason(p)}" for p in inside if p not in taken]
    return files, left_out


def _reason(path: Path) -> str:
    """Why that is no picture, if its name does not tell."""
    return " (a folder)" if path.is_dir() else " (a broken link)" if _is_broken_link(path) else ""


def _visible(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith("."))


def _is_broken_link(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


@functools.cache
def _endings() -> frozenset[str]:
    from PIL import Image

    known = Image.registered_extensions().items()
    kinds = (set(Image.OPEN) | _READ_AS_JPEG) - _NO_PIXELS
    return frozenset(ending for ending, kind in known if kind in kinds)


def _read(paths: list[Path], image_size: int | None) -> tuple[pictures.Stack | None, list[str]]:
    """The pictures, and for each "" or the reason why it can't be read; no stack where that is so of all."""
    count = len(paths)
    headers = list(pictures.in_threads(lambda chunk: [_or_reason(pictures.header, paths[i]) for i in chunk], count))
    reasons = [header if isinstance(header, str) else "" for header in headers]
    stack, size = None, (0, 0)
    for i, header in enumerate(headers):
        if isinstance(header, str) or (stack and (image_size or header[:2] == size)):
            continue
        # The first picture, or one that by its header is of another size, which is looked at before it is said.
        pixels = _or_reason(pictures.decode, paths[i], image_size)
        if isinstance(pixels, str):
            reasons[i] = pixels
        elif stack:
            stack.check_size(i, pixels)
        else:
            channels = max(header[2] for header in headers if not isinstance(header, str))
            stack = pictures.Stack(count, pixels, channels, lambda i: str(paths[i]), first=i)
            size = pixels.shape[:2]
    if stack is None:
        return None, reasons

    def put(i: int) -> str:
        pixels = _or_reason(pictures.decode, paths[i], image_size)
        if isinstance(pixels, str):
            return pixels
        stack.put(i, pixels)
        return ""

    return stack, list(pictures.in_threads(lambda chunk: [reasons[i] or put(i) for i in chunk], count))


def _or_reason(read: Callable[..., T], path: Path, *options: Any) -> T | str:
    """What `read` makes of the file, or the reason why it can't be read."""
    from PIL import UnidentifiedImageError

    try:
        return read(path, *options)
    except UnidentifiedImageError:
        return "not a picture of any kind that Pillow reads" if path.stat().st_size else "the file is empty"
    except FileNotFoundError:
        return "a broken link" if path.is_symlink() else "it is gone"
    except Exception as error:  # Pillow's readers raise OSError, SyntaxError, struct.error, their own kinds, ...
        return str(error) or type(error).__name__


def _report(bad: list[str], total: int, skip_bad: bool) -> None:
    if not skip_bad:
        raise ValueError(
            f"load: {len(bad)} of {total} pictures can't be read: {_some(bad)}. "
            "Repair or remove them, or leave them out with skip_bad=True."
        )
    warnings.warn(f"left out {len(bad)} of {total} pictures, which can't be read: {_some(bad)}.", stacklevel=4)


def _some(names: list[str] | tuple[str, ...], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
