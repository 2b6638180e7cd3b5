"""An operation's call as a reader steps through it: arrays as grids of cells, and what each entry is made of."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from jaxcnn.report.show.array import Grid, entries, grid
from jaxcnn.report.show.numbers import number
from jaxcnn.report.show.shares import Named, Shares

Part = tuple[int, int, str, str, float]


@dataclass(frozen=True)
class Pair:
    """An array and its cotangent, None where it has none; and as text each entry's index, value and cotangent."""

    value: Grid
    cotangent: Grid | None
    listing: list[tuple[str, str, str]]


@dataclass(frozen=True)
class Steps:
    """A call.

    Attributes:
      inputs, outputs: the arrays.
      parts: for each output and each of its entries the entries that it depends on, as (input, entry, derivative, share
        of dy, derivative beside the largest of that input's, from -1 to 1).
    """

    inputs: list[Pair]
    outputs: list[Pair]
    parts: list[list[list[Part]]]


def steps(found: Shares) -> Steps:
    """What a page shows of a call; a derivative that is 0 but for rounding is none."""
    largest = [
        max((float(np.abs(matrix).max(initial=0)) for matrix in of_input if matrix is not None), default=0)
        for of_input in zip(*found.slopes, strict=True)
    ]

    def parts(output: int, entry: int) -> Iterator[Part]:
        dy = float(found.outputs[output].cotangent.flat[entry])
        for i, matrix in enumerate(found.slopes[output]):
            for j in [] if matrix is None else np.flatnonzero(np.abs(matrix[entry]) > 1e-9).tolist():
                slope = float(matrix[entry, j])
                yield i, j, number(slope), number(slope * dy), round(slope / largest[i], 2)

    return Steps(
        [_pair(named) for named in found.inputs],
        [_pair(named) for named in found.outputs],
        [[list(parts(k, p)) for p in range(out.value.size)] for k, out in enumerate(found.outputs)],
    )


def _pair(named: Named) -> Pair:
    listed = entries(named.name, named.value)
    if named.cotangent is None:
        return Pair(grid(named.name, named.value), None, [(*entry, "") for entry in listed])
    back = (number(float(d)) for d in named.cotangent.flat)
    return Pair(
        grid(named.name, named.value),
        grid(f"d{named.name}", named.cotangent),
        [(*entry, d) for entry, d in zip(listed, back, strict=True)],
    )
