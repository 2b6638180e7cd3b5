"""A folder of pictures, one subfolder for each class.

Either `root/cat/1.png`, which `split` cuts into parts: by default every fifth picture of each class is for testing. Or
`root/train/cat/1.png` and `root/test/cat/9.png`, where `training` may stand for `train`, and `testing` for `test`. With
`val`, `valid` or `validation` beside them the dataset has three parts; beside `train` alone that is for testing.

The classes are the subfolders in sorted order; an accented letter is the same whether its name is composed or not
(Unicode's NFC and NFD). What lies deeper belongs to the class, too: `root/cat/persian/1.png` is a cat.

Files count as pictures by their ending, if it is one that Pillow reads (.jpg, .png, .webp, ...), in small or capital
letters. What else lies in a class is left out, with a warning that names it; what has a name with a dot in front is
ignored, and so is the `__MACOSX` that macOS packs into archives. If every picture is grayscale the images have 1
channel, otherwise all have 3 (RGB).
"""

import functools
import os
import re
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from jaxcnn.data.files import Listing, Picture, cut, some
from jaxcnn.data.split import refuse, uses

LAYOUT = (
    "Expected ROOT/<class>/<picture>, or ROOT/train/<class>/<picture> and ROOT/test/<class>/<picture> (or val, valid, "
    "validation; or both)."
)
TRAIN, VALID, TEST = ("train", "training"), ("val", "valid", "validation"), ("test", "testing")

# What Pillow recognises, but only with another program's help, or not at all, makes pixels of.
_NO_PIXELS = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}
_READ_AS_JPEG = {"MPO"}  # several JPEGs in one file: Pillow opens it as a JPEG

Classes = dict[str, list[Path]]  # the folders of each class: more than one where their names differ only in Unicode


def find(root: Path, *, split: str | None = None, seed: int = 0) -> Listing:
    """The pictures under `root`.

    Raises ValueError for a folder without classes, an empty class, a test or validation class that is not trained on,
    and a split for what comes in parts, or that leaves a part empty; all named.
    """
    folders = [p for p in _visible(root) if p.is_dir()]
    found = {"train": _called(TRAIN, folders), "valid": _called(VALID, folders), "test": _called(TEST, folders)}
    if not found["train"] or not (found["valid"] or found["test"]):
        return _in_one_piece(root, split, seed)
    for same in found.values():
        if len(same) > 1:
            raise ValueError(
                f"load: {some([p.name for p in same])} in {root} differ only in capital letters; keep one of them, or "
                "rename the others."
            )
    if not found["test"]:
        found = {"train": found["train"], "test": found["valid"]}
    parts = {part: same[0] for part, same in found.items() if same}
    refuse(split, str(root), [f"{folder.name}/" for folder in parts.values()])

    classes, left_out = _classes(parts["train"])
    order = tuple(classes)
    files = {}
    for part, folder in parts.items():
        of_part, more = (classes, []) if part == "train" else _classes(folder, least=1)
        for name in of_part:
            if name not in classes:
                raise ValueError(
                    f"load: class {name!r} is in {folder} but not in {parts['train']}, whose classes are {some(order)}."
                )
        files[part], no_pictures = _of_classes(folder, of_part, order)
        left_out += [*more, *no_pictures]
    others = [p for p in folders if p not in parts.values()]
    left_out += [f"{p} (a folder beside {' and '.join(folder.name for folder in parts.values())})" for p in others]
    layout = uses({part: f"{folder.name}/" for part, folder in parts.items()}) + _nesting(parts, files)
    return Listing(root.resolve().name, order, files, layout, left_out)


def _in_one_piece(root: Path, split: str | None, seed: int) -> Listing:
    """The pictures of a folder without parts, cut into them."""
    classes, left_out = _classes(root)
    for name, folders in classes.items():
        inside = [p for folder in folders for p in _visible(folder)]
        if name.casefold() in TRAIN + VALID + TEST and any(map(Path.is_dir, inside)) and not any(map(_named, inside)):
            raise ValueError(
                f"load: {root / name} has folders in it as a part has, but of its kind there is only this one beside "
                f"{some([other for other in classes if other != name])}. {LAYOUT} Give {root / name} to cut it into "
                "parts."
            )
    inner = [{p.name for folder in folders for p in _visible(folder) if p.is_dir()} for folders in classes.values()]
    if len(inner[0]) > 1 and all(names == inner[0] for names in inner):
        warnings.warn(
            f"{some(list(classes))} in {root} are taken for classes, though each holds the same folders, "
            f"{some(sorted(inner[0]))}. If those are the classes, call what holds them train and test.",
            stacklevel=5,
        )
    order = tuple(classes)
    files, more = _of_classes(root, classes, order, least=2 if split is None else 1)
    layout = "a folder for each class" + _nesting({"": root}, {"": files})
    return cut(root.resolve().name, order, files, layout, split, seed, left_out + more)


def _nesting(parts: dict[str, Path], files: dict[str, list[Picture]]) -> str:
    """The words for pictures that lie deeper than in the folder of their class."""
    deep = sum(len(file.path.relative_to(parts[part]).parts) > 2 for part in parts for file in files[part])
    return f" ({deep} pictures in subfolders of their class)" if deep else ""


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
        hint = _hint(root) if least > 1 else f" What has no classes can't be tested on: take {root} away from there."
        raise ValueError(f"load: {root} has {seen}; a dataset has a subfolder for each of its classes. {LAYOUT}{hint}")
    return dict(sorted(classes.items())), left_out


def _hint(root: Path) -> str:
    """What may have been meant by a folder without classes."""
    inside = _visible(root)
    meant = [p for p in inside if p.is_dir() and sum(map(Path.is_dir, _visible(p))) > 1]
    meant += [p for p in inside if p.suffix.lower() in (".csv", ".tsv", ".jsonl", ".ndjson")]
    return f" Did you mean {meant[0]}?" if meant else ""


def _of_classes(
    root: Path, classes: Classes, names: tuple[str, ...], least: int = 1
) -> tuple[list[Picture], list[str]]:
    """The pictures of the classes, each with the place of its class in `names`, and what is no picture."""
    files, left_out = [], []
    for name, folders in classes.items():
        inside = [p for folder in folders for p in _within(folder)]
        found = [p for p in inside if _named(p) and (p.is_file() or _is_broken_link(p))]
        if len(found) < least:
            expected = "1 or more" if least == 1 else f"{least} or more, as one is kept for testing"
            raise ValueError(
                f"load: class {name!r} has {len(found)} pictures in {root / name}; expected {expected}. "
                f"It holds {len(inside) - len(found)} other files or folders; pictures are files with an ending that "
                f"Pillow reads, such as .jpg, .png or .webp. {LAYOUT}"
            )
        label = names.index(name)
        files += [Picture(p, label) for p in found]
        taken = set(found)
        left_out += [f"{p}{_reason(p)}" for p in inside if p not in taken]
    return files, left_out


def pictures_within(
    folder: Path,
    onerror: Callable[[Path, OSError], None],
    passed_over: Callable[[Path], None],
    above: frozenset[Path] = frozenset(),
) -> Iterator[Path]:
    """The pictures in a folder and in those inside it, by their names' endings; 2.jpg comes before 10.jpg.

    Files of other endings are told to `passed_over`, and a folder that can't be listed to `onerror`; what has a name
    with a dot in front is ignored.
    """
    real = folder.resolve()
    above |= {real, *real.parents}
    try:
        inside = sorted(_visible(folder), key=_natural)
    except OSError as error:
        return onerror(folder, error)
    for path in inside:
        if os.path.isdir(path):
            if path.resolve() not in above:
                yield from pictures_within(path, onerror, passed_over, above)
        elif _named(path):
            yield path
        else:
            passed_over(path)


def _natural(path: Path) -> tuple[list[str | int], str]:
    """Numbers in a name count as numbers."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], path.name


def _within(folder: Path, above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """The files in a folder and those inside it; of folders only the empty, and links to one that they lie in."""
    real = folder.resolve()
    above |= {real, *real.parents}
    for path in _visible(folder):
        inside = list(_within(path, above)) if path.is_dir() and path.resolve() not in above else []
        yield from inside or [path]


def _reason(path: Path) -> str:
    """Why that is no picture, if its name does not tell."""
    if path.is_dir():
        return " (a link to a folder that it lies in)" if _visible(path) else " (an empty folder)"
    return " (a broken link)" if _is_broken_link(path) else ""


def _named(path: Path) -> bool:
    """Whether it has the name of a picture."""
    return path.suffix.lower() in _endings()


def _visible(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if not p.name.startswith(".") and p.name != "__MACOSX")


def _is_broken_link(path: Path) -> bool:
    return path.is_symlink() and not path.exists()


@functools.cache
def _endings() -> frozenset[str]:
    from PIL import Image

    known = Image.registered_extensions().items()
    kinds = (set(Image.OPEN) | _READ_AS_JPEG) - _NO_PIXELS
    return frozenset(ending for ending, kind in known if kind in kinds)
