"""What a run tells while it goes on, and who hears it."""

from typing import Literal, NotRequired, TypedDict

from jaxcnn.train.experiment import Experiment
from jaxcnn.train.state import Metrics, TrainState


class Epoch(TypedDict):
    """What an epoch came to, a line of metrics.jsonl; `learning_rate` is that of the last step.

    The network is evaluated on the images of `part`: "valid" where the dataset has a validation part, else "test"; see
    `measures`. `gradient_norm` is as in `Steps`. `images_per_second` is of training, without the evaluation, and
    `waiting` the share of that time in which a device had nothing to do since the next batch was not there yet; after a
    pause both are of the rest of the epoch. Lines of an earlier version lack what is not required.
    """

    epoch: int
    step: int
    part: Literal["valid", "test"]
    train_loss: float
    train_accuracy: float
    eval_loss: float
    eval_accuracy: float
    eval_top5: NotRequired[float]
    eval_balanced_accuracy: NotRequired[float]
    eval_calibration_error: NotRequired[float]
    gradient_norm: NotRequired[float | None]
    learning_rate: float
    seconds: float
    images_per_second: NotRequired[float]
    waiting: NotRequired[float]


class Steps(TypedDict):
    """What some steps came to, a line of metrics.jsonl: those after the line before, up to `step`.

    `learning_rate` is that of the last one, and `gradient_norm` the mean over the steps of the Euclidean norm of their
    gradient, of all parameters together and before it is clipped; where float16 overflows it counts as 0. Means are
    None where a loss was not finite, and where all steps were left out. `images_per_second` and `waiting` are as in
    `Epoch`, but with what was saved within the epoch.
    """

    step: int
    loss: float | None
    accuracy: float | None
    gradient_norm: NotRequired[float | None]
    learning_rate: float
    images_per_second: float
    waiting: float


class LayerNorms(TypedDict):
    """How large δ and the gradient of each layer are after `step` steps, a line of metrics.jsonl; see `MeasureLayers`.

    `delta` and `gradient` are Euclidean norms by the layers' paths, for the mean loss of so many `images`; None where
    one is not finite. The order is that of the network; a layer without parameters has no gradient.
    """

    step: int
    images: int
    delta: dict[str, float | None]
    gradient: dict[str, float | None]


class Watcher:
    """Hears what a run does; override what you want to show or keep."""

    def started(self, experiment: Experiment, step: int) -> None:
        """The first step is next, after `step` steps of an earlier, resumed run."""

    def stands(self, step: int, state: TrainState) -> None:
        """After `step` steps, none or those to an epoch's end, the network is what `state` holds.

        The next step takes the buffers of `state` for its own. What stands before the first step is told after it.
        """

    def step_done(self, step: int, metrics: Metrics) -> None:
        """`metrics` are the epoch's so far, on the device: looking at them waits for the step to finish."""

    def went_back(self, step: int, metrics: Metrics) -> None:
        """Training goes on after `step` with an earlier state, and with the `metrics` of the epoch that it had then."""

    def paused(self, step: int) -> None:
        """The run is about to be kept, or left, after `step` steps, within an epoch."""

    def logged(self, record: Steps) -> None:
        """`record` is what the last steps came to, see `Log`; it comes when it is there, perhaps some steps later."""

    def layers_measured(self, record: LayerNorms) -> None:
        """`record` is what `MeasureLayers` has just found."""

    def epoch_done(self, record: Epoch) -> None:
        """`record` is what the epoch came to."""
