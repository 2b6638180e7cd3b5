"""The picture of an operation along a line: its value above, its slope below."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxcnn.report.show.curve import Samples
from jaxcnn.report.show.numbers import number

# In pixels.
WIDTH, LEFT, RIGHT, PANEL, TOP, BETWEEN, BOTTOM = 520, 44, 508, 150, 24, 38, 44


@dataclass(frozen=True)
class Panel:
    """One of the two: its label, its lines of the grid, its curves as SVG paths, and the ends at kinks."""

    label: str
    top: float
    bottom: float
    ticks: list[tuple[float, str]]
    paths: list[str]
    open_ends: list[tuple[float, float]]
    taken: list[tuple[float, float]]


@dataclass(frozen=True)
class Plot:
    """A picture of `Samples`: panels, the ticks of x, and for each place (x, y, slope) as text and as pixels."""

    variable: str
    value: str
    left: float
    right: float
    width: int
    height: int
    panels: list[Panel]
    ticks: list[tuple[float, str]]
    places: list[tuple[str, str, str, float, float, float]]
    kinks: list[tuple[str, str, str, str]]


def plot(variable: str, value: str, drawn: Samples) -> Plot:
    """The picture of what `samples` returned."""
    low, high = float(drawn.x[0]), float(drawn.x[-1])
    across = _scale(low, high, LEFT, RIGHT)
    panels, scales = [], []
    for which, label in ((1, value), (2, f"d{value} / d{variable}")):
        top = TOP + (which - 1) * (PANEL + BETWEEN)
        numbers = np.concatenate([piece[which] for piece in drawn.pieces])
        bottom, up = _range(numbers)
        scale = _scale(bottom, up, top + PANEL, top)
        scales.append(scale)
        paths = [_path(across(piece[0]), scale(piece[which])) for piece in drawn.pieces]
        ticks = [(scale(t), number(t)) for t in _ticks(bottom, up)]
        kinks = drawn.kinks if which == 2 else []
        ends = [(across(k.at), scale(side)) for k in kinks for side in (k.left, k.right)]
        taken = [(across(k.at), scale(k.taken)) for k in kinks]
        panels.append(Panel(label, top, top + PANEL, ticks, paths, ends, taken))
    places = [
        (number(x), number(v), number(s), across(x), scales[0](v), scales[1](s))
        for x, v, s in zip(drawn.x.tolist(), drawn.value.tolist(), drawn.slope.tolist(), strict=True)
    ]
    return Plot(
        variable,
        value,
        LEFT,
        RIGHT,
        WIDTH,
        TOP + 2 * PANEL + BETWEEN + BOTTOM,
        panels,
        [(across(t), number(t)) for t in range(int(np.ceil(low)), int(high) + 1)],
        places,
        [(number(k.at), number(k.left), number(k.right), number(k.taken)) for k in drawn.kinks],
    )


def _path(x: Any, y: Any) -> str:
    return "M" + "L".join(f"{right:.1f} {down:.1f}" for right, down in zip(x, y, strict=True))


def _scale(low: float, high: float, start: float, end: float) -> Any:
    return lambda v: start + (v - low) / (high - low) * (end - start)


def _range(values: Any) -> tuple[float, float]:
    """From the least to the largest, with 0 in it and a little room."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    room = 0.06 * (high - low)
    return low - room, high + room


def _ticks(low: float, high: float) -> list[float]:
    """Three to seven round numbers."""
    step = next(s for s in (0.1, 0.25, 0.5, 1, 2, 5, 10) if (high - low) / s <= 6)
    return [step * k for k in range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)]
