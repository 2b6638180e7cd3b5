"""A labelled set of images in memory, checked once when it is made."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images and labels for training and testing, held in memory as 8-bit pixels.

    Attributes:
      name: what the dataset is called.
      train_images: (n, h, w, c) uint8, 0 is black and 255 is white. An image takes h · w · c bytes of memory.
      train_labels: (n,) int32, each the index of a class.
      test_images: (m, h, w, c) uint8, of the same h, w and c.
      test_labels: (m,) int32.
      classes: the name of each class, in the order of their labels.

    Raises: ValueError where the parts do not fit together, with what was seen.
    """

    name: str
    train_images: np.ndarray = field(repr=False)
    train_labels: np.ndarray = field(repr=False)
    test_images: np.ndarray = field(repr=False)
    test_labels: np.ndarray = field(repr=False)
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(set(self.classes)) < len(self.classes):
            raise self._wrong("classes", f"is {self.classes}", "two or more different names")
        for part in ("train", "test"):
            self._check_part(f"{part}_images", f"{part}_labels")
        if self.test_images.shape[1:] != self.train_images.shape[1:]:
            raise self._wrong(
                "test_images",
                f"has images of shape {self.test_images.shape[1:]}",
                f"{self.train_images.shape[1:]}, as in train_images",
            )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(h, w, c) of every image."""
        height, width, channels = self.train_images.shape[1:]
        return height, width, channels

    def _check_part(self, images_name: str, labels_name: str) -> None:
        images, labels = getattr(self, images_name), getattr(self, labels_name)
        seen = f"has shape {images.shape} and dtype {images.dtype}"
        if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape:
            raise self._wrong(images_name, seen, "a non-empty (n, h, w, c) array of uint8, 0 to 255")
        if labels.shape != images.shape[:1] or labels.dtype != np.int32:
            seen = f"has shape {labels.shape} and dtype {labels.dtype}"
            raise self._wrong(labels_name, seen, f"one int32 for each image, shape {images.shape[:1]}")
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.classes):
            expected = f"0 to {len(self.classes) - 1}, indices into the {len(self.classes)} classes"
            raise self._wrong(labels_name, f"has values from {low} to {high}", expected)

    def _wrong(self, argument: str, seen: str, expected: str) -> ValueError:
        return ValueError(f"Dataset {self.name!r}: {argument} {seen}; expected {expected}.")
