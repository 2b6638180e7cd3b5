"""A folder of pictures, one subfolder for each class.

Either `root/cat/1.png`, and every fifth picture of each class is kept for testing (`split.every_fifth`); or
`root/train/cat/1.png` and `root/test/cat/9.png`. The classes are the subfolders in sorted order.

Files count as pictures by their ending (`ENDINGS`, in small or capital letters); all others, folders within a
class and everything whose name starts with a dot are ignored. If every picture is grayscale the images have 1
channel, otherwise all have 3 (RGB).
"""

import warnings
from pathlib import Path

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset
from jaxcnn.data.pictures import Pixels
from jaxcnn.data.split import every_fifth

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
LAYOUT = "Expected ROOT/<class>/<picture>, or ROOT/train/<class>/<picture> and ROOT/test/<class>/<picture>."

Labelled = tuple[Path, int]  # a picture file and its label


def load(root: Path, *, image_size: int | None = None, skip_bad: bool = False) -> Dataset:
    """Read the pictures under `root` into memory.

    Raises ValueError for a folder without classes, an empty class, a test class that is not trained on, pictures
    of different sizes without `image_size`, and pictures that can't be read (unless `skip_bad`), all named.
    """
    classes, train, test = _files(root)
    read = _read(train + test, image_size)
    bad = [f"{path} ({pixels})" for (path, _), pixels in read if isinstance(pixels, str)]
    if bad:
        _report(bad, len(read), skip_bad)
    good = [(file, pixels) for file, pixels in read if not isinstance(pixels, str)]
    n = sum(not isinstance(pixels, str) for _, pixels in read[: len(train)])
    labels = np.array([label for (_, label), _ in good], np.int32)
    gone = sorted(set(range(len(classes))) - set(labels[:n].tolist()))
    if gone or n == len(good):
        what = f"training pictures of class {classes[gone[0]]!r}" if gone else "test pictures"
        raise ValueError(f"load: none of the {what} in {root} can be read: {_some(bad)}.")
    channels = max(pixels.shape[-1] for _, pixels in good)
    images = pictures.stack([p for _, p in good], channels, lambda i: str(good[i][0][0]))
    return Dataset(root.resolve().name, images[:n], labels[:n], images[n:], labels[n:], classes)


def _files(root: Path) -> tuple[tuple[str, ...], list[Labelled], list[Labelled]]:
    """The classes, and the labelled files for training and for testing."""
    if (root / "train").is_dir() and (root / "test").is_dir():
        classes = _classes(root / "train")
        tested = _classes(root / "test", least=1)
        for name in tested:
            if name not in classes:
                raise ValueError(
                    f"load: class {name!r} is in {root / 'test'} but not in {root / 'train'}, "
                    f"whose classes are {_some(classes)}."
                )
        return classes, _of_classes(root / "train", classes, classes), _of_classes(root / "test", tested, classes)
    classes = _classes(root)
    files = _of_classes(root, classes, classes, least=2)
    train, test = every_fifth(np.array([label for _, label in files]))
    return classes, [files[i] for i in train], [files[i] for i in test]


def _classes(root: Path, least: int = 2) -> tuple[str, ...]:
    names = tuple(sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")))
    if len(names) < least:
        seen = f"one subfolder, {names[0]!r}" if names else "no subfolders"
        raise ValueError(f"load: {root} has {seen}; a dataset has a subfolder for each of its classes. {LAYOUT}")
    return names


def _of_classes(root: Path, names: tuple[str, ...], classes: tuple[str, ...], least: int = 1) -> list[Labelled]:
    """The pictures of the classes `names`, each with the label that its class has in `classes`."""
    files = []
    for name in names:
        inside = sorted(p for p in (root / name).iterdir() if not p.name.startswith("."))
        found = [p for p in inside if p.suffix.lower() in ENDINGS and p.is_file()]
        if len(found) < least:
            expected = "1 or more" if least == 1 else f"{least} or more, as one is kept for testing"
            raise ValueError(
                f"load: class {name!r} has {len(found)} pictures in {root / name}; expected {expected}. "
                f"It holds {len(inside) - len(found)} other files or folders; pictures are files that end in "
                f"{', '.join(ENDINGS)}. {LAYOUT}"
            )
        files += [(p, classes.index(name)) for p in found]
    return files


def _read(files: list[Labelled], image_size: int | None) -> list[tuple[Labelled, Pixels | str]]:
    """Each file with its pixels, or with the reason why it can't be read."""

    def read(chunk: range) -> list[tuple[Labelled, Pixels | str]]:
        return [(files[i], _pixels_or_reason(files[i][0], image_size)) for i in chunk]

    return list(pictures.in_threads(read, len(files)))


def _pixels_or_reason(path: Path, image_size: int | None) -> Pixels | str:
    from PIL import UnidentifiedImageError

    try:
        return pictures.decode(path, image_size)
    except UnidentifiedImageError:
        return "not a picture of any kind that Pillow reads" if path.stat().st_size else "the file is empty"
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
