"""What the steps come to, in lines of some steps each."""

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax
from jax import Array

from jaxcnn.train.experiment import Experiment
from jaxcnn.train.state import Metrics
from jaxcnn.train.watch import Epoch, Steps, Watcher


class Log(Watcher):
    """Tells what the steps came to, after each `every` steps of an epoch, at its end, and where it is paused.

    So each step is told once, also of a run that is stopped and resumed. To look at a loss is to wait for its step,
    while the device would have nothing to do. So it is sent for, and told after a later step, when it has come; at an
    epoch's end, where the loop waits anyway, at once.

    Args:
      every: steps; 0 tells nothing.
      tell: what is called with each line.
      metrics: of the epoch so far, where the run is resumed within one.
    """

    def __init__(self, every: int, tell: Sequence[Callable[[Steps], None]], metrics: Metrics | None = None) -> None:
        self._every, self._tell = every, tell
        self._metrics = Metrics.zero() if metrics is None else metrics
        self._lines = deque[tuple[_Mark, _Mark]]()  # that are still to come

    def started(self, experiment: Experiment, step: int) -> None:
        self._experiment = experiment
        self._rate = jax.jit(experiment.schedule)  # one call, where the operations one by one would take a millisecond
        self._begin(step, self._metrics)

    def step_done(self, step: int, metrics: Metrics) -> None:
        self._step, self._metrics = step, metrics
        while self._lines and self._lines[0][1].has_come():
            self._tell_first()
        place = step % self._experiment.steps_per_epoch
        if not place or step == self._experiment.total_steps:
            self.paused(step)
        elif self._every and place % self._every == 0:
            self._end_line()

    def epoch_done(self, record: Epoch) -> None:
        """The next line begins after the epoch's evaluation, and what is kept of it."""
        self.paused(self._step)
        self._begin(record["step"], Metrics.zero())

    def went_back(self, step: int, metrics: Metrics) -> None:
        self.paused(self._step)
        self._begin(step, metrics)

    def paused(self, step: int) -> None:
        """Tell of all steps until now, waiting for them: the checkpoint that follows is where the next line begins."""
        if self._every and step > self._mark.step:
            self._end_line()
        while self._lines:
            self._tell_first()

    def _begin(self, step: int, metrics: Metrics) -> None:
        self._step, self._metrics = step, metrics
        self._mark = self._here()
        self._mark.time = time.perf_counter()

    def _here(self) -> "_Mark":
        rate = self._rate(max(self._step - 1, 0))
        return _Mark(self._step, self._metrics, rate, self._experiment.feed.waited)

    def _end_line(self) -> None:
        end = self._here()
        for value in (*end.metrics, end.rate):
            value.copy_to_host_async()
        self._lines.append((self._mark, end))
        self._mark = end

    def _tell_first(self) -> None:
        begin, end = self._lines.popleft()
        before, after = (jax.device_get(mark.metrics) for mark in (begin, end))
        loss, correct, examples, _, norm = (float(a) - float(b) for a, b in zip(after, before, strict=True))
        rate = float(end.rate)
        end.time = time.perf_counter()
        seconds = end.time - begin.time
        known = examples > 0 and math.isfinite(loss)
        record: Steps = {
            "step": end.step,
            "loss": loss / examples if known else None,
            "accuracy": correct / examples if known else None,
            "gradient_norm": norm / examples if known else None,
            "learning_rate": rate,
            "images_per_second": round((end.step - begin.step) * self._experiment.batch_size / seconds, 1),
            "waiting": round(min((end.waited - begin.waited) / seconds, 1.0), 4),
        }
        for tell in self._tell:
            tell(record)


@dataclass
class _Mark:
    """A step at which one line ends and the next begins, and what the epoch had come to then."""

    step: int
    metrics: Metrics
    rate: Array
    waited: float  # see `Feed`
    time: float = math.nan  # when the device came to it; unknown until then

    def has_come(self) -> bool:
        return all(value.is_ready() for value in (*self.metrics, self.rate))  # type: ignore[attr-defined]
