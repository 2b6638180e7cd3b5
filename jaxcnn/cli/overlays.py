"""What a network looks at in the pictures that `jaxcnn predict` names: a folder with a heat map over each."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxcnn.cli.console import Console
from jaxcnn.cli.streams import in_one_line

if TYPE_CHECKING:
    from jaxcnn.train.model import Model
    from jaxcnn.train.predict import Predicted

GRID = "grid.png"
_OVERLAY = re.compile(r"\d{4,}-.*\.png", re.DOTALL)
LONGEST = 100  # characters of a picture's name in that of its overlay


class Overlays:
    """Writes FOLDER/0001-NAME.png and so on, and of several pictures FOLDER/grid.png with the first of them."""

    BATCH = 8  # pictures at once: a gradient takes more memory than a prediction

    def __init__(self, folder: Path, model: "Model", method: str, layer: str | None, title: str) -> None:
        """Removes what an earlier command wrote into the folder.

        Raises: ValueError where the network has no such map, or the folder holds what is like an overlay and none of
          ours; OSError where it can't be made.
        """
        from jaxcnn.report import explained

        explained.check(model, method, layer=layer)
        _prepare(folder)
        self._folder, self._model, self._method, self._layer, self._title = folder, model, method, layer, title
        self._number = 0
        self._first: list[tuple[np.ndarray, np.ndarray, str]] = []  # pixels, heat and words of the grid

    def add(self, batch: "Predicted") -> None:
        """Write what speaks for the class that each picture is most probably of. Raises as `explained.heat_maps`."""
        from jaxcnn.report import explained, grid

        said = batch.probabilities.argmax(-1)
        filled = np.resize(said, len(batch.images))
        heats = explained.heat_maps(self._model, batch.images, self._method, classes=filled.tolist(), layer=self._layer)
        for file, pixels, heat, p, best in zip(
            batch.files, batch.images, heats, batch.probabilities, said, strict=False
        ):
            self._number += 1
            path = self._folder / f"{self._number:04}-{Path(file).stem[:LONGEST]}.png"
            with _writing(path):
                explained.write_overlay(path, pixels, heat)
            if len(self._first) < grid.ROWS * grid.COLUMNS // 2:
                self._first.append((pixels, heat, f"{grid.short(self._model.classes[best])} ({p[best]:.0%})"))

    def finish(self) -> None:
        """Write the grid, and say on stderr where all is."""
        from jaxcnn.report import explained

        if len(self._first) > 1:
            pixels, heats, words = zip(*self._first, strict=True)
            path = self._folder / GRID
            with _writing(path):
                explained.write_grid(path, np.stack(pixels), np.stack(heats), words, title=self._title)
        if self._first:
            some = len(self._first) < self._number
            more = f"; {GRID} shows the first {len(self._first)}" if some else ""
            Console(soft_wrap=True, stderr=True).print(f"{self._number:,} overlays in {self._folder}{more}")


def _prepare(folder: Path) -> None:
    """Make the folder, without the overlays and the grid of an earlier command."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--out is {folder}, which is there and no folder; give another one.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        named = sorted(path for path in folder.iterdir() if path.name == GRID or _OVERLAY.fullmatch(path.name))
        if other := next((path for path in named if not _is_ours(path)), None):
            raise ValueError(
                f"--out is {folder}, where {in_one_line(other.name)} is not of jaxcnn predict --explain; give another "
                "folder."
            )
        for path in named:
            path.unlink()
    except OSError as error:
        raise OSError(f"--out is {folder}, which can't be written ({error.strerror}); give another folder.") from error


def _is_ours(path: Path) -> bool:
    """Whether it is a PNG that says so; it is not looked at further."""
    from PIL import Image

    from jaxcnn.report.style import SOFTWARE

    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.info.get("Software") == SOFTWARE
    except (OSError, SyntaxError, ValueError):
        return False


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Raises OSError, naming the file, where it can't be written inside."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path} can't be written ({error.strerror or error}).") from error
