"""What a training run shows while it goes on: a line for each epoch, and on a terminal a bar under them."""

import time
from types import TracebackType

import jax
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from jaxcnn.cli.console import Console
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.state import Metrics
from jaxcnn.train.watch import Epoch, Watcher

LINE = "{:>5}  {:>10}  {:>14}  {:>9}  {:>13}  {:>7}"
REFRESH = 0.2  # seconds between looks at the running loss, each of which waits for the device


class Progress(Watcher):
    """A context manager to give to `train`. Without a terminal there are only the lines."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._console = Console(soft_wrap=True)
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("steps"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._looked = 0.0

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, experiment: Experiment, step: int) -> None:
        recipe, dataset = experiment.recipe, experiment.dataset
        shapes = jax.eval_shape(experiment.initial_state)
        parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
        self._steps_per_epoch, self._epochs = experiment.steps_per_epoch, recipe.epochs
        valid = "" if dataset.valid_images is None else f", {len(dataset.valid_images):,} to choose the best epoch by"
        self._console.print(
            f"{self._model}, {parameters:,} parameters, on {dataset.name}: {len(dataset.train_images):,} images to "
            f"train on{valid} and {len(dataset.test_images):,} to test, {'×'.join(map(str, dataset.image_shape))}, "
            f"{len(dataset.classes)} classes"
        )
        if dataset.layout:
            self._console.print(f"images: {dataset.layout}")
        if step:
            self._console.print(f"resumed after step {step}")
        part = experiment.chosen_by
        heads = ("epoch", "train loss", "train accuracy", f"{part} loss", f"{part} accuracy", "seconds")
        self._console.print(LINE.format(*heads))
        self._task = self._bar.add_task("compiling", total=recipe.epochs * experiment.steps_per_epoch, completed=step)

    def step_done(self, step: int, metrics: Metrics) -> None:
        if not self._console.is_terminal or time.monotonic() < self._looked + REFRESH:
            return
        loss, accuracy = metrics.means()
        epoch = (step - 1) // self._steps_per_epoch + 1
        text = f"epoch {epoch}/{self._epochs}  loss {loss:.4f}  accuracy {accuracy:.4f}"
        self._bar.update(self._task, completed=step, description=text)
        self._looked = time.monotonic()

    def epoch_done(self, record: Epoch) -> None:
        measured = (record["train_loss"], record["train_accuracy"], record["eval_loss"], record["eval_accuracy"])
        figures = [f"{number:.4f}" for number in measured]
        self._console.print(LINE.format(record["epoch"], *figures, f"{record['seconds']:.2f}"))
