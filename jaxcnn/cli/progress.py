"""What a training run shows while it goes on: a line for each epoch, and how far it is in between.

On a terminal that is a bar under the lines; elsewhere it is a line now and then, so that a log of a long epoch goes on.
"""

import time
from collections import deque
from collections.abc import Iterable
from types import TracebackType
from typing import NamedTuple

import jax
import rich.progress
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.text import Text

from jaxcnn.cli.amounts import duration, memory_in_use, running
from jaxcnn.cli.console import Console
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.on_features import kept
from jaxcnn.train.recipe.optimization import BACKBONE
from jaxcnn.train.state import Metrics
from jaxcnn.train.watch import Epoch, Watcher

LINE = "{:>5}  {:>10}  {:>8}  {:>10}  {:>8}  {:>8}  {:>7}  {:>8}"  # 78 characters
REFRESH = 0.2  # seconds between looks at the running loss, on a terminal
WINDOW = 30.0  # seconds over which speed is measured


def heading(title: str, experiment: Experiment) -> list[str]:
    """Lines that say what is trained on what."""
    dataset = experiment.dataset
    parameters = sum(leaf.size for leaf in jax.tree.leaves(experiment.shapes[0]))
    valid = "" if dataset.valid_images is None else f", {len(dataset.valid_images):,} to choose the best epoch by"
    line = (
        f"{title}, {parameters:,} parameters, on {dataset.name}: {len(dataset.train_images):,} images to train on"
        f"{valid} and {len(dataset.test_images):,} to test, {'×'.join(map(str, dataset.image_shape))}, "
        f"{len(dataset.classes)} classes"
    )
    lines = [line, f"images: {dataset.layout}"] if dataset.layout else [line]
    return lines + _begins(experiment)


def _begins(experiment: Experiment) -> list[str]:
    """Of weights that were trained before: whose they are, and what is done with them."""
    lines = []
    if experiment.origin is not None and experiment.init is not None:
        name, library = experiment.origin.name, experiment.origin.library
        new = [part for part in experiment.shapes[0] if part not in experiment.init[0]]
        head = f", with a new {' and '.join(new)}" if new else ""
        lines.append(f"weights: of {name}, by the names of {library}{head}")
        recipe = experiment.recipe
        lines.append(
            f"recipe: {recipe.epochs} epochs, batches of {experiment.batch_size}, {recipe.optimizer} at up to "
            f"{recipe.learning_rate:g}, layer decay {recipe.layer_decay:g}, augment {recipe.augment}"
        )
    if BACKBONE in experiment.recipe.frozen:
        if kept(experiment).parts:
            lines.append("features: computed once, since all below the head is frozen")
        elif experiment.augment is not None:
            lines.append(
                f"features: computed at each step, since {experiment.recipe.augment} changes the images; once with "
                "--augment none"
            )
    return lines


class _Look(NamedTuple):
    """Where the device was when; `waited` as in `Feed`."""

    step: int
    time: float
    waited: float


class Progress(Watcher):
    """A context manager to give to `train`. `every` are the seconds from line to line where there is no terminal."""

    def __init__(self, title: str, every: float = 60.0) -> None:
        self._title, self._every = title, every
        self._console = Console()
        self._console.soft_wrap = not self._console.is_terminal  # a terminal's lines end at a word
        self._bar = _Bar(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("steps{task.fields[left]}"),
            console=self._console,
            transient=True,
            expand=True,
            disable=not self._console.is_terminal,
        )
        self._looks = deque[_Look]()
        self._first: _Look | None = None

    def __enter__(self) -> "Progress":
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def started(self, experiment: Experiment, step: int) -> None:
        self._experiment, self._shown = experiment, time.monotonic()
        self._epochs, self._steps = experiment.epochs, experiment.total_steps
        for line in heading(self._title, experiment):
            self._console.print(line)
        if step:
            self._console.print(f"resumed after step {step}")
        part = experiment.chosen_by
        heads = ("train loss", "accuracy", f"{part} loss", "accuracy", "images/s", "waiting", "seconds")
        self._heads = LINE.format("epoch", *heads)
        self._task = self._bar.add_task("compiling", total=self._steps, completed=step, left="")

    def step_done(self, step: int, metrics: Metrics) -> None:
        """A look waits for the step; in between, steps are sent to the device ahead of it."""
        due = time.monotonic() >= self._shown + (REFRESH if self._console.is_terminal else self._every)
        if self._looks and not due:
            return
        loss, accuracy = metrics.means()
        look = _Look(step, time.monotonic(), self._experiment.feed.waited)
        if self._first is None:
            self._first = look
            self._console.print(f"first step after {running():.1f} s")
            self._console.print(self._heads)
        self._looks.append(look)
        while len(self._looks) > 2 and self._looks[1].time < look.time - WINDOW:
            self._looks.popleft()
        if due:
            self._show(look, loss, accuracy)
            self._shown = time.monotonic()

    def epoch_done(self, record: Epoch) -> None:
        measured = (record["train_loss"], record["train_accuracy"], record["eval_loss"], record["eval_accuracy"])
        figures = [f"{number:.4f}" for number in measured]
        speed = (f"{record['images_per_second']:,.0f}", f"{record['waiting']:.0%}", f"{record['seconds']:.2f}")
        self._console.print(LINE.format(record["epoch"], *figures, *speed))
        self._shown = time.monotonic()
        self._looks.clear()  # the evaluation is no part of a step's time

    def _show(self, look: _Look, loss: float, accuracy: float) -> None:
        epoch = f"epoch {(look.step - 1) // self._experiment.steps_per_epoch + 1}/{self._epochs}"
        figures = [f"loss {loss:.4f}", f"accuracy {accuracy:.4f}", *self._speed(look), memory_in_use()]
        left = self._left(look)
        if self._console.is_terminal:
            self._bar.figures = "  ".join(figures)
            self._bar.update(self._task, completed=look.step, description=epoch, left=left)
        else:
            self._console.print(f"{epoch}, step {look.step:,} of {self._steps:,}: {', '.join(figures)}{left}")

    def _speed(self, now: _Look) -> list[str]:
        then = self._looks[0]
        if now.step == then.step:
            return []
        seconds = now.time - then.time
        images = (now.step - then.step) * self._experiment.batch_size / seconds
        return [f"{images:,.0f} images/s", f"waiting {min((now.waited - then.waited) / seconds, 1.0):.0%}"]

    def _left(self, now: _Look) -> str:
        """As steps have taken on average since the first look, evaluations included."""
        assert self._first is not None
        if now.step == self._first.step:
            return ""
        seconds = (now.time - self._first.time) / (now.step - self._first.step)
        return f", {duration(seconds * (self._steps - now.step))} left"


class _Bar(rich.progress.Progress):
    """With a second line of figures."""

    figures = ""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        yield Text(self.figures, no_wrap=True, overflow="ellipsis")
