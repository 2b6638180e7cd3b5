"""A labelled set of images, checked once when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np


class Images(Protocol):
    """What is read as an array (n, h, w, c) of uint8: NumPy's, or one that decodes the rows that it is asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype[Any]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> Any: ...


Part = tuple[Images, np.ndarray]  # images and labels


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels for training, testing and perhaps validation, 8-bit pixels.

    Attributes:
      name: what the dataset is called.
      train_images: (n, h, w, c) uint8, 0 is black and 255 is white: a NumPy array, or anything that is indexed like
        one by slices and arrays of numbers, and decodes or reads what it is asked for (`jaxcnn.data.lazy.Pictures`).
      train_labels: (n,) int32, each the index of a class.
      test_images: (m, h, w, c) uint8, of the same h, w and c.
      test_labels: (m,) int32.
      classes: the name of each class, in the order of their labels.
      valid_images: (k, h, w, c) uint8, to choose a network or an epoch by, so that the test images are left for the
        last figure; None in a dataset of two parts.
      valid_labels: (k,) int32, or None.
      layout: where the parts come from, in words: "train/ to train on, val/ to test on".
      workers: None where training keeps all images in the memory of the device. Otherwise they are streamed: read
        batch by batch ahead of the steps, by that many processes, or for 0 by threads of this one.

    Raises: ValueError where the parts do not fit together, with what was seen.
    """

    name: str
    train_images: Images = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test_images: Images = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    classes: tuple[str, ...]
    valid_images: Images | None = field(default=None, repr=False)
    valid_labels: np.ndarray | None = field(default=None, repr=False)
    layout: str = field(default="", repr=False)
    workers: int | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        name: str,
        parts: Mapping[str, Part],
        classes: tuple[str, ...],
        layout: str,
        workers: int | None = None,
    ) -> "Dataset":
        """The dataset whose `parts` are these: "train", "test" and perhaps "valid"."""
        valid_images, valid_labels = parts.get("valid", (None, None))
        return cls(name, *parts["train"], *parts["test"], classes, valid_images, valid_labels, layout, workers)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise self._wrong("classes", f"is {self.classes}", "two or more different names")
        if (self.valid_images is None) != (self.valid_labels is None):
            given, missing = ("labels", "images") if self.valid_images is None else ("images", "labels")
            raise self._wrong(f"valid_{missing}", "is None", f"an array, as valid_{given} is one")
        for part, (images, labels) in self.parts.items():
            self._check_part(part, images, labels)
        if self.workers is not None and self.workers < 0:
            raise self._wrong("workers", f"is {self.workers}", "0 or more processes, or None for images in memory")
        if self.workers is None and not isinstance(self.train_images, np.ndarray):
            kind = type(self.train_images).__name__
            raise self._wrong("workers", f"is None, and train_images is a {kind}", "a number, so that it is streamed")

    @property
    def parts(self) -> dict[str, Part]:
        """The images and labels of "train", of "valid" if there is one, and of "test"."""
        parts = {"train": (self.train_images, self.train_labels)}
        if self.valid_images is not None and self.valid_labels is not None:
            parts["valid"] = self.valid_images, self.valid_labels
        return parts | {"test": (self.test_images, self.test_labels)}

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(h, w, c) of every image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    def _check_part(self, part: str, images: Images, labels: np.ndarray) -> None:
        seen = f"has shape {images.shape} and dtype {images.dtype}"
        if len(images.shape) != 4 or images.dtype != np.uint8 or 0 in images.shape:
            raise self._wrong(f"{part}_images", seen, "a non-empty (n, h, w, c) array of uint8, 0 to 255")
        if labels.shape != images.shape[:1] or labels.dtype != np.int32:
            seen = f"has shape {labels.shape} and dtype {labels.dtype}"
            raise self._wrong(f"{part}_labels", seen, f"one int32 for each image, shape {images.shape[:1]}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.classes):
            expected = f"0 to {len(self.classes) - 1}, indices into the {len(self.classes)} classes"
            raise self._wrong(f"{part}_labels", f"has values from {low} to {high}", expected)
        if images.shape[1:] != self.image_shape:
            seen = f"has images of shape {images.shape[1:]}"
            raise self._wrong(f"{part}_images", seen, f"{self.image_shape}, as in train_images")

    def _wrong(self, argument: str, seen: str, expected: str) -> ValueError:
        return ValueError(f"Dataset {self.name!r}: {argument} {seen}; expected {expected}.")
