"""The loop: steps, and after each epoch an evaluation. Who runs it keeps what is to be kept."""

import itertools
import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.on_features import on_features
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.watch import Epoch, Watcher

Wish = Literal["go on", "save", "stop"]


class Pause(NamedTuple):
    """Where the loop may be left: after an epoch, or where it was asked to stop within one.

    `metrics` are the epoch's so far; `evaluation` and `record` are None within an epoch. The next step takes the
    buffers of `state` for its own.
    """

    state: TrainState
    metrics: Metrics
    evaluation: Evaluation | None
    record: Epoch | None


def epochs(
    experiment: Experiment,
    state: TrainState,
    metrics: Metrics,
    watchers: Sequence[Watcher] = (),
    wish: Callable[[], Wish] = lambda: "go on",
) -> Iterator[Pause]:
    """Train from `state`, which may lie within an epoch, to the last epoch or until the `wish` is to stop.

    It is asked after each step. Where it is not to go on, there is a pause within the epoch.

    Raises: Diverged at the end of an epoch in which a loss or a gradient was not finite, or where the evaluation's loss
    is not.
    """
    # A copy, since the first step takes the buffers; it is looked at after that step, so that training begins at once.
    begun = experiment.placement.copied(state) if watchers and int(state.step) == 0 else None
    experiment = on_features(experiment, state)
    per_epoch = experiment.steps_per_epoch
    for epoch in range(experiment.epochs_done(int(state.step)), experiment.epochs):
        end = min((epoch + 1) * per_epoch, experiment.total_steps)
        lap, step = Lap(experiment, int(state.step)), int(state.step)
        train_step = experiment.during(epoch).train_step
        for images, labels in itertools.islice(experiment.feed.rest_of_epoch(step), end - step):
            state, of_batch = train_step(state, images, labels)
            metrics, step = metrics.plus(of_batch), step + 1
            experiment.feed.running(metrics)
            for watcher in watchers:
                watcher.step_done(step, metrics)
            if begun is not None:
                _stands(watchers, begun)
                begun = None
            asked = wish()
            if asked != "go on" and step < end:
                check_finite(metrics)
                for watcher in watchers:
                    watcher.paused(step)
                yield Pause(state, metrics, None, None)
                if asked == "stop":
                    return
        pause = lap.ended(step, state, metrics)
        metrics = pause.metrics
        _stands(watchers, state)
        yield pause
        assert pause.record is not None  # it is the end of an epoch
        for watcher in watchers:
            watcher.epoch_done(pause.record)
        if wish() == "stop":
            return


def _stands(watchers: Sequence[Watcher], state: TrainState) -> None:
    for watcher in watchers:
        watcher.stands(int(state.step), state)


class Lap:
    """A part of an epoch that is trained without a break, from `first` steps on to the epoch's end."""

    def __init__(self, experiment: Experiment, first: int) -> None:
        self._experiment, self._first = experiment, first
        self._began, self._waited = time.perf_counter(), experiment.feed.waited

    def ended(self, step: int, state: TrainState, metrics: Metrics) -> Pause:
        """What the epoch came to, its network evaluated. Raises Diverged where that is not finite."""
        experiment, first, began, waited = self._experiment, self._first, self._began, self._waited
        per_epoch, epoch = experiment.steps_per_epoch, (step - 1) // experiment.steps_per_epoch
        check_finite(metrics)  # waits for the last step
        training = time.perf_counter() - began
        steps = step - epoch * per_epoch
        left_out = steps - round(float(metrics.examples) / experiment.batch_size)
        if left_out:
            why = "were passed over" if experiment.recipe.on_nonfinite == "rollback" else "were not finite and left out"
            warnings.warn(f"epoch {epoch + 1}: {left_out} of {steps} steps {why}.", stacklevel=2)
        if left_out == steps:
            raise Diverged(step, f"no step of epoch {epoch + 1} was finite")
        evaluation = experiment.evaluate(state, experiment.chosen_by)
        if not math.isfinite(evaluation.loss):
            raise Diverged(step, f"the loss on the {experiment.chosen_by} images is not finite after step {step}")
        train_loss, train_accuracy = metrics.means()
        record: Epoch = {
            "epoch": epoch + 1,
            "step": step,
            "part": experiment.chosen_by,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "eval_loss": evaluation.loss,
            "eval_accuracy": evaluation.accuracy,
            "eval_top5": evaluation.top5,
            "eval_balanced_accuracy": evaluation.balanced_accuracy,
            "eval_calibration_error": evaluation.calibration_error,
            "gradient_norm": float(metrics.gradient / metrics.examples),
            "learning_rate": float(experiment.schedule(step - 1)),
            "seconds": round(time.perf_counter() - began, 3),
            "images_per_second": round((step - first) * experiment.batch_size / training, 1),
            "waiting": round((experiment.feed.waited - waited) / training, 4),
        }
        so_far = experiment.no_metrics() if step % per_epoch == 0 else metrics  # of an epoch that may go on
        return Pause(state, so_far, evaluation, record)


class Diverged(FloatingPointError):
    """A loss or gradient was not finite; `step` is the first, counted from 1, 0 where it is `other` than a step's.

    `reached` is that step, or the last one.
    """

    def __init__(self, step: int, other: str = "") -> None:
        what = other or f"the loss or its gradient is no longer finite at step {step}"
        super().__init__(
            f"{what}: training has diverged. Start again with a lower --learning-rate, with --schedule cosine and a "
            "--warmup, or with --clip-norm."
        )
        self.step, self.reached = 0 if other else step, step


def check_finite(metrics: Metrics) -> None:
    """Raise Diverged if a step's loss was not finite."""
    if step := int(metrics.diverged_at):
        raise Diverged(step)
