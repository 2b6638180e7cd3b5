"""An array as a picture: its planes side by side, each a grid of cells."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from jaxcnn.report.show.numbers import number

# In pixels: a cell, the gap between planes, the line above a plane that says which it is.
WIDTH, HEIGHT, GAP, CAPTION = 44, 36, 14, 18
PLANES = 4  # side by side


@dataclass(frozen=True)
class Cell:
    """An entry: its place in the flattened array and among all cells of the picture, its index, and its value."""

    entry: int
    row: int
    column: int
    x: int
    y: int
    index: str
    text: str


@dataclass(frozen=True)
class Plane:
    """Two axes of an array for one index of each other: its caption and rows of cells."""

    caption: str
    x: int
    y: int
    rows: list[list[Cell]]


@dataclass(frozen=True)
class Grid:
    """All planes of an array, and in pixels the picture's size and a cell's."""

    name: str
    shape: str
    planes: list[Plane]
    width: int
    height: int
    cell: tuple[int, int] = (WIDTH, HEIGHT)


def grid(name: str, array: Any) -> Grid:
    """The picture of an array of rank 0 to 4: (h, w) planes, one for each example and channel."""
    axes = _axes(name, array.ndim)
    high, wide = (_length(array, axes, axis) for axis in "hw")
    others = [axis for axis in range(array.ndim) if axes[axis] not in "hw"]
    many = [axis for axis in others if array.shape[axis] > 1]
    places = list(product(*(range(array.shape[axis]) for axis in others)))
    caption = CAPTION if many else 0
    planes = []
    for number_of, place in enumerate(places):
        down, right = divmod(number_of, PLANES)
        fixed = dict(zip(others, place, strict=True))
        x, y = right * (wide * WIDTH + GAP), down * (caption + high * HEIGHT + GAP)
        rows = [
            [
                _cell(array, axes, fixed, row, column, down * high, right * wide, x, y + caption)
                for column in range(wide)
            ]
            for row in range(high)
        ]
        planes.append(Plane(", ".join(f"{axes[axis]} = {fixed[axis]}" for axis in many), x, y, rows))
    across, along = min(len(planes), PLANES), math.ceil(len(planes) / PLANES)
    return Grid(
        name,
        f"({','.join(map(str, array.shape))}{',' * (array.ndim == 1)})",
        planes,
        across * (wide * WIDTH + GAP) - GAP,
        along * (caption + high * HEIGHT + GAP) - GAP,
    )


def index_of(name: str, array: Any, entry: int) -> str:
    """The index of an entry, without the axes of length 1: "x[1, 2]"; the name alone where it is the only one."""
    place = np.unravel_index(entry, array.shape)
    shown = [str(i) for i, length in zip(place, array.shape, strict=True) if length > 1]
    return f"{name}[{', '.join(shown)}]" if shown else name


def entries(name: str, array: Any) -> Iterator[tuple[str, str]]:
    """Each entry's index and value."""
    for entry, value in enumerate(array.flat):
        yield index_of(name, array, entry), number(value)


def _axes(name: str, rank: int) -> str:
    """A letter for each axis; rows are h, columns w. Kernels have their window in front, images the batch."""
    if name.endswith("kernel") and rank > 2:
        return "hwio"[:rank] if rank > 3 else "hwo"
    return ["", "w", "hw", "nhw", "nhwc"][rank]


def _length(array: Any, axes: str, axis: str) -> int:
    return array.shape[axes.index(axis)] if axis in axes else 1


def _cell(
    array: Any, axes: str, fixed: dict[int, int], row: int, column: int, above: int, before: int, x: int, y: int
) -> Cell:
    here = {"h": row, "w": column}
    place = tuple(here[letter] if letter in here else fixed[axis] for axis, letter in enumerate(axes))
    entry = int(np.ravel_multi_index(place, array.shape)) if place else 0
    return Cell(
        entry,
        above + row,
        before + column,
        x + column * WIDTH,
        y + row * HEIGHT,
        index_of("", array, entry),
        number(float(array[place])),
    )
