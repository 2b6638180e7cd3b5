"""What a run is trained on, and what it trains."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from jaxcnn.train.recipe.option import Recipe, unset


@dataclass(frozen=True)
class DataRecipe(Recipe):
    """Where images come from. A folder of images and data_dir become absolute paths: runs are taken up elsewhere."""

    data: str = "digits"
    """digits, a TFDS name such as fashion_mnist or cifar10, or a folder with one subfolder of images per class."""
    data_dir: Annotated[Path | None, unset("PATH", "TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    image_size: Annotated[int | None, unset("PIXELS", "the dataset's own size")] = None
    """Resize images to this many pixels a side."""
    skip_bad: bool = False
    """Leave unreadable pictures of an image folder out instead of stopping."""

    def __post_init__(self) -> None:
        super().__post_init__()
        folder = Path(self.data).expanduser()
        if self.data not in ("", "digits") and folder.is_dir():
            self.put("data", str(folder.absolute()))
        if self.data_dir is not None:
            self.put("data_dir", self.data_dir.expanduser().absolute())
        self.need("image_size", self.image_size is None or self.image_size >= 1, "expected 1 or more pixels a side")


@dataclass(frozen=True)
class ModelRecipe(Recipe):
    """The network."""

    model: str = "lenet5"
    """The network, by its name in jaxcnn.models."""
