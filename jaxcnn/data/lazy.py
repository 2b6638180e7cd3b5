"""Images that are decoded when they are asked for: an array (n, h, w, c) to who indexes it, files to the memory."""

import io
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from jaxtyping import Int, UInt8
from numpy.typing import NDArray

from jaxcnn.data import pictures
from jaxcnn.data.failure import or_reason

Rows = NDArray[np.intp]


class Source(Protocol):
    """Undecoded pictures by their numbers; what is sent to a worker process, so it can be pickled."""

    def read(self, rows: Rows) -> Sequence[Path | IO[bytes]]:
        """What `pictures.decode` takes, of each."""
        ...

    def name(self, row: int) -> str:
        """What a message calls the picture."""
        ...


class Files(Source):
    """Picture files. Their paths are one string of bytes: a million `Path`s would be half a gigabyte."""

    def __init__(self, paths: Iterable[str | Path]) -> None:
        names = [os.fsencode(path) for path in paths]
        self._ends = np.cumsum([0, *map(len, names)])
        self._names = b"".join(names)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, row: int) -> Path:
        return Path(self.name(row))

    def read(self, rows: Rows) -> list[Path]:
        return [self[row] for row in rows]

    def name(self, row: int) -> str:
        return os.fsdecode(self._names[self._ends[row] : self._ends[row + 1]])


class Records(Source):
    """The records of a TFDS split `title`, which hold picture files under the key `image`."""

    def __init__(self, title: str, records: Any, image: str) -> None:
        self._title, self._records, self._image = title, records, image

    def read(self, rows: Rows) -> list[IO[bytes]]:
        return [io.BytesIO(record[self._image]) for record in self._records.__getitems__(rows.tolist())]

    def name(self, row: int) -> str:
        return f"{self._title}[{row}]"


class Pictures:
    """Pictures of a source as an array of which only the rows that are asked for are decoded, anew each time.

    `pictures[rows]` is a NumPy array for a number, a slice or an array of numbers; `np.asarray(pictures)` is all.
    It raises ValueError, naming the picture, for one that can't be read or has another size.

    Attributes: `shape` (n, h, w, c), of which c = 3 makes three equal channels of gray; `dtype`, uint8.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self, source: Source, rows: Rows, image_shape: tuple[int, int, int], fit: pictures.Fit | None = None
    ) -> None:
        """`rows` are the source's that there are; `fit` is that of `pictures.decode`."""
        pictures.be_silent()
        self._source, self._rows, self._fit = source, rows, fit
        self.shape = (len(rows), *image_shape)

    def __len__(self) -> int:
        return len(self._rows)

    def part(self, rows: slice | Rows) -> "Pictures":
        """Some of the pictures, not decoded yet."""
        _, *image_shape = self.shape
        height, width, channels = image_shape
        return Pictures(self._source, self._rows[rows], (height, width, channels), self._fit)

    def __getitem__(self, rows: int | slice | Int[np.ndarray, " n"]) -> UInt8[np.ndarray, "..."]:
        chosen = self._rows[rows]
        decoded = self._decoded(np.atleast_1d(chosen))
        return decoded if np.ndim(chosen) else decoded[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(dtype or np.uint8, copy=False)

    def _decoded(self, rows: Rows) -> UInt8[np.ndarray, "n h w c"]:
        images = np.empty((len(rows), *self.shape[1:]), np.uint8)
        for image, row, file in zip(images, rows, self._source.read(rows), strict=True):
            pixels = or_reason(pictures.decode, file, self._fit)
            if isinstance(pixels, str):
                raise ValueError(
                    f"the picture {self._source.name(row)} can't be read: {pixels}. Repair or remove it, or leave "
                    "it out with skip_bad=True."
                )
            pictures.check_size(self._source.name(row), pixels.shape[:2], "the first", self.shape[1:3])
            image[:] = pixels
        return images
