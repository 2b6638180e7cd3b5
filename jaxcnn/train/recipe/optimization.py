"""How a network is trained: passes, batches, the loss, and what becomes of a gradient."""

import math
from dataclasses import dataclass
from typing import Annotated, Literal

from jaxcnn.train.recipe.option import Recipe, unset

# Peak learning rate and weight decay that suit each optimizer; they stand in where the user names none.
OPTIMIZERS: dict[str, tuple[float, float]] = {
    "sgd": (0.05, 5e-4),
    "momentum": (0.05, 5e-4),
    "nesterov": (0.05, 5e-4),
    "adam": (5e-3, 0.0),
    "adamw": (5e-3, 5e-2),
    "lion": (5e-4, 0.5),
    "lamb": (1e-2, 5e-2),
    "lars": (1.0, 5e-4),
    "muon": (2e-2, 5e-2),
}
BACKBONE = "backbone"  # a pattern of `freeze`: all parameters but those of the layer called "head"


@dataclass(frozen=True)
class OptimizationRecipe(Recipe):
    """All that decides a training step, apart from the network and the images."""

    epochs: Annotated[int | None, unset("INT", "60; 10 to fine-tune, 20 for its head alone")] = None
    """Passes over the training set."""
    max_steps: Annotated[int | None, unset("STEPS", "as many as --epochs takes")] = None
    """Train for so many steps, whatever --epochs says. Where they end within an epoch, that is evaluated, too."""
    batch_size: Annotated[int | Literal["full"] | None, unset("INT|{full}", "64; 32 with --init-from")] = None
    """Images per step: 1 is stochastic gradient descent, full is gradient descent on the whole training set."""
    accumulate: int = 1
    """Parts that a batch is computed in, one after the other: as many times the memory is not needed. The gradient is
    the whole batch's; batch norm takes its statistics from each part."""
    optimizer: Literal["sgd", "momentum", "nesterov", "adam", "adamw", "lion", "lamb", "lars", "muon"] = "adamw"
    """How gradients become updates. muon is for kernels; what else there is gets adamw."""
    learning_rate: Annotated[
        float | None,
        unset(
            "FLOAT",
            "0.005 for adam and adamw, 0.0005 lion, 0.01 lamb, 1 lars, 0.02 muon, else 0.05; a fifth to fine-tune",
            "--lr",
        ),
    ] = None
    """The highest rate that the schedule reaches."""
    momentum: float = 0.9
    """Share of the old velocity that momentum, nesterov and lars keep."""
    weight_decay: Annotated[
        float | None, unset("FLOAT", "0.05 for adamw, lamb and muon, 0.5 lion, 0 adam, else 0.0005")
    ] = None
    """Pull of the weights (not of biases, scales and offsets) towards 0: decoupled for adamw, lion, lamb and muon,
    added to the gradient (L2) for all others."""
    clip_norm: Annotated[float | None, unset("FLOAT", "gradients as they are")] = None
    """The largest norm of all gradients together; of a larger one they are made smaller by one factor."""
    schedule: Literal["constant", "step", "cosine", "onecycle"] = "onecycle"
    """The rate over time: constant; step, ×0.1 after 1/2 and 3/4 of training; cosine, down to 0; onecycle, up for
    the first 30 % and down to 0."""
    warmup: float = 0.0
    """Epochs over which the rate rises linearly from 0 before the schedule begins (onecycle has its own rise)."""
    warmup_steps: Annotated[int | None, unset("STEPS", "as many as --warmup takes")] = None
    """The same in steps."""
    layer_decay: Annotated[float | None, unset("FLOAT", "1; 0.97 to fine-tune")] = None
    """Factor of the learning rate from each layer to the one before it, the last layer's being 1."""
    freeze: str = ""
    """Paths of parameters that are not trained, such as 'block[12]*/*', several with commas, or backbone for all but
    the head. Their batch norms use their running statistics, and no gradient is computed below the first layer that is
    trained. With --augment none what the layers below it compute is computed once."""
    unfreeze_epochs: Annotated[int | None, unset("EPOCHS", "all from the beginning")] = None
    """Train the head alone first, and from the end to the beginning one more group of layers after each so many
    epochs."""
    ema: Annotated[float | None, unset("FLOAT", "no average")] = None
    """Evaluate and keep an average of the weights: the share of it that each step keeps, such as 0.999. Batch norm's
    statistics are averaged alike."""
    label_smoothing: Annotated[float | None, unset("FLOAT", "0.1 for softmax, 0 for sigmoid")] = None
    """Probability mass taken from the true class and shared among all classes."""
    loss: Literal["softmax", "sigmoid"] = "softmax"
    """softmax: one distribution over the classes; sigmoid: one logistic head per class, one against all."""
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: each class has the same share of the loss, however few its images."""
    sampling: Literal["shuffled", "balanced"] = "shuffled"
    """Images of an epoch. shuffled: each once; balanced: as many, of each class alike, so that small ones repeat."""
    precision: Literal["float32", "bfloat16", "mixed", "float16"] = "float32"
    """What a step computes in, from parameters that are float32. mixed: images, kernels, biases and activations
    bfloat16; statistics, norms' vectors and sums and the loss float32. bfloat16: the norms' vectors, too. float16: as
    mixed, in float16; the loss is scaled, and a step whose gradients overflow is left out and halves the scale."""
    remat: bool = False
    """Compute a block's activations once more on the way back rather than keep them: less memory, a third more work."""
    augment: Annotated[
        str | None, unset("STR", "shift; random_resized_crop((0.35,1)),flip to fine-tune; none with backbone frozen")
    ] = None
    """Random changes of the training images, by name, such as 'crop(4,reflect),flip,cutout(8)' or
    'random_resized_crop,rand_augment,mixup(0.2)'; shift, by up to 1/8 of the side; or none. See jaxcnn augment."""
    on_nonfinite: Literal["stop", "skip", "rollback"] = "stop"
    """At a loss or gradient that is not finite: stop; skip, leave the step out and go on; or rollback, go on from the
    last checkpoint (see --save-every) without the batches up to that step, five times at most until an epoch ends."""
    seed: int = 0
    """Decides initial weights, shuffling, augmentation and dropout; the same seed gives the same parameters."""

    def __post_init__(self) -> None:
        super().__post_init__()
        rate, decay = OPTIMIZERS[self.optimizer]
        smoothing = 0.1 if self.loss == "softmax" else 0.0
        self.fill_in(learning_rate=rate, weight_decay=decay, label_smoothing=smoothing)
        self.fill_in(epochs=60, batch_size=64, layer_decay=1.0, augment="shift")
        assert self.learning_rate is not None and self.weight_decay is not None and self.label_smoothing is not None
        assert self.epochs is not None and self.layer_decay is not None
        full = self.batch_size == "full"
        self._check_augment()
        self.need("epochs", self.epochs >= 1, "expected 1 or more")
        self.need("max_steps", self.max_steps is None or self.max_steps >= 1, "expected 1 or more")
        self.need(
            "batch_size",
            full or (isinstance(self.batch_size, int) and self.batch_size >= 1),
            "expected 1 or more, or full for the whole training set",
        )
        self.need("accumulate", self.accumulate >= 1, "expected 1 or more parts of a batch")
        if isinstance(self.batch_size, int) and self.batch_size % self.accumulate:
            raise self.wrong("accumulate", f"expected a number that divides batch_size, which is {self.batch_size}")
        self.need("learning_rate", 0 < self.learning_rate < math.inf, "expected a positive number, such as 0.005")
        self.need("momentum", 0 <= self.momentum < 1, "expected 0 or more and less than 1, such as 0.9")
        self.need("weight_decay", 0 <= self.weight_decay < math.inf, "expected 0 or more, such as 0.0005")
        self.need("clip_norm", self.clip_norm is None or 0 < self.clip_norm < math.inf, "expected a positive number")
        self.need("layer_decay", 0 < self.layer_decay <= 1, "expected more than 0 and at most 1, such as 0.8")
        right = self.unfreeze_epochs is None or self.unfreeze_epochs >= 1
        self.need("unfreeze_epochs", right, "expected 1 epoch or more")
        if self.unfreeze_epochs is not None and BACKBONE in self.frozen:
            raise self.wrong("unfreeze_epochs", f"and freeze is {self.freeze!r}, for all of training; give one of them")
        self.need("ema", self.ema is None or 0 < self.ema < 1, "expected more than 0 and less than 1, such as 0.999")
        self.need("label_smoothing", 0 <= self.label_smoothing < 1, "expected 0 or more and less than 1, such as 0.1")
        if self.label_smoothing and self.loss == "sigmoid":
            raise self.wrong("label_smoothing", "smoothing belongs to --loss softmax; with sigmoid leave it at 0")
        if self.class_weights == "balanced" and self.loss == "sigmoid":
            raise self.wrong("class_weights", "weights belong to --loss softmax; take --sampling balanced")
        self._check_warmup()
        self.need("seed", 0 <= self.seed < 2**32, "expected an int from 0 to 4294967295")

    @property
    def frozen(self) -> tuple[str, ...]:
        """The patterns of `freeze`."""
        return tuple(pattern.strip() for pattern in self.freeze.split(",")) if self.freeze else ()

    def total_steps(self, steps_per_epoch: int) -> int:
        """The steps of the whole training, over which the schedule stretches."""
        assert self.epochs is not None  # filled in
        return self.epochs * steps_per_epoch if self.max_steps is None else self.max_steps

    def warmup_in_steps(self, steps_per_epoch: int) -> int:
        """The steps of the linear rise. Raises ValueError if they are more than all."""
        rise, total = self.warmup_steps, self.total_steps(steps_per_epoch)
        if rise is None:
            rise = round(self.warmup * steps_per_epoch)
        name = "warmup" if self.warmup_steps is None else "warmup_steps"
        self.need(name, rise <= total, f"expected no more than all of training, which has {total} steps")
        return rise

    def _check_warmup(self) -> None:
        assert self.epochs is not None
        epochs = self.epochs if self.max_steps is None else math.inf
        self.need("warmup", 0 <= self.warmup < epochs, f"expected 0 or more epochs and fewer than all {epochs}")
        self.need("warmup_steps", self.warmup_steps is None or self.warmup_steps >= 0, "expected 0 or more steps")
        if self.warmup and self.warmup_steps is not None:
            raise self.wrong("warmup_steps", f"and warmup is {self.warmup} epochs; give one of them")
        for name in ("warmup", "warmup_steps"):
            if getattr(self, name) and self.schedule == "onecycle":
                raise self.wrong(name, "onecycle brings its own rise; leave it out or take --schedule cosine")

    def _check_augment(self) -> None:
        from jaxcnn.data import augment  # brings JAX

        assert self.augment is not None
        augment.parse(self.augment)
