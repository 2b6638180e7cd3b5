"""What `jaxcnn train` is told: the one source of the command line's options and of config.json."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxcnn.train.recipe.data import DataRecipe, ModelRecipe
from jaxcnn.train.recipe.devices import DevicesRecipe
from jaxcnn.train.recipe.optimization import BACKBONE, OPTIMIZERS, OptimizationRecipe
from jaxcnn.train.recipe.run import RunRecipe
from jaxcnn.train.recipe.watch import WatchRecipe

FOLLOWING = ("data", "model", "optimizer", "loss", "init_from", "freeze")  # options that others' defaults follow


@dataclass(frozen=True)
class TrainConfig(RunRecipe, WatchRecipe, DevicesRecipe, OptimizationRecipe, ModelRecipe, DataRecipe):
    """Train an image classifier and keep everything about it in a run folder."""

    # Making one raises ValueError for a value that makes no sense, naming the option.

    def __post_init__(self) -> None:
        if self.init_from is not None:
            self._fine_tuned()
        super().__post_init__()
        if self.init_from is None:
            self.fill_in(crop=1.0, resample="bilinear")
        self.fill_in(out=Path("runs") / f"{_short(self.data)}-{_short(self.title.replace('.py:', '-'))}")

    def _fine_tuned(self) -> None:
        """What suits weights that are good already, where the user says nothing else.

        A head alone is trained as anything else, on features that don't change.
        """
        self.fill_in(batch_size=32)
        if BACKBONE in self.frozen:
            self.fill_in(epochs=20, augment="none")
        elif self.optimizer in OPTIMIZERS:
            rate = OPTIMIZERS[self.optimizer][0] / 5
            self.fill_in(epochs=10, learning_rate=rate, layer_decay=0.97, augment="random_resized_crop((0.35,1)),flip")

    def command(self) -> str:
        """The shell command that gives this configuration, without --overwrite and --resume."""
        words = ["jaxcnn", "train", "--data", self.data, "--model", self.model]
        for name, value in self.given().items():
            if name in ("data", "model", "overwrite", "resume"):
                continue
            option = "--" + name.replace("_", "-")
            words += [option] if value is True else [option, str(value)]
        return shlex.join(words)

    def given(self) -> dict[str, Any]:
        """The options whose values are not their defaults."""
        return {name: getattr(self, name) for name, value in self.defaults().items() if getattr(self, name) != value}

    def defaults(self) -> dict[str, Any]:
        """The value that each option has where it is not given; of many that follows what is given for others."""
        base = TrainConfig(**{name: getattr(self, name) for name in FOLLOWING})
        return {f.name: f.default if f.name in FOLLOWING else getattr(base, f.name) for f in dataclasses.fields(self)}


def _short(data: str) -> str:
    """The dataset's name as part of a folder's: the last part of a path, all of a TFDS name."""
    return Path(data).resolve().name if Path(data).is_dir() else data.replace("/", "-").replace(":", "-")
