"""A wrong cotangent beside the right one, and rearrangements of arrays to compare it with."""

import itertools
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np

Array = np.ndarray[Any, Any]


class Mistake:
    """A wrong cotangent beside the right one, in float64, and when another array counts as equal to the wrong one."""

    def __init__(self, wrong: Any, right: Any) -> None:
        digits = float(jnp.finfo(wrong.dtype).eps)  # type: ignore[no-untyped-call]
        self.wrong, self.right = np.asarray(wrong, np.float64), np.asarray(right, np.float64)
        self.tolerance = max(1e-6, 8 * digits)
        self.scale = float(np.max(np.abs(self.wrong), initial=0.0)) or float(np.max(np.abs(self.right), initial=0.0))
        self.visible = not self._close(self.right)
        self.in_float32 = digits < 1e-12 and bool(
            np.max(np.abs(self.wrong - self.right), initial=0.0) > 1e-9 * self.scale
        )

    def _close(self, other: Array) -> bool:
        return bool(np.max(np.abs(self.wrong - other), initial=0.0) <= self.tolerance * self.scale)

    def explained_by(self, other: Any) -> bool:
        """Whether `other` is the wrong cotangent."""
        return other is not None and np.shape(other) == self.wrong.shape and self._close(np.asarray(other, np.float64))


def axes_names(axes: tuple[int, ...], ndim: int) -> str:
    """The axes in words: "axis 0", "axes 0, 1" or "all axes"."""
    if len(axes) == ndim and ndim > 1:
        return "all axes"
    return f"axis {axes[0]}" if len(axes) == 1 else f"axes {', '.join(map(str, axes))}"


def flips(array: Any) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The array flipped along every set of its axes that has more than one entry, fewest axes first."""
    long = [axis for axis in range(array.ndim) if array.shape[axis] > 1]
    for count in range(1, len(long) + 1):
        for axes in itertools.combinations(long, count):
            yield axes, jnp.flip(array, axes)


def swaps(array: Any) -> Iterator[tuple[tuple[int, int], Any]]:
    """The array with two axes swapped, and read in its old shape."""
    for a, b in itertools.combinations(range(array.ndim), 2):
        yield (a, b), jnp.swapaxes(array, a, b).reshape(array.shape)
