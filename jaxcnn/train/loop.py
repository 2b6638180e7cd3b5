"""The training run: epochs of steps, an evaluation after each, checkpoints, and the pictures at the end."""

import math
import time
import warnings
from dataclasses import dataclass

from jaxcnn import data
from jaxcnn.train import checkpoint
from jaxcnn.train.config import TrainConfig
from jaxcnn.train.experiment import Evaluation, Experiment, prepare
from jaxcnn.train.interrupt import Interrupt, on_interrupt
from jaxcnn.train.restore import best_accuracy, load, save
from jaxcnn.train.run_folder import DatasetFacts, Epoch, RunFolder, check_out, discard, start
from jaxcnn.train.state import Metrics, TrainState


class Watcher:
    """Hears what a run does; override what you want to show."""

    def started(self, run: RunFolder, experiment: Experiment, step: int) -> None:
        """The first step is next, after `step` steps of an earlier, resumed run."""

    def step_done(self, step: int, metrics: Metrics) -> None:
        """`metrics` are the epoch's so far, on the device: looking at them waits for the step to finish."""

    def epoch_done(self, record: Epoch) -> None:
        """`record` is the epoch's line of metrics.jsonl."""


@dataclass(frozen=True)
class Result:
    """What `train` did. `evaluation` is of the last state, None if Ctrl-C ended the run."""

    run: RunFolder
    experiment: Experiment
    state: TrainState
    evaluation: Evaluation | None


def train(config: TrainConfig, watch: Watcher | None = None) -> Result:
    """Train as `config` says and leave everything in its run folder.

    The same configuration gives the same final parameters, bit for bit, on the same machine and JAX version, also
    when the run was interrupted at any step and resumed.

    Raises ValueError or OSError for bad options, data or run folder, and FloatingPointError if the loss stops being
    finite. Ctrl-C, SIGTERM or SIGHUP finishes the step, saves the checkpoint `last` and returns; before the run
    folder is begun it raises KeyboardInterrupt and leaves the folder as it was.
    """
    watch = watch or Watcher()
    with on_interrupt(begun=False) as interrupt:
        check_out(config)
        dataset = data.load(
            config.data, data_dir=config.data_dir, image_size=config.image_size, skip_bad=config.skip_bad
        )
        experiment = prepare(config, dataset)
        facts = DatasetFacts(dataset.name, dataset.classes, dataset.image_shape, experiment.mean, experiment.std)
        state, metrics = experiment.initial_state(), Metrics.zero()
        interrupt.begin()
        run = start(config, facts)
        if saved := load(run, experiment):  # of a resumed run
            state, metrics = saved
        elif run.metrics():
            warnings.warn(f"{run.path} holds no checkpoint any more: training begins anew.", stacklevel=2)
        epochs = int(state.step) // experiment.steps_per_epoch
        if lost := run.keep_metrics(epochs):
            some = ", ".join(map(str, lost[:5])) + (", ..." if len(lost) > 5 else "")
            warnings.warn(
                f"{run.path / 'metrics.jsonl'} has lost {len(lost)} of {epochs} epochs ({some}); only the learning "
                "curves lack them.",
                stacklevel=2,
            )
        watch.started(run, experiment, int(state.step))
        if interrupt.requested:  # without waiting for the first step to compile
            save(run, "last", state, metrics)
            return Result(run, experiment, state, None)
        try:
            state, evaluation = _epochs(run, experiment, state, metrics, watch, interrupt)
        except FloatingPointError as error:
            raise FloatingPointError(f"{error} {_left(run)}") from None
        if evaluation is not None:
            _draw(run, experiment, evaluation)
        return Result(run, experiment, state, evaluation)


def _epochs(
    run: RunFolder,
    experiment: Experiment,
    state: TrainState,
    metrics: Metrics,
    watch: Watcher,
    interrupt: Interrupt,
) -> tuple[TrainState, Evaluation | None]:
    """The final state and its evaluation; without the evaluation if an interrupt came first."""
    config, dataset, per_epoch = experiment.config, experiment.dataset, experiment.steps_per_epoch
    best = best_accuracy(run)
    evaluation = None
    for epoch in range(int(state.step) // per_epoch, config.epochs):
        began, step = time.perf_counter(), int(state.step)
        for images, labels in data.train_batches(
            dataset.train_images,
            dataset.train_labels,
            experiment.batch_size,
            seed=config.seed,
            epoch=epoch,
            start=step - epoch * per_epoch,
        ):
            state, batch_metrics = experiment.train_step(state, images, labels)
            metrics, step = metrics.plus(batch_metrics), step + 1
            watch.step_done(step, metrics)
            if interrupt.requested and step < (epoch + 1) * per_epoch:
                _check_finite(metrics)
                save(run, "last", state, metrics)
                return state, None
        _check_finite(metrics)
        evaluation = experiment.evaluate(state)
        if not math.isfinite(evaluation.loss):
            raise _diverged(step)
        train_loss, train_accuracy = metrics.means()
        record: Epoch = {
            "epoch": epoch + 1,
            "step": step,
            "train_loss": train_loss,
            "train_accuracy": train_accuracy,
            "test_loss": evaluation.loss,
            "test_accuracy": evaluation.accuracy,
            "learning_rate": float(experiment.schedule(step - 1)),
            "seconds": round(time.perf_counter() - began, 3),
        }
        metrics = Metrics.zero()
        run.append_metrics(record)
        if evaluation.accuracy > best:
            best = evaluation.accuracy
            save(run, "best", state, metrics, test_accuracy=best)
        save(run, "last", state, metrics)
        watch.epoch_done(record)
        if interrupt.requested and epoch + 1 < config.epochs:
            return state, None
    return state, evaluation or experiment.evaluate(state)


def _check_finite(metrics: Metrics) -> None:
    if step := int(metrics.diverged_at):
        raise _diverged(step)


def _diverged(step: int) -> FloatingPointError:
    return FloatingPointError(
        f"the loss is no longer finite at step {step}: training has diverged. Start again with a lower "
        "--learning-rate, or with --schedule cosine and a --warmup."
    )


def _left(run: RunFolder) -> str:
    """What is left of a run that diverged; one without a checkpoint would only do so again, and is removed."""
    if checkpoint.exists(run.checkpoint("last")):
        return f"The checkpoints before that step are kept in {run.path}; --overwrite replaces them."
    discard(run)
    return f"There was no checkpoint before that step, so nothing is left in {run.path}."


def _draw(run: RunFolder, experiment: Experiment, evaluation: Evaluation) -> None:
    from jaxcnn.report import curves, predictions, style

    dataset = experiment.dataset
    title = f"{experiment.config.model} on {dataset.name}"
    with style.or_warn(path := run.path / "curves.png"):
        if not (epochs := run.metrics()):
            raise ValueError(f"{run.path / 'metrics.jsonl'} holds no epochs any more")
        curves.save(epochs, path, title=title)
    with style.or_warn(path := run.path / "predictions.png"):
        predictions.save(dataset, evaluation, path, title=title)
