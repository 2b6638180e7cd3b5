"""Where a step's images come from: the device's memory, or a stream of batches that are read ahead."""

import signal
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, Protocol

import jax
import numpy as np
from jax import Array

from jaxcnn.data.ahead import read_ahead
from jaxcnn.data.batches import Batch, Labels, batch_rows, order_of
from jaxcnn.data.dataset import Images
from jaxcnn.train.placement import Placement


class Feed(ABC):
    """Gives the batches of an epoch. Where in it the next step stands is all that a checkpoint needs to know.

    `waited` are the seconds, since the beginning, for which the devices had nothing to do since the next batch was not
    there yet.
    """

    waited = 0.0

    @abstractmethod
    def rest_of_epoch(self, step: int) -> Iterator[tuple[Array, Array]]:
        """The images and labels, on the devices, of each step after `step` steps, to the end of their epoch."""

    def running(self, metrics: Any) -> None:  # noqa: B027  (most feeds need not know)
        """A step has been begun, which is done when the arrays in `metrics` are there."""

    def close(self) -> None:  # noqa: B027
        """Stop reading ahead; the next batch that is asked for begins anew."""


class Rows(Protocol):
    """Says which rows of the dataset each step takes."""

    def rest_of_epoch(self, step: int) -> Iterator[np.ndarray]:
        """The rows (batch_size,) of each step after `step` steps, to the end of their epoch."""
        ...


@dataclass(frozen=True)
class Order:
    """Which rows of the dataset each step takes: decided by the seed and the step alone.

    Attributes: the labels (n,) of all rows; images of a batch; the seed; whether classes come alike often.
    """

    labels: Labels
    batch_size: int
    seed: int
    balanced: bool

    def rest_of_epoch(self, step: int) -> Iterator[np.ndarray]:
        """The rows (batch_size,) of each step after `step` steps, to the end of their epoch."""
        epoch, start = divmod(step, self.steps_per_epoch)
        return batch_rows(
            self.labels, self.batch_size, seed=self.seed, epoch=epoch, start=start, balanced=self.balanced
        )

    @property
    def steps_per_epoch(self) -> int:
        return len(self.labels) // self.batch_size

    def of_epoch(self, epoch: int) -> np.ndarray:
        """The rows (n,) of an epoch, of which each step takes the next `batch_size`."""
        return order_of(self.labels, self.seed, epoch, self.balanced)


class InMemory(Feed):
    """A feed of a dataset that lies on the devices whole; a batch is gathered there."""

    def __init__(self, images: Images | Array, labels: Labels | Array, order: Rows, placement: Placement) -> None:
        self._images, self._labels = placement.whole((images, labels))
        self._order, self._placement = order, placement

    def in_order(self, order: Rows) -> "InMemory":
        """The same images, which are on the devices already, in another order."""
        return InMemory(self._images, self._labels, order, self._placement)

    def rest_of_epoch(self, step: int) -> Iterator[tuple[Array, Array]]:
        for rows in self._order.rest_of_epoch(step):
            yield _gathered(
                self._images, self._labels, self._placement.batch(self._placement.part(rows.astype(np.int32)))
            )


@jax.jit
def _gathered(images: Array, labels: Array, rows: Array) -> tuple[Array, Array]:
    def taken(array: Array) -> Array:
        return array.at[rows].get(mode="promise_in_bounds")

    return taken(images), taken(labels)


class Batches:
    """The batch of each step, read when it is asked for; of it this process's `part` of the places."""

    def __init__(self, images: Images, order: Order, part: np.ndarray, steps: int) -> None:
        self._images, self._order, self._part, self._steps = images, order, part, steps
        self._epochs: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        epoch, place = divmod(step, self._order.steps_per_epoch)
        order = self._epochs.get(epoch)
        if order is None:
            order = self._order.of_epoch(epoch)
            # The epoch before is kept, since some threads may still be in it.
            self._epochs = {e: rows for e, rows in self._epochs.items() if e == epoch - 1} | {epoch: order}
        rows = order[place * self._order.batch_size :][: self._order.batch_size][self._part]
        return self._images[rows], self._order.labels[rows]


class Streamed(Feed):
    """A feed of batches that are read ahead of the steps, across the ends of epochs, and sent to the devices.

    Who reads is told by `workers`, see `read_ahead`. Beside what these hold, there are `AHEAD` batches on the devices.
    """

    AHEAD = 2

    def __init__(self, images: Images, order: Order, placement: Placement, workers: int, steps: int) -> None:
        """`steps` are those of all epochs."""
        part = placement.part(np.arange(order.batch_size))
        self._batches, self._steps_per_epoch = Batches(images, order, part, steps), order.steps_per_epoch
        self._placement, self._workers = placement, workers
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="feed", initializer=_leave_signals_to_others)
        self._source: Generator[Batch, None, None] | None = None
        self._ahead: deque[Future[tuple[Array, Array]]] = deque()
        self._step = -1  # of the batch that comes next
        self._running: Any = None

    def rest_of_epoch(self, step: int) -> Iterator[tuple[Array, Array]]:
        for number in range(step, step - step % self._steps_per_epoch + self._steps_per_epoch):
            if number >= len(self._batches):  # after the last epoch nothing is read ahead
                yield self._placement.batch(self._batches[number])
                continue
            if self._step != number:
                self._begin(number)
            yield self._next()

    def running(self, metrics: Any) -> None:
        self._running = metrics

    def close(self) -> None:
        wait([self._end()])

    def _end(self) -> Future[None]:
        """Begin to end the workers, which takes them a while."""
        for batch in self._ahead:
            batch.cancel()
        self._ahead.clear()
        source, self._source, self._step = self._source, None, -1
        return self._sender.submit(source.close if source else lambda: None)

    def _begin(self, step: int) -> None:
        self._end()
        self._source = read_ahead(self._batches, start=step, workers=self._workers)
        self._step = step
        for _ in range(self.AHEAD):
            self._send_another()

    def _next(self) -> tuple[Array, Array]:
        step, self._step = self._step, -1  # to begin anew where this one fails
        batch = self._ahead.popleft()
        if not batch.done():
            jax.block_until_ready(self._running)
            began = time.perf_counter()
            wait([batch])
            self.waited += time.perf_counter() - began
        images, labels = batch.result()
        self._step = step + 1
        self._send_another()
        return images, labels

    def _send_another(self) -> None:
        if self._step + len(self._ahead) < len(self._batches):
            assert self._source is not None
            self._ahead.append(self._sender.submit(self._send, self._source))
        elif not self._ahead:
            self._end()

    def _send(self, source: Iterator[Batch]) -> tuple[Array, Array]:
        images, labels = next(source)
        if self._workers:  # shared memory, which JAX would keep in use
            images, labels = np.array(images), np.array(labels)
        return self._placement.batch((images, labels))


def _leave_signals_to_others() -> None:
    """Ctrl-C reaches all processes of a terminal, SIGTERM may: workers, started from here, are not to hear them.

    The training process does, finishes its step, for which it may need a batch, and ends them.
    """
    if hasattr(signal, "pthread_sigmask"):  # not on Windows
        resource_tracker.ensure_running()  # started later, it would let this thread hear them again
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
