"""What a training run is told: the one source of the command line's options and of config.json."""

import dataclasses
import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

# Peak learning rate and weight decay that suit each optimizer; they stand in where the user names none.
OPTIMIZERS: dict[str, tuple[float, float]] = {
    "sgd": (0.05, 5e-4),
    "momentum": (0.05, 5e-4),
    "nesterov": (0.05, 5e-4),
    "adam": (5e-3, 0.0),
    "adamw": (5e-3, 5e-2),
}


def _unset(metavar: str, default: str) -> Any:
    """How --help shows an option whose default is None."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


@dataclass(frozen=True)
class TrainConfig:
    """Train an image classifier and keep everything about it in a run folder."""

    # Making one raises ValueError for a value that makes no sense, naming the option. A folder of images and data_dir
    # become absolute paths: a run is taken up from other directories, too.

    data: str = "digits"
    """digits, a TFDS name such as fashion_mnist or cifar10, or a folder with one subfolder of images per class."""
    data_dir: Annotated[Path | None, _unset("PATH", "TFDS_DATA_DIR, or TFDS's own")] = None
    """Where TFDS datasets lie."""
    image_size: Annotated[int | None, _unset("PIXELS", "the dataset's own size")] = None
    """Resize images to this many pixels a side."""
    skip_bad: bool = False
    """Leave unreadable pictures of an image folder out instead of stopping."""
    model: str = "lenet5"
    """The network, by its name in jaxcnn.models."""
    epochs: int = 60
    """Passes over the training set."""
    batch_size: int | Literal["full"] = 64
    """Images per step: 1 is stochastic gradient descent, full is gradient descent on the whole training set."""
    optimizer: Literal["sgd", "momentum", "nesterov", "adam", "adamw"] = "adamw"
    """How gradients become updates."""
    learning_rate: Annotated[float | None, _unset("FLOAT", "0.005 for adam and adamw, else 0.05")] = None
    """The highest rate that the schedule reaches."""
    momentum: float = 0.9
    """Share of the old velocity that momentum and nesterov keep."""
    weight_decay: Annotated[float | None, _unset("FLOAT", "0.05 for adamw, 0 for adam, else 0.0005")] = None
    """Pull of the weights (not of biases, scales and offsets) towards 0: decoupled for adamw, added to the gradient
    (L2) for all others."""
    schedule: Literal["constant", "step", "cosine", "onecycle"] = "onecycle"
    """The rate over time: constant; step, ×0.1 after 1/2 and 3/4 of training; cosine, down to 0; onecycle, up for
    the first 30 % and down to 0."""
    warmup: float = 0.0
    """Epochs over which the rate rises linearly from 0 before the schedule begins (onecycle has its own rise)."""
    label_smoothing: Annotated[float | None, _unset("FLOAT", "0.1 for softmax, 0 for sigmoid")] = None
    """Probability mass taken from the true class and shared among all classes."""
    loss: Literal["softmax", "sigmoid"] = "softmax"
    """softmax: one distribution over the classes; sigmoid: one logistic head per class, one against all."""
    augment: Literal["none", "shift", "flip-shift"] = "shift"
    """Random change of each training image: shifted by up to 1/8 of its side; flip-shift also mirrors left-right."""
    seed: int = 0
    """Decides initial weights, shuffling, augmentation and dropout; the same seed gives the same parameters."""
    out: Annotated[Path | None, _unset("PATH", "runs/DATA-MODEL")] = None
    """The run folder."""
    overwrite: bool = False
    """Replace the run that the run folder holds."""
    resume: bool = False
    """Go on from the run folder's last checkpoint; --epochs may be raised, all else must be as it was. A schedule other
    than constant then stretches over all epochs: the rate is not the one that the run stopped at."""

    def __post_init__(self) -> None:
        folder = Path(self.data).expanduser()
        if self.data not in ("", "digits") and folder.is_dir():
            object.__setattr__(self, "data", str(folder.absolute()))  # the way to set a field of a frozen dataclass
        if self.data_dir is not None:
            object.__setattr__(self, "data_dir", self.data_dir.expanduser().absolute())
        learning_rate, weight_decay = OPTIMIZERS.get(self.optimizer, (0.0, 0.0))
        defaults = {
            "learning_rate": learning_rate,
            "weight_decay": weight_decay,
            "label_smoothing": 0.1 if self.loss == "softmax" else 0.0,
            "out": Path("runs") / f"{_short(self.data)}-{self.model}",
        }
        for name, value in defaults.items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, value)
        for field in dataclasses.fields(self):
            options = getattr(field.type, "__args__", ())
            if getattr(field.type, "__origin__", None) is Literal and getattr(self, field.name) not in options:
                raise _wrong(self, field.name, f"expected one of {', '.join(options)}")
        self._check_numbers()

    def _check_numbers(self) -> None:
        assert self.learning_rate is not None and self.weight_decay is not None  # __post_init__ fills them in
        assert self.label_smoothing is not None
        if self.epochs < 1:
            raise _wrong(self, "epochs", "expected 1 or more")
        if self.batch_size != "full" and (isinstance(self.batch_size, str) or self.batch_size < 1):
            raise _wrong(self, "batch_size", "expected 1 or more, or full for the whole training set")
        if self.image_size is not None and self.image_size < 1:
            raise _wrong(self, "image_size", "expected 1 or more pixels a side")
        if not 0 < self.learning_rate < math.inf:
            raise _wrong(self, "learning_rate", "expected a positive number, such as 0.005")
        if not 0 <= self.momentum < 1:
            raise _wrong(self, "momentum", "expected 0 or more and less than 1, such as 0.9")
        if not 0 <= self.weight_decay < math.inf:
            raise _wrong(self, "weight_decay", "expected 0 or more, such as 0.0005")
        if not 0 <= self.label_smoothing < 1:
            raise _wrong(self, "label_smoothing", "expected 0 or more and less than 1, such as 0.1")
        if self.label_smoothing and self.loss == "sigmoid":
            raise _wrong(self, "label_smoothing", "smoothing belongs to --loss softmax; with sigmoid leave it at 0")
        if not 0 <= self.warmup < self.epochs:
            raise _wrong(self, "warmup", f"expected 0 or more epochs and fewer than all {self.epochs}")
        if self.warmup and self.schedule == "onecycle":
            raise _wrong(self, "warmup", "onecycle brings its own rise; leave it at 0 or take --schedule cosine")
        if not 0 <= self.seed < 2**32:
            raise _wrong(self, "seed", "expected an int from 0 to 4294967295")
        if self.overwrite and self.resume:
            raise ValueError("overwrite=True and resume=True exclude each other; start again, or go on.")

    def command(self) -> str:
        """The shell command that gives this configuration, without --overwrite and --resume."""
        base = TrainConfig(data=self.data, model=self.model, optimizer=self.optimizer, loss=self.loss)
        words = ["jaxcnn", "train", "--data", self.data, "--model", self.model]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            default = field.default if field.name in ("optimizer", "loss") else getattr(base, field.name)
            if field.name in ("overwrite", "resume") or value == default:
                continue
            option = "--" + field.name.replace("_", "-")
            words += [option] if value is True else [option, str(value)]
        return shlex.join(words)


def _short(data: str) -> str:
    """The dataset's name as part of a folder's: the last part of a path, all of a TFDS name."""
    return Path(data).resolve().name if Path(data).is_dir() else data.replace("/", "-").replace(":", "-")


def _wrong(config: TrainConfig, name: str, expected: str) -> ValueError:
    return ValueError(f"{name} is {getattr(config, name)!r}; {expected}.")
