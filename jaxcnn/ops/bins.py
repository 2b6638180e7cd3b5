"""Bins along one axis of an array: bin i holds the positions starts[i], ..., stops[i] - 1; bins may overlap.

Adaptive pooling reads bins, and so do the transposes of resizing.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

Positions = np.ndarray[Any, Any]


class Bins(NamedTuple):
    """Where the bins along `axis` begin, and where the next position after each lies."""

    axis: int
    starts: Positions
    stops: Positions

    @property
    def lengths(self) -> Positions:
        """How many positions each bin has; some may have none."""
        return self.stops - self.starts

    @property
    def positions(self) -> Positions:
        """(bins, longest): the positions that each bin holds, and -1 behind the end of a shorter one."""
        steps = np.arange(max(self.lengths.max(), 1))
        return np.where(steps < self.lengths[:, None], self.starts[:, None] + steps, -1)

    def gathered(self, x: Array, fill: float) -> Array:
        """x with two axes in the axis's place, (bins, longest); `fill` behind the end of a bin."""
        at = self.positions
        if self._tile(x):
            return x.reshape(*x.shape[: self.axis], *at.shape, *x.shape[self.axis + 1 :])
        taken = jnp.take(x, np.maximum(at, 0), self.axis, mode="clip")
        inside = (at >= 0).reshape(*at.shape, *[1] * (x.ndim - self.axis - 1))
        return taken if inside.all() else jnp.where(inside, taken, jnp.asarray(fill, x.dtype))

    def sum(self, x: Array) -> Array:
        """The sum of each bin."""
        if self._tile(x):
            return self.gathered(x, 0).sum(self.axis + 1)
        total = jnp.zeros((), x.dtype)  # one position of every bin at a time, which XLA fuses into one loop
        for at in self.positions.T:
            taken = jnp.take(x, np.maximum(at, 0), self.axis, mode="clip")
            total = total + jnp.where(along(at >= 0, self.axis, x.ndim), taken, 0)
        return total

    def _tile(self, x: Array) -> bool:
        """Whether the bins lie side by side and cover the axis, all of one length: nothing to gather."""
        return np.array_equal(self.positions.ravel(), np.arange(x.shape[self.axis]))

    def first_maximum(self, x: Array) -> tuple[Array, Array]:
        """The maximum of each bin, and the position along the axis where it stands first."""
        at = self.gathered(x, -jnp.inf).argmax(self.axis + 1) + along(self.starts, self.axis, x.ndim)
        return jnp.take_along_axis(x, at, self.axis), at


def along(values: Positions, axis: int, rank: int) -> Array:
    """One value for each position of an axis, such that they broadcast over an array of this rank."""
    return jnp.asarray(values).reshape(-1, *[1] * (rank - axis - 1))


def adaptive_bins(axis: int, length: int, count: int) -> Bins:
    """PyTorch's adaptive bins: i reads from floor(i W / O) to ceil((i + 1) W / O), O bins over W positions."""
    i = np.arange(count)
    return Bins(axis, i * length // count, -(-(i + 1) * length // count))
