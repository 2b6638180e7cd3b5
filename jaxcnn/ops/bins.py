"""Reading along one axis of an array: each output a few positions, as a table says, or all those of a bin.

A table is (outputs, most), the positions that each output reads, and -1 where it reads fewer. Resizing reads so, and so
do `unfold` and the transposes of both. Bin i holds the positions starts[i], ..., stops[i] - 1; bins may overlap.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.export import is_symbolic_dim

Positions = np.ndarray[Any, Any]

# A sum over more positions than this is one gather: written out, it would take long to compile.
UNROLLED = 16


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
        return gathered(x, self.axis, self.positions, fill)

    def sum(self, x: Array) -> Array:
        """The sum of each bin."""
        return summed(x, self.axis, self.positions)

    def first_maximum(self, x: Array) -> tuple[Array, Array]:
        """The maximum of each bin, and the position along the axis where it stands first."""
        at = self.gathered(x, -jnp.inf).argmax(self.axis + 1) + along(self.starts, self.axis, x.ndim)
        return jnp.take_along_axis(x, at, self.axis), at


def counting(length: Any) -> Any:
    """0, ..., length - 1, by NumPy; by JAX where `jax.export` leaves the length open."""
    return jnp.arange(length) if is_symbolic_dim(length) else np.arange(length)


def gathered(x: Array, axis: int, at: Positions, fill: float) -> Array:
    """x with two axes in the axis's place, (outputs, most): what the table `at` reads, and `fill` where it has -1."""
    if np.array_equal(at.ravel(), np.arange(x.shape[axis])):  # every position once, in order: nothing to gather
        return x.reshape(*x.shape[:axis], *at.shape, *x.shape[axis + 1 :])
    taken = jnp.take(x, np.maximum(at, 0), axis, mode="clip")
    inside = at >= 0
    return taken if inside.all() else jnp.where(along(inside, axis, x.ndim), taken, jnp.asarray(fill, x.dtype))


def summed(x: Array, axis: int, at: Positions, weights: Positions | None = None) -> Array:
    """Σ_m weights[i, m] x[at[i, m]] along the axis for each output i; without weights they are 1. A -1 adds 0."""
    most, tiles = at.shape[1], np.array_equal(at.ravel(), np.arange(x.shape[axis]))
    step = most if tiles or most > UNROLLED else 1  # one position of every output at a time XLA fuses into one loop
    total = jnp.zeros((), x.dtype)
    for start in range(0, most, step):
        part = slice(start, start + step)
        taken = gathered(x, axis, at[:, part], 0)
        if weights is not None:
            taken = taken * along(weights[:, part], axis, x.ndim).astype(x.dtype)
        total = total + taken.sum(axis + 1)
    return total


def readers(at: Positions, length: int) -> Positions:
    """The table of the transpose: for each of `length` positions which entries of `at`, counted row by row, name it."""
    order = np.argsort(at.ravel(), kind="stable")
    named, q = at.ravel()[order], np.arange(length)
    positions = Bins(0, np.searchsorted(named, q), np.searchsorted(named, q, "right")).positions
    return np.where(positions >= 0, order[positions], -1)


def along(values: Positions | Array, axis: int, rank: int) -> Array:
    """Values for each position of an axis, such that they broadcast over an array of this rank."""
    return jnp.asarray(values).reshape(*values.shape, *[1] * (rank - axis - 1))


def adaptive_bins(axis: int, length: int, count: int) -> Bins:
    """PyTorch's adaptive bins: i reads from floor(i W / O) to ceil((i + 1) W / O), O bins over W positions."""
    i = np.arange(count)
    return Bins(axis, i * length // count, -(-(i + 1) * length // count))
