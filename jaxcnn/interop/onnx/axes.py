"""Which axes of our arrays those of ONNX's arrays are.

ONNX has channels first, (n, c, *spatial), and we have them last. So where a node of ONNX reshapes, transposes, flattens
or squeezes, nothing is moved here: only which axes are meant changes, until a layer comes that has to have them so.
"""

import math
from typing import NamedTuple, Self

import numpy as np


class Value(NamedTuple):
    """An array of ONNX's as it is here.

    Attributes:
      sizes: of our array, (n, *spatial, c) or (n, c).
      axes: for each axis of ONNX's array those of ours that it runs through, the slowest first; axes of length 1 may be
        left out. A flattened (n, c, h, w) is ((0,), (3, 1, 2)), a pooled (n, c, 1, 1) may be ((0,), (1,), (), ()).
      flat: whether ours was flattened as well, to (n, h w c).
    """

    sizes: tuple[int, ...]
    axes: tuple[tuple[int, ...], ...]
    flat: bool = False

    @property
    def ours(self) -> tuple[int, ...]:
        """The shape of our array."""
        return (self.sizes[0], math.prod(self.sizes[1:])) if self.flat else self.sizes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ONNX's array."""
        return tuple(math.prod(self.sizes[axis] for axis in axes) for axes in self.axes)

    @property
    def channel(self) -> int:
        """Our last axis."""
        return len(self.sizes) - 1

    def longer(self, place: int) -> tuple[int, ...]:
        """The axes at a place of ONNX's without those of length 1."""
        return tuple(longer for axis in self.axes[place] for longer in _longer(self.sizes, axis))

    def has_channels(self, place: int) -> bool:
        """Whether this axis of ONNX's is our last one, alone."""
        return not self.flat and self.longer(place) == _longer(self.sizes, self.channel)

    def is_image(self) -> bool:
        """Whether ONNX's array is (n, c, *spatial) where ours is (n, *spatial, c)."""
        order = (0, self.channel, *range(1, self.channel))
        there = [self.longer(place) for place in range(len(self.axes))]
        return not self.flat and self.channel > 1 and there == [_longer(self.sizes, axis) for axis in order]

    def is_pooled(self) -> bool:
        """Whether ONNX's array is (n, c, 1, ...) where ours is (n, c)."""
        return len(self.sizes) == 2 and len(self.axes) > 2 and self.has_channels(1)

    def reshaped(self, shape: tuple[int, ...]) -> Self | None:
        """The same values in another shape of ONNX's; None where it would cut up an axis of ours, or the batch."""
        left = [axis for place in range(len(self.axes)) for axis in self.longer(place)]
        if left[0] != 0 or shape[:1] != self.sizes[:1]:
            return None
        left.pop(0)
        axes: list[tuple[int, ...]] = [(0,)]
        for length in shape[1:]:
            taken: list[int] = []
            while left and math.prod(self.sizes[axis] for axis in taken) < length:
                taken.append(left.pop(0))
            if math.prod(self.sizes[axis] for axis in taken) != length:
                return None
            axes.append(tuple(taken))
        return None if left else self._replace(axes=tuple(axes))

    def in_our_order(self, array: np.ndarray, place: int) -> np.ndarray:
        """An array whose first axis runs as this one of ONNX's, with that axis in the order of ours."""
        axes = self.longer(place)
        apart = array.reshape(*(self.sizes[axis] for axis in axes), *array.shape[1:])
        order = np.argsort(axes)
        return apart.transpose(*order, *range(len(axes), apart.ndim)).reshape(array.shape)


def _longer(sizes: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The axis, unless its length is 1. Of the batch, which has any length, it is not asked."""
    return () if axis and sizes[axis] == 1 else (axis,)


def image(sizes: tuple[int, ...]) -> Value:
    """ONNX's (n, c, *spatial), of our (n, *spatial, c)."""
    last = len(sizes) - 1
    return Value(sizes, ((0,), (last,), *((axis,) for axis in range(1, last))))
