"""What a network looks at in the pictures that `jaxcnn predict` names: a folder with a heat map over each."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from jaxcnn.cli.console import Console

if TYPE_CHECKING:
    from jaxcnn.train.model import Model
    from jaxcnn.train.predict import Predicted

LONGEST = 100  # characters of a picture's name in that of its overlay


class Overlays:
    """Writes FOLDER/0001-NAME.png and so on, and of several pictures FOLDER/grid.png with the first of them."""

    BATCH = 8  # pictures at once: a gradient takes more memory than a prediction

    def __init__(self, folder: Path, model: "Model", method: str, layer: str | None, title: str) -> None:
        """Raises OSError where the folder can't be made."""
        folder.mkdir(parents=True, exist_ok=True)
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
            explained.write_overlay(self._folder / f"{self._number:04}-{Path(file).stem[:LONGEST]}.png", pixels, heat)
            if len(self._first) < grid.ROWS * grid.COLUMNS // 2:
                self._first.append((pixels, heat, f"{grid.short(self._model.classes[best])} ({p[best]:.0%})"))

    def finish(self) -> None:
        """Write the grid, and say on stderr where all is."""
        from jaxcnn.report import explained

        if len(self._first) > 1:
            pixels, heats, words = zip(*self._first, strict=True)
            explained.write_grid(self._folder / "grid.png", np.stack(pixels), np.stack(heats), words, title=self._title)
        if self._first:
            Console(soft_wrap=True, stderr=True).print(f"{self._number:,} overlays in {self._folder}")
