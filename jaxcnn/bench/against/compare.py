"""Two revisions timed in turn: rounds, each by a new pair of processes, and what the rounds together say."""

import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from jaxcnn.bench.against.process import Failed, Process
from jaxcnn.bench.against.task import Task
from jaxcnn.bench.contest import difference_of
from jaxcnn.bench.precision import AGREEMENT

# From one process to the next a program's time moves, with where its arrays lie: by more than from sample to sample.
ROUNDS = 3
LEAST = 0.03  # a change that rounds can tell

Standing = Literal["faster", "slower", "within the noise"]


@dataclass
class Change:
    """A task by both revisions.

    Attributes:
      old, new: seconds of all samples, a list for each round.
      difference: how far the new results are from the old ones, as a share of the largest value.
      refused: why there are no times.
    """

    task: Task
    title: str
    old: list[list[float]] = field(default_factory=list)
    new: list[list[float]] = field(default_factory=list)
    difference: float | None = None
    refused: str = ""

    @property
    def ratios(self) -> list[float]:
        """Of each round: how many times as long the old revision takes."""
        return [statistics.median(a) / statistics.median(b) for a, b in zip(self.old, self.new, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds'."""
        return statistics.median(self.ratios)

    @property
    def standing(self) -> Standing:
        """Another time where the ratio is further from 1 than `LEAST`, and than the rounds are from each other."""
        logs = [math.log(ratio) for ratio in self.ratios]
        if abs(math.log(self.ratio)) <= max(math.log1p(LEAST), max(logs) - min(logs)):
            return "within the noise"
        return "faster" if self.ratio > 1 else "slower"

    def to_json(self) -> dict[str, Any]:
        """As data; times in seconds."""
        said = {"ratio": self.ratio, "ratios": self.ratios, "standing": self.standing} if self.old else {}
        return asdict(self) | said


def compare(
    trees: tuple[Path, Path],
    tasks: Sequence[Task],
    repeats: int,
    greeted: Callable[[list[str]], object],
    tick: Callable[[str, float], object] = lambda task, done: None,
) -> list[Change]:
    """Time the tasks by the jaxcnn in each folder, the old one's and the new one's, `repeats` samples in each round.

    `greeted` is told which kernels both have; `tick` gets a task and the share of all that is done, as it goes on.
    Raises `Failed` where one of them does not start.
    """
    changes = [Change(task, task.title) for task in tasks]
    with tempfile.TemporaryDirectory(prefix="jaxcnn-compiled-") as folder:
        for number in range(ROUNDS):
            with _both(trees, Path(folder)) as (pair, kernels):
                if not number:
                    greeted(kernels)
                for place, change in enumerate(changes):
                    tick(change.title, (number + place / len(changes)) / ROUNDS)
                    if not change.refused:
                        _round(change, pair, repeats, Path(folder))
    return changes


@contextmanager
def _both(trees: tuple[Path, Path], folder: Path) -> Iterator[tuple[list[Process], list[str]]]:
    """A process of each and their kernels; they start at the same time."""
    with ExitStack() as stack:
        pair = [stack.enter_context(Process(tree, folder / "programs")) for tree in trees]
        kernels = []
        for process, whose in zip(pair, ("the other revision", "the working tree"), strict=True):
            try:
                kernels.append(process.greeted())
            except Failed as error:
                raise Failed(f"{whose} can't be measured: {error}") from None
        yield pair, kernels


def _round(change: Change, pair: Sequence[Process], repeats: int, folder: Path) -> None:
    """Prepare the task on both sides, hold their results side by side, and sample in turn."""
    results = []
    for process, whose in zip(pair, ("old", "new"), strict=True):
        file = folder / f"{whose}.npz"
        try:
            process.ask(task=asdict(change.task), evidence=str(file))
        except Failed as error:
            change.refused = f"{'the other revision' if whose == 'old' else 'the working tree'} fails: {error}"
            return
        with np.load(file) as arrays:
            results.append([arrays[name] for name in arrays.files])
    change.difference = difference_of(results[1], results[0])
    limit = AGREEMENT[change.task.precision]
    if not change.difference <= limit:
        change.refused = f"not the same results: off by {change.difference:.1e}, more than {limit:.0e}"
        return
    samples = [[process.ask()["seconds"] for process in pair] for _ in range(repeats)]
    old, new = zip(*samples, strict=True)
    change.old.append(list(old))
    change.new.append(list(new))
