"""Where a step's images come from: all of them lie on the device, and the rows of a batch travel."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import jax
import numpy as np
from jax import Array

from jaxcnn.data.batches import Images, Labels, batch_rows
from jaxcnn.train.placement import Placement


class Feed(Protocol):
    """Gives the batches of an epoch. Where in it the next step stands is all that a checkpoint needs to know."""

    def rest_of_epoch(self, step: int) -> Iterator[tuple[Array, Array]]:
        """The images and labels, on the devices, of each step after `step` steps, to the end of their epoch."""
        ...

    @property
    def waited(self) -> float:
        """Seconds for which a device had nothing to do since its next batch was not there yet, since the beginning."""
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
        epoch, start = divmod(step, len(self.labels) // self.batch_size)
        return batch_rows(
            self.labels, self.batch_size, seed=self.seed, epoch=epoch, start=start, balanced=self.balanced
        )


class InMemory:
    """A feed of a dataset that lies on the devices whole; a batch is gathered there."""

    waited = 0.0

    def __init__(self, images: Images, labels: Labels, order: Order, placement: Placement) -> None:
        self._images, self._labels = placement.whole((images, labels))
        self._order, self._placement = order, placement

    def rest_of_epoch(self, step: int) -> Iterator[tuple[Array, Array]]:
        for rows in self._order.rest_of_epoch(step):
            yield _gathered(self._images, self._labels, self._placement.batch(rows.astype(np.int32)))


@jax.jit
def _gathered(images: Array, labels: Array, rows: Array) -> tuple[Array, Array]:
    def taken(array: Array) -> Array:
        return array.at[rows].get(mode="promise_in_bounds")

    return taken(images), taken(labels)
