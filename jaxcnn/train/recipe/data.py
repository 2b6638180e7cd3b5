"""What a run is trained on, and what it trains."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from jaxcnn.train.recipe.option import Recipe, unset

if TYPE_CHECKING:
    from jaxcnn.data import Dataset


@dataclass(frozen=True)
class DataRecipe(Recipe):
    """Where images come from.

    A folder of images and data_dir become absolute paths: runs are taken up elsewhere.
    """

    data: str = "digits"
    """digits, a TFDS name such as fashion_mnist or cifar10, a folder with one subfolder of images per class, or a table
    of pictures (.csv or .jsonl)."""
    data_dir: Annotated[Path | None, unset("PATH", "TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    image_size: Annotated[int | None, unset("PIXELS", "that of --init-from, else the dataset's own")] = None
    """Resize images to this many pixels a side."""
    crop: Annotated[float | None, unset("FLOAT", "that of --init-from, else 1")] = None
    """The share of an image's shorter side that is kept in resizing: 0.875 is "resize to 256, crop to 224"."""
    resample: Annotated[
        Literal["bilinear", "bicubic"] | None, unset("{bilinear,bicubic}", "that of --init-from, else bilinear")
    ] = None
    """How images are resized."""
    channels: Annotated[int | None, unset("{1,3}", "that of --init-from, else the dataset's own")] = None
    """3 makes three equal channels of grey images, 1 makes grey of coloured ones."""
    split: Annotated[str | None, unset("SHARES", "as the dataset is cut, else every fifth image to test")] = None
    """Shares of the images to train, validate and test on, such as 0.8/0.1/0.1, or to train and test on."""
    split_seed: int = 0
    """Decides which images these are."""
    skip_bad: bool = False
    """Leave unreadable pictures of an image folder out instead of stopping."""
    stream: Literal["auto", "always", "never"] = "auto"
    """Decode images for each batch, ahead of the steps, instead of keeping all in memory; auto: where they would take
    more than a quarter of it."""
    workers: int = 0
    """Processes that decode streamed images; 0 for threads of one process."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path = Path(self.data).expanduser()
        if self.data not in ("", "digits") and path.exists():
            self.put("data", str(path.absolute()))
        if self.data_dir is not None:
            self.put("data_dir", self.data_dir.expanduser().absolute())
        self.need("workers", self.workers >= 0, "expected 0 or more processes")
        if self.workers and self.stream == "never":
            raise self.wrong("workers", "they decode streamed images, and stream is never; leave one of them out")
        self.need("image_size", self.image_size is None or self.image_size >= 1, "expected 1 or more pixels a side")
        right = self.crop is None or 0 < self.crop <= 1
        self.need("crop", right, "expected a share of the shorter side, above 0 and at most 1")
        self.need("resample", self.resample in (None, "bilinear", "bicubic"), "expected one of bilinear, bicubic")
        self.need("channels", self.channels in (None, 1, 3), "expected 1 for grey or 3 for colour")

    def load(self) -> "Dataset":
        """The dataset. Raises as `jaxcnn.data.load`."""
        from jaxcnn import data

        return data.load(
            self.data,
            data_dir=self.data_dir,
            image_size=self.image_size,
            crop=1.0 if self.crop is None else self.crop,
            resample=self.resample or "bilinear",
            channels=self.channels,
            skip_bad=self.skip_bad,
            split=self.split,
            seed=self.split_seed,
            stream=self.stream,
            workers=self.workers,
        )


@dataclass(frozen=True)
class ModelRecipe(Recipe):
    """The network, and the weights that it begins with.

    A file becomes absolute, too.
    """

    model: str = "lenet5"
    """The network, by a name that jaxcnn models lists; or FILE.py:FUNCTION, a function of your own that returns a layer
    for the number of classes. The run folder keeps a copy of that file, and of none beside it."""
    init_from: Annotated[str | None, unset("FILE", "random weights")] = None
    """Begin with the weights of a file of torchvision, timm, Hugging Face or Keras, of OWNER/NAME[@REVISION] on Hugging
    Face's hub, or of a run or model folder of jaxcnn's. The head is new unless they come from a run with the same
    classes. Pixels are treated as they were for these weights, and other options have defaults to fine-tune, see
    there."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if ".py" in self.model:
            from jaxcnn.models import custom  # and JAX, which takes a while

            file, function = custom.split(self.model)
            self.put("model", f"{file.absolute()}:{function}")
        if self.init_from is not None and Path(self.init_from).expanduser().exists():
            self.put("init_from", str(Path(self.init_from).expanduser().absolute()))

    @property
    def title(self) -> str:
        """The network's name as it is shown: of a file without its folder."""
        return Path(self.model).name if ".py:" in self.model else self.model
