"""What a run tells while it goes on, and who hears it."""

from typing import Literal, NotRequired, TypedDict

from jaxcnn.train.experiment import Experiment
from jaxcnn.train.state import Metrics


class Epoch(TypedDict):
    """What an epoch came to, a line of metrics.jsonl; `learning_rate` is that of the last step.

    The network is evaluated on the images of `part`: "valid" where the dataset has a validation part, else "test"; see
    `measures`. `images_per_second` is of training, without the evaluation, and `waiting` the share of that time in
    which a device had nothing to do since the next batch was not there yet; after a pause both are of the rest of the
    epoch. Lines of an earlier version lack what is not required.
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
    learning_rate: float
    seconds: float
    images_per_second: NotRequired[float]
    waiting: NotRequired[float]


class Steps(TypedDict):
    """What some steps came to, a line of metrics.jsonl: those after the line before, up to `step`.

    `learning_rate` is that of the last one. Loss and accuracy are None where a loss was not finite, and where all steps
    were left out. `images_per_second` and `waiting` are as in `Epoch`, but with what was saved within the epoch.
    """

    step: int
    loss: float | None
    accuracy: float | None
    learning_rate: float
    images_per_second: float
    waiting: float


class Watcher:
    """Hears what a run does; override what you want to show or keep."""

    def started(self, experiment: Experiment, step: int) -> None:
        """The first step is next, after `step` steps of an earlier, resumed run."""

    def step_done(self, step: int, metrics: Metrics) -> None:
        """`metrics` are the epoch's so far, on the device: looking at them waits for the step to finish."""

    def went_back(self, step: int, metrics: Metrics) -> None:
        """Training goes on after `step` with an earlier state, and with the `metrics` of the epoch that it had then."""

    def paused(self, step: int) -> None:
        """The run is about to be kept, or left, after `step` steps, within an epoch."""

    def logged(self, record: Steps) -> None:
        """`record` is what the last steps came to, see `Log`; it comes when it is there, perhaps some steps later."""

    def epoch_done(self, record: Epoch) -> None:
        """`record` is what the epoch came to."""
