"""One door to all datasets: the name says where the images come from."""

import difflib
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import get_args

from jaxcnn.data import catalog, digits, files, folder, table
from jaxcnn.data.channels import of_channels
from jaxcnn.data.dataset import Dataset
from jaxcnn.data.pictures import Fit, Resample
from jaxcnn.data.room import Streaming, streams
from jaxcnn.data.split import parsed

KINDS = (
    'A dataset is "digits", a folder of pictures in class subfolders, a table of pictures (.csv, .tsv, .jsonl or '
    '.ndjson), or a TFDS name such as "cifar10".'
)


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    crop: float = 1.0,
    resample: Resample = "bilinear",
    channels: int | None = None,
    skip_bad: bool = False,
    split: str | None = None,
    seed: int = 0,
    stream: Streaming = "never",
    workers: int = 0,
) -> Dataset:
    """Read a dataset into memory, or make it one that is streamed.

    Args:
      name: looked up in this order. "digits" is scikit-learn's handwritten digits (`jaxcnn.data.digits`). The
        path of a folder is read as pictures in class subfolders (`jaxcnn.data.folder`), and that of a CSV or JSON-lines
        file as a table of pictures (`jaxcnn.data.table`). Anything else is a TensorFlow Datasets name, "cifar10",
        "imagenet_resized/32x32" or "cifar10:3.0.2" (`jaxcnn.data.catalog`).
      data_dir: where TFDS keeps its prepared files, by default $TFDS_DATA_DIR, else ~/tensorflow_datasets.
        Digits, folders and tables do not use it.
      image_size: make every image this many pixels high and wide. By default digits are enlarged from 8 to 16,
        and all others keep their size, which must then be the same for all images.
      crop: of the shorter side of each image, the share that is kept in resizing it: 0.875 for what most networks
        were trained on for ImageNet, "resize to 256, crop to 224".
      resample: "bilinear" or "bicubic", how they are resized.
      channels: 3 makes three equal channels of grey images, 1 makes grey (luma) of coloured ones. By default they have
        the dataset's own.
      skip_bad: leave out the pictures of a folder or table that can't be read, with a warning that names them, instead
        of refusing the dataset.
      split: how to cut a dataset that comes in one piece: "0.8/0.1/0.1" for training, validation and testing,
        "0.8/0.2" for training and testing; of each class, to within one image. By default every fifth image of each
        class is for testing.
      seed: draws the images of each part, if there is a split.
      stream: "never" reads all images into memory. "always" leaves them where they are, to be decoded each time that
        they are needed (`jaxcnn.data.lazy`); labels are read. "auto" does so where they would take more than a quarter
        of the memory (`jaxcnn.data.room`).
      workers: of a streamed dataset, the processes that decode its training images, or 0 for threads of this one. A
        script that trains with them does so under `if __name__ == "__main__":`, since each process imports it.

    Raises:
      ValueError: for a name that is none of these (with the nearest that is), for images that can't be read,
        differ in size or lack a class, for a TFDS dataset without an image and a label, and for a split of a dataset
        that has parts of its own.
      OSError: where TFDS files are not prepared and can't be prepared here (FileNotFoundError without
        TensorFlow), with what to do.
    """
    if channels not in (None, 1, 3):
        raise ValueError(
            f"load: channels is {channels!r}; expected 1 for grey, 3 for colour, or None for the dataset's."
        )
    found = find(
        name,
        data_dir=data_dir,
        image_size=image_size,
        crop=crop,
        resample=resample,
        split=split,
        seed=seed,
        stream=stream,
        workers=workers,
    )
    if not isinstance(found, Dataset):
        fit = _fit(image_size, crop, resample)
        found = files.read(found, fit=fit, skip_bad=skip_bad, stream=stream, workers=workers)
    return found if channels is None else of_channels(found, channels)


def find(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    crop: float = 1.0,
    resample: Resample = "bilinear",
    split: str | None = None,
    seed: int = 0,
    stream: Streaming = "never",
    workers: int = 0,
) -> Dataset | files.Listing:
    """A dataset, or the files that it consists of, not yet read. Arguments and errors are those of `load`."""
    fit = _fit(image_size, crop, resample)
    if isinstance(seed, bool) or seed < 0:
        raise ValueError(f"load: seed is {seed!r}; expected a whole number, 0 or more.")
    if stream not in get_args(Streaming):
        raise ValueError(f"load: stream is {stream!r}; expected one of {', '.join(get_args(Streaming))}.")
    if isinstance(workers, bool) or workers < 0:
        raise ValueError(f"load: workers is {workers!r}; expected a number of processes, 0 or more.")
    if split is not None:
        parsed(split)
    name = os.fspath(name)
    if name == "digits":
        made = digits.load(fit or digits.SIZED, split=split, seed=seed)
        size = sum(len(images) for images, _ in made.parts.values()) * math.prod(made.image_shape)
        streamed, how = streams(stream, size)
        return replace(made, layout=made.layout + how, workers=workers if streamed else None)
    path = Path(name).expanduser()
    if name and path.is_dir():
        return folder.find(path, split=split, seed=seed)
    if path.is_file() and path.suffix.lower() in table.CSV + table.JSON_LINES:
        return table.find(path, split=split, seed=seed)
    known = catalog.names(data_dir)
    if catalog.base_name(name) in known:
        return catalog.load(name, data_dir=data_dir, fit=fit, split=split, seed=seed, stream=stream, workers=workers)
    raise ValueError(_unknown(name, path, ["digits", *known]))


def _fit(image_size: int | None, crop: float, resample: Resample) -> Fit | None:
    if image_size is not None and (isinstance(image_size, bool) or image_size < 1):
        raise ValueError(f"load: image_size is {image_size!r}; expected a number of pixels, 1 or more.")
    if not 0 < crop <= 1:
        raise ValueError(f"load: crop is {crop!r}; expected a share of the shorter side, above 0 and at most 1.")
    if resample not in get_args(Resample):
        raise ValueError(f"load: resample is {resample!r}; expected one of {', '.join(get_args(Resample))}.")
    if image_size is None and crop != 1:
        raise ValueError(f"load: crop is {crop}, of images that keep their size; give one, with image_size=N.")
    return None if image_size is None else Fit(image_size, crop, resample)


def _unknown(name: str, path: Path, known: list[str]) -> str:
    if path.is_file():
        return f"load: {name!r} is a file, not a folder, and no table by its ending. {KINDS}"
    if name.startswith((".", "~")) or "/" in name or "\\" in name:
        return f"load: there is no folder or table {name!r} (looked for {path.absolute()}). {KINDS}"
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"load: no dataset or folder is called {name!r}.{hint} {KINDS}"
