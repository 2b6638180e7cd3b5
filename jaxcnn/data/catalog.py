"""Any dataset of TensorFlow Datasets (TFDS) that has an image and a label, read without TensorFlow.

Reading takes array_record files, which TFDS opens by itself. Making those files, once for each dataset, is what needs
TensorFlow (`pip install "jaxcnn[prepare]"`) and a download.
"""

import contextlib
import importlib.util
import io
import logging
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxcnn.data import pictures
from jaxcnn.data.dataset import Dataset, Part
from jaxcnn.data.lazy import Pictures, Records
from jaxcnn.data.room import Streaming, streams
from jaxcnn.data.split import in_parts, refuse, uses

DataDir = str | os.PathLike[str] | None
SPLITS = {"train": "train", "validation": "valid", "test": "test"}  # TFDS's word for each part
CHUNK = 256  # records that are held at once, while their labels are read


def load(
    name: str,
    *,
    data_dir: DataDir = None,
    fit: pictures.Fit | None = None,
    split: str | None = None,
    seed: int = 0,
    stream: Streaming = "never",
    workers: int = 0,
) -> Dataset:
    """Read the dataset that TFDS calls `name`, and prepare its files first where that is needed.

    Of TFDS's splits "train", "validation" and "test" each becomes a part. Without "test", "validation" is for testing;
    a lone "train" is cut into parts (`split.in_parts`). A split without examples or without labels (-1) is none.
    Grayscale images have 1 channel, all others 3.

    Raises: see `jaxcnn.data.load`.
    """
    with _quiet():
        builder = _builder(name, _data_dir(data_dir))
        image, label = _features(name, builder.info)
        if not builder.is_prepared():
            _prepare(name, builder)
        if "train" not in builder.info.splits:
            raise ValueError(f"load: TFDS's {name!r} has no training split, only {sorted(builder.info.splits)}.")
        classes = tuple(builder.info.features[label].names)
        sources = {word: _source(name, builder, word, image) for word in SPLITS if word in builder.info.splits}
        words = [word for word, source in sources.items() if len(source) and source[0][label] >= 0]
        if "train" not in words:
            raise ValueError(f"load: TFDS's {name!r} has no labelled examples in its training split.")
        if len(words) > 1:
            refuse(split, f"TFDS's {name!r}", words)
        gray = builder.info.features[image].shape[-1] == 1
        first = pictures.decode(io.BytesIO(sources["train"][0][image]), fit)
        shape = (*first.shape[:2], 1 if gray else 3)
        streamed, room = streams(stream, sum(len(sources[word]) for word in words) * math.prod(shape))
        read = _lazily if streamed else _into_memory
        parts = {word: read(f"{name} {word}", sources[word], image, label, shape, fit) for word in words}
    if len(words) > 1:
        parts_of = SPLITS if "test" in words else SPLITS | {"validation": "test"}
        parts = {parts_of[word]: part for word, part in parts.items()}
        how = f"TFDS's splits: {uses({parts_of[word]: word for word in words})}"
    else:
        images, labels = parts["train"]
        rows, cut = in_parts(labels, classes, split, seed)
        pick = images.part if isinstance(images, Pictures) else images.__getitem__
        parts = {part: (pick(chosen), labels[chosen]) for part, chosen in rows.items()}
        how = f"TFDS's split train; {cut}"
    return Dataset.of(name, parts, classes, how + room, workers if streamed else None)


def names(data_dir: DataDir = None) -> list[str]:
    """TFDS's own datasets, and those that lie prepared in `data_dir`."""
    import tensorflow_datasets as tfds

    folder = _data_dir(data_dir)
    # name/version/dataset_info.json, or with a configuration name/configuration/version/dataset_info.json
    infos = [*folder.glob("*/*/dataset_info.json"), *folder.glob("*/*/*/dataset_info.json")]
    prepared = [info.relative_to(folder).parts[0] for info in infos]
    return sorted({*tfds.list_builders(with_community_datasets=False), *prepared})


def base_name(name: str) -> str:
    """The dataset's name without configuration and version: "stl10" of "stl10/unlabelled:1.0.0"."""
    return name.split("/")[0].split(":")[0]


def _data_dir(data_dir: DataDir) -> Path:
    return Path(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _builder(name: str, folder: Path) -> Any:
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=folder)
    except ModuleNotFoundError:  # some builders need TensorFlow even to say what they hold
        if _has_tensorflow():
            raise
        raise _needs_tensorflow(name, folder) from None
    except (ValueError, AssertionError) as error:
        raise ValueError(f"load: TFDS has no configuration or version {name!r}: {error}") from error


def _features(name: str, info: Any) -> tuple[str, str]:
    """The keys of the dataset's image and of its label."""
    from tensorflow_datasets.core import features as kinds

    def keys(kind: type) -> list[str]:
        return [key for key, feature in dict(info.features).items() if isinstance(feature, kind)]

    images, labels = keys(kinds.Image), keys(kinds.ClassLabel)
    if info.supervised_keys and info.supervised_keys[0] in images and info.supervised_keys[1] in labels:
        return info.supervised_keys[0], info.supervised_keys[1]
    if len(images) != 1 or len(labels) != 1:
        seen = ", ".join(f"{key} ({type(kind).__name__})" for key, kind in sorted(dict(info.features).items()))
        raise ValueError(
            f"load: TFDS's {name!r} is no dataset of labelled images: its features are {seen}; "
            "expected one Image and one ClassLabel."
        )
    return images[0], labels[0]


def _source(name: str, builder: Any, split: str, image: str) -> Any:
    """The records of one split, their images not decoded."""
    import tensorflow_datasets as tfds

    try:
        return builder.as_data_source(split, decoders={image: tfds.decode.SkipDecoding()})
    except NotImplementedError:
        raise ValueError(
            f"load: {name!r} is prepared in {builder.data_dir} as {builder.info.file_format.value}, which can't be "
            "read without TensorFlow; prepare it as array_record in another folder (data_dir=)."
        ) from None


def _lazily(
    name: str, source: Any, image: str, label: str, shape: tuple[int, int, int], fit: pictures.Fit | None
) -> Part:
    """The images of one split, to be decoded later, and its labels. All records are read, of images their heads."""
    height, width, channels = shape
    rows, labels = np.arange(len(source)), np.empty(len(source), np.int32)
    found = np.empty(len(source), np.uint8)
    for begin in range(0, len(rows), CHUNK):
        chunk = rows[begin : begin + CHUNK]
        for i, record in zip(chunk, source.__getitems__(chunk.tolist()), strict=True):
            head = pictures.header(io.BytesIO(record[image]))
            if fit is None:
                pictures.check_size(f"{name}[{i}]", head[:2], f"{name}[0]", shape[:2])
            labels[i], found[i] = record[label], head.channels
    lazy = Pictures(Records(name, source, image), rows, (height, width, min(channels, int(found.max()))), fit)
    return lazy, labels


def _into_memory(
    name: str, source: Any, image: str, label: str, shape: tuple[int, int, int], fit: pictures.Fit | None
) -> Part:
    """The images and labels of one split."""
    stack = pictures.Stack((len(source), *shape), lambda i: f"{name}[{i}]")

    def read(chunk: range) -> list[int]:
        labels = []
        for i, record in zip(chunk, source.__getitems__(chunk), strict=True):
            stack.put(i, pictures.decode(io.BytesIO(record[image]), fit))
            labels.append(record[label])
        return labels

    with pictures.in_silence():
        labels = np.array(list(pictures.in_threads(read, len(source))), np.int32)
    return stack.take(range(len(source))), labels


def _prepare(name: str, builder: Any) -> None:
    """Let TFDS download the dataset and write its array_record files."""
    if not _has_tensorflow():
        raise _needs_tensorflow(name, builder.data_dir)
    try:
        builder.download_and_prepare(file_format="array_record")
    except Exception as error:  # whatever the builder's own code raises: no network, a changed page, ...
        raise OSError(f"load: TFDS could not prepare {name!r} in {builder.data_dir}: {error}") from error


def _has_tensorflow() -> bool:
    return importlib.util.find_spec("tensorflow") is not None


def _needs_tensorflow(name: str, folder: str | Path) -> FileNotFoundError:
    return FileNotFoundError(
        f"load: {name!r} is not prepared in {folder}, and TFDS needs TensorFlow to prepare its files: "
        'pip install "jaxcnn[prepare]" and load it again, or give the folder where prepared files are '
        "(data_dir= or TFDS_DATA_DIR)."
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the remarks of TFDS's log, errors excepted."""
    log = logging.getLogger("absl")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)
