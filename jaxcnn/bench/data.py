"""How fast batches come: the loader alone, from memory and streamed, by threads and by processes."""

import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

import jax

from jaxcnn.data import Dataset
from jaxcnn.train.feed import Feed, InMemory, Order, Streamed
from jaxcnn.train.placement import Placement

if TYPE_CHECKING:
    from rich.table import Table

SAMPLE = 1.0  # seconds that a sample lasts at least
ENDLESS = 10**9


@dataclass(frozen=True)
class Speed:
    """One way to read the training images.

    Attributes:
      way: "in memory", or who streams.
      first: seconds until the first batch was there, processes being started.
      samples: images per second, on the device, in each sample.
    """

    way: str
    first: float
    samples: list[float]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)


def speeds(datasets: Sequence[Dataset], workers: Sequence[int], batch_size: int, repeats: int) -> list[Speed]:
    """Time each dataset: in memory, or where it is streamed by each number of worker processes.

    One after the other, since what reads ahead would take part of the machine from the next. Each sample is of as many
    batches as last a second; those of the first second, which were partly read before, do not count.
    """
    found = []
    for dataset in datasets:
        images, labels = dataset.parts["train"]
        order, placement = Order(labels, batch_size, seed=0, balanced=False), Placement()
        if dataset.workers is None:
            found.append(_speed("in memory", InMemory(images, labels, order, placement), order, repeats))
            continue
        for number in workers:
            who = {0: "threads", 1: "1 process"}.get(number, f"{number} processes")
            feed = Streamed(images, order, placement, number, steps=ENDLESS)
            found.append(_speed(f"streamed by {who}", feed, order, repeats))
    return found


def _speed(way: str, feed: Feed, order: Order, repeats: int) -> Speed:
    batches = (batch for epoch in count() for batch in feed.rest_of_epoch(epoch * order.steps_per_epoch))
    try:
        began = time.perf_counter()
        jax.block_until_ready(next(batches))
        first = time.perf_counter() - began
        _, *samples = [_sample(batches) * order.batch_size for _ in range(repeats + 1)]
    finally:
        feed.close()
    return Speed(way, first, samples)


def _sample(batches: Iterator[Any]) -> float:
    """Batches per second."""
    began, taken = time.perf_counter(), 0
    while time.perf_counter() - began < SAMPLE:
        jax.block_until_ready(next(batches))
        taken += 1
    return taken / (time.perf_counter() - began)


def table(dataset: Dataset, found: Sequence[Speed], title: str) -> "Table":
    """A line for each way; MB are of decoded pixels."""
    from rich import box
    from rich.table import Column, Table

    height, width, channels = dataset.image_shape
    made = Table(Column("", no_wrap=True), title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in ("images/s", "lowest", "highest", "MB/s", "first batch"):
        made.add_column(heading, justify="right", no_wrap=True)
    for speed in found:
        rates = [f"{rate:,.0f}" for rate in (speed.median, min(speed.samples), max(speed.samples))]
        made.add_row(
            speed.way, *rates, f"{speed.median * height * width * channels / 1e6:,.0f}", f"{speed.first:.2f} s"
        )
    return made


def to_json(found: Sequence[Speed]) -> list[dict[str, Any]]:
    """As data."""
    return [asdict(speed) for speed in found]
