"""A graph of layers as a tree: what lies between a fork and the join of its branches is one part of a chain.

Residual networks, Inception, DenseNet, U-Net and squeeze-and-excitation are such graphs ("series-parallel": Valdes,
Tarjan & Lawler 1982). A part begins at the nearest value through which everything goes that reaches its end: its
dominator (Cooper, Harvey & Kennedy 2001, "A simple, fast dominance algorithm", whose `intersect` is `_meet`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Literal

import numpy as np

from jaxcnn.interop.onnx.file import Node
from jaxcnn.layers import Layer

Join = Literal["add", "concat", "multiply"]


@dataclass(frozen=True)
class Affine:
    """scale x + shift with constants, one for each channel: what the file writes as Add, Sub, Mul or Div."""

    scale: np.ndarray
    shift: np.ndarray

    @property
    def number(self) -> tuple[float, float] | None:
        """Scale and shift, if they are the same for all channels."""
        same = self.scale.min() == self.scale.max() and self.shift.min() == self.shift.max()
        return (float(self.scale.flat[0]), float(self.shift.flat[0])) if same else None


@dataclass(frozen=True)
class Clip:
    """x held between two numbers."""

    low: float
    high: float


@dataclass(frozen=True)
class Erf:
    """The error function, of which GELU is written."""


@dataclass(frozen=True)
class Leaf:
    """One layer with its arrays, or what becomes a layer with its neighbours; `rank` is of the array that it takes."""

    layer: Layer | Affine | Clip | Erf
    node: Node
    rank: int
    params: dict[str, np.ndarray] = field(default_factory=dict)
    state: dict[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True)
class Fork:
    """Branches from one value, and how their ends are joined; of a product the second factor is the gate."""

    join: Join
    branches: tuple["Series", ...]
    node: Node


Series = list[Leaf | Fork]


@dataclass(frozen=True)
class Step:
    """How a value comes from others: by a layer from one, or by a join from several."""

    inputs: tuple[str, ...]
    node: Node
    by: Leaf | Join


def series(steps: Mapping[str, Step], start: str, end: str) -> Series:
    """The parts from `start` to `end`, one after another; `steps` are in the order in which they are computed.

    Raises: Unreadable, with a node's name, for a graph that is no tree of parts.
    """
    return _Decomposition(steps, start).series(start, end)


class _Decomposition:
    """The dominators of a graph's values, and the parts that have been taken."""

    def __init__(self, steps: Mapping[str, Step], start: str) -> None:
        self.steps = steps
        self.taken: set[str] = set()
        self.above = {start: start}
        self.depth = {start: 0}
        for value, step in steps.items():
            self.above[value] = self._meet(step.inputs)
            self.depth[value] = self.depth[self.above[value]] + 1

    def series(self, start: str, end: str) -> Series:
        parts: Series = []
        while end != start:
            step = self.steps[end]
            if end in self.taken:
                raise step.node.refused(
                    "has an output that several branches share, which are joined at different places: the graph is no "
                    "tree of chains and branches."
                )
            self.taken.add(end)
            parts.append(step.by if isinstance(step.by, Leaf) else self._fork(step, step.inputs))
            end = self.above[end]
        return parts[::-1]

    def _fork(self, step: Step, inputs: tuple[str, ...]) -> Fork:
        """The branches of a join. Neighbours among them that fork only later are a branch together.

        Sums and concatenations may be taken in parts: a chain all of whose values are concatenated at its end is
        concat(x, chain(f, concat(f(x), chain(g, ...)))).
        """
        top = self._meet(inputs)
        groups: list[tuple[str, ...]] = [inputs[:1]]
        for value in inputs[1:]:
            together = (*groups[-1], value)
            if self._meet(together) != top:
                groups[-1] = together
            else:
                groups.append((value,))
        branches = []
        for group in groups:
            branch = self.series(top, self._meet(group))
            branches.append(branch if len(group) == 1 else [*branch, self._fork(step, group)])
        assert not isinstance(step.by, Leaf)
        return Fork(step.by, tuple(branches), step.node)

    def _meet(self, values: tuple[str, ...]) -> str:
        """The nearest value through which all that reaches these goes; of one value itself."""
        return reduce(self._nearest, values)

    def _nearest(self, a: str, b: str) -> str:
        while a != b:
            if self.depth[a] < self.depth[b]:
                a, b = b, a
            a = self.above[a]
        return a
