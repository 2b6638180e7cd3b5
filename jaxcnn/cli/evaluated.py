"""What `jaxcnn eval` and `jaxcnn check` share: a trained network, and images to try it on."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from jaxcnn.train.recipe.option import unset

if TYPE_CHECKING:
    from jaxcnn.data import Dataset
    from jaxcnn.train.model import Model


@dataclass(frozen=True)
class Evaluated:
    """A trained network and a dataset, of which the test images are taken."""

    run: tyro.conf.Positional[Path]
    """The run folder; or a model folder of one, such as RUN/model/last, or a copy of it."""
    checkpoint: Literal["last", "best"] = "last"
    """last: after the last epoch or Ctrl-C; best: of the best epoch, by the highest accuracy or --best-by."""
    data: Annotated[str | None, unset("NAME", "the run's own")] = None
    """Another dataset with the same classes: digits, a TFDS name or a folder of images, as for jaxcnn train."""
    data_dir: Annotated[Path | None, unset("PATH", "the run's, TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    image_size: Annotated[int | None, unset("PIXELS", "what the network was trained on")] = None
    """Resize images to this many pixels a side."""
    skip_bad: bool = False
    """Leave unreadable pictures of an image folder out instead of stopping."""

    def model(self) -> "Model":
        """Raises as `load_model`."""
        from jaxcnn.train.model_folder import load_model

        return load_model(self.run, self.checkpoint)

    def dataset(self, model: "Model") -> "Dataset":
        """Raises ValueError or OSError where it can't be read, or its images are of another size than was asked for."""
        dataset = self._own() if self.data is None else self._other(model)
        (height, width, _), seen = model.image_shape, dataset.image_shape
        if self.image_size is None and seen[:2] != (height, width):
            raise ValueError(
                f"the network was trained on images of {height}×{width} pixels, and those of {dataset.name} have "
                f"{seen[0]}×{seen[1]}. Resize them with --image-size {height}, or take other data, with --data."
            )
        return dataset

    def _other(self, model: "Model") -> "Dataset":
        from jaxcnn import data

        assert self.data is not None
        height, width, _ = model.image_shape
        size = self.image_size or (height if height == width else None)
        return data.load(
            self.data,
            data_dir=self.data_dir,
            image_size=size,
            crop=model.card.crop if size else 1.0,
            resample=model.card.resample,
            skip_bad=self.skip_bad,
            stream="auto",
        )

    def _own(self) -> "Dataset":
        from jaxcnn.train.run_folder import open_run

        try:
            if not (self.run / "config.json").exists():
                raise ValueError(f"{self.run} is a model without its run, which would say what data it was trained on.")
            recipe = open_run(self.run).config
            return replace(
                recipe,
                data_dir=self.data_dir or recipe.data_dir,
                image_size=self.image_size or recipe.image_size,
                skip_bad=self.skip_bad or recipe.skip_bad,
            ).load()
        except (ValueError, OSError) as error:
            kind = OSError if isinstance(error, OSError) else ValueError
            raise kind(f"{error} Or take other data, with --data.") from error
