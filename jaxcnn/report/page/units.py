"""Units that do nothing: dead ones, and ones that are saturated, on every test image."""

from dataclasses import dataclass

import numpy as np

from jaxcnn.report.page.activity import Range
from jaxcnn.report.page.section import Missing, section
from jaxcnn.report.page.trained import Trained

FLAT = 0.05  # of the largest slope: below it an S-shaped activation is saturated
LISTED = 20


@dataclass(frozen=True)
class LayerUnits:
    """The units (channels, where there are places) of an activation layer.

    Attributes:
      units: how many there are.
      zero: the numbers of those that are 0 for every image, at every place.
      constant: of those that have one other value.
      saturated: of those whose slope is everywhere below `FLAT` of the largest; None where there is no such thing.
    """

    path: str
    kind: str
    units: int
    zero: tuple[int, ...]
    constant: tuple[int, ...]
    saturated: tuple[int, ...] | None

    @property
    def dead(self) -> tuple[int, ...]:
        """Those that say nothing of an image."""
        return tuple(sorted({*self.zero, *self.constant}))

    @property
    def share(self) -> float:
        """Of the units, those that are dead."""
        return len(self.dead) / self.units


@dataclass(frozen=True)
class Units:
    """Of all activation layers, first to last; looked at on so many `images`."""

    layers: list[LayerUnits]
    images: int

    @property
    def units(self) -> int:
        """How many there are in all."""
        return sum(layer.units for layer in self.layers)

    @property
    def dead(self) -> int:
        """How many of these are dead."""
        return sum(len(layer.dead) for layer in self.layers)

    @property
    def saturated(self) -> int:
        """How many are saturated."""
        return sum(len(layer.saturated or ()) for layer in self.layers)

    @property
    def saturating(self) -> bool:
        """Whether any layer is of a kind that saturates."""
        return any(layer.saturated is not None for layer in self.layers)


@section("units", "Dead units")
def units(trained: Trained) -> Units:
    """Raises: Missing where the network has no activation layers."""
    found = trained.activity
    if not found.ranges:
        raise Missing("The network has no activation layers, whose units could be dead.")
    return Units([_units(layer, found.images) for layer in found.ranges], found.images)


def _units(layer: Range, images: int) -> LayerUnits:
    zero = (layer.low == 0) & (layer.high == 0)
    # Of one image a unit without places has one value, whatever it does.
    constant = (layer.low == layer.high) & ~zero & (images > 1)
    saturated = None if layer.slope is None else _numbers(layer.slope < FLAT)
    return LayerUnits(layer.path, layer.kind, len(layer.low), _numbers(zero), _numbers(constant), saturated)


def _numbers(which: np.ndarray) -> tuple[int, ...]:
    return tuple(np.flatnonzero(which).tolist())
