"""What the summary says of one layer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from jaxcnn.ops.geometry import Padding, Pair, PerAxis, extent, output_size, per_axis, resolve_padding, unseen
from jaxcnn.ops.pad import MODES, Mode


@dataclass(frozen=True)
class Field:
    """The receptive field of one value: how many input positions it depends on, along each spatial axis.

    `jump` is the distance in the input between the fields of neighbours: below 1 where the image was enlarged. A
    window of extent E and stride S makes size + (E - 1) jump of size, and jump S of jump. `whole` means that every
    input position counts. The size is what the windows span, padding included, so it may exceed the image. Resizing
    makes fractions: a 3-tap window on an image of twice the size spans two positions of the original, and is shown
    rounded up.
    Source: Araujo, Norris & Sim 2019, "Computing receptive fields of convolutional neural networks", equation 2.
    """

    size: tuple[int | Fraction, ...]
    jump: tuple[int | Fraction, ...]
    whole: bool = False

    def through(
        self,
        sizes: Sequence[int],
        window: PerAxis,
        stride: PerAxis,
        padding: Padding,
        dilation: PerAxis = 1,
        padding_mode: Mode = "zeros",
    ) -> tuple["Field", tuple[int, ...]]:
        """The field after sliding a window, and how many of each axis's `sizes` positions no window touches."""
        n = len(sizes)
        windows, strides = per_axis("summary", "size", window, n), per_axis("summary", "stride", stride, n)
        dilations = per_axis("summary", "dilation", dilation, n)
        pads = resolve_padding("summary", padding, sizes, windows, strides, dilations)
        axes = list(zip(sizes, windows, strides, pads, dilations, strict=True))
        grown = (r + (extent(k, d) - 1) * j for r, j, (_, k, _, _, d) in zip(self.size, self.jump, axes, strict=True))
        field = replace(self, size=tuple(grown), jump=tuple(j * s for j, s in zip(self.jump, strides, strict=True)))
        return field, tuple(_unseen(*axis, padding_mode) for axis in axes)

    def upsampled(self, window: PerAxis, stride: PerAxis, dilation: PerAxis) -> "Field":
        """The field after a transposed convolution: neighbours move `stride` times closer together.

        Of the inputs, `stride` apart, a window of extent E reaches ceil(E / stride) at most.
        """
        n = len(self.size)
        sizes = (per_axis("summary", *given, n) for given in (("size", window), ("dilation", dilation)))
        strides = per_axis("summary", "stride", stride, n)
        reached = ((extent(k, d) - 1) // s for k, d, s in zip(*sizes, strides, strict=True))
        grown = tuple(r + more * j for r, j, more in zip(self.size, self.jump, reached, strict=True))
        return replace(self, size=grown, jump=tuple(Fraction(j, s) for j, s in zip(self.jump, strides, strict=True)))

    def resized(self, sizes: Sequence[int], new: Sequence[int], reach: Sequence[int]) -> "Field":
        """The field after an operation to `new` sizes of which each output reads up to `reach` positions in a row.

        Between neighbours lie sizes / new positions, no whole number perhaps.
        """
        size = (r + (n - 1) * j for r, j, n in zip(self.size, self.jump, reach, strict=True))
        jump = (j * Fraction(w, o) for j, w, o in zip(self.jump, sizes, new, strict=True))
        return replace(self, size=tuple(size), jump=tuple(jump))

    def joined(self, other: "Field") -> "Field":
        """The field of a sum or concatenation of two branches."""
        return Field(
            tuple(map(max, self.size, other.size)),
            tuple(map(max, self.jump, other.jump)),
            self.whole or other.whole,
        )

    def everything(self) -> "Field":
        """The field after an operation that mixes all positions."""
        return replace(self, whole=True)

    def __str__(self) -> str:
        return "all" if self.whole else "×".join(str(math.ceil(size)) for size in self.size)


def _unseen(size: int, window: int, stride: int, padding: Pair, dilation: int, mode: Mode) -> int:
    """`unseen`, where the padding may show positions, too."""
    if mode == "zeros":
        return unseen(size, window, stride=stride, padding=(padding,), dilation=dilation)
    shown = np.pad(np.arange(size), padding, mode=MODES[mode])  # type: ignore[call-overload]
    places = range(output_size(len(shown), window, stride=stride, dilation=dilation))
    return size - len({int(shown[o * stride + k * dilation]) for o in places for k in range(window)})


@dataclass(frozen=True)
class Row:
    """One layer in the summary. `shape` is without the batch; counts are numbers of values."""

    path: str
    kind: str
    shape: tuple[int, ...]
    trainable: int
    fixed: int
    multiply_adds: int
    field: Field
    unseen: tuple[int, ...]

    def under(self, name: str) -> "Row":
        """This row as part of the layer called `name`."""
        return replace(self, path=f"{name}/{self.path}" if self.path else name)
