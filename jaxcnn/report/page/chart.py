"""Curves of numbers as paths, which the page stretches to its width: see templates/run/chart.html.

A path's own units run from 0 to SIDE, from the left and from the top, over the range that is drawn. Labels are the
page's text, placed by shares of that range, so that they keep their size on a phone.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Literal, TypeVar

import numpy as np

from jaxcnn.report.page.numbers import number

T = TypeVar("T")
SIDE = 1000
TONES, DASHES = 8, 3  # that the page has for lines, see chart.css
MOST_POINTS = 2000  # of a line: more than a screen has pixels
MOST_OF_ALL = 12_000  # of all lines of a chart, so that the page of many runs is not too large
LOG_FROM = 20.0  # a chart begins on a log scale where its largest value is that many times its smallest
Kind = Literal["number", "percent"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True)
class Line:
    """One quantity over training.

    Attributes:
      name: in the legend.
      x: epochs, from 0 at the beginning, ascending.
      y: its values there; None or not finite where there is none.
      tone: which of the page's colours, see `look`.
      faint: whether it is shown behind the others.
      deviation: where the values are means, the standard deviation of each; None where there is none.
      run: a name that lines of one run share on several charts, by which they are switched on and off.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float | None]
    tone: int = 0
    faint: bool = False
    deviation: Sequence[float | None] | None = None
    run: str = ""


@dataclass(frozen=True)
class Axis:
    """A range of values, and the numbers at its ticks with their places from 0 (low) to 1 (high)."""

    low: float
    high: float
    ticks: list[tuple[float, float]]


@dataclass(frozen=True)
class Path:
    """A line as it is drawn, in SVG's words; `band` is the area within its deviation."""

    line: Line
    curve: dict[Scale, str]
    band: dict[Scale, str]


@dataclass(frozen=True)
class Chart:
    """Lines over the same training.

    Attributes:
      name: its anchor.
      title: what its values are.
      kind: how values are written.
      x, y: the ranges; y for each scale that it can be drawn on, "log" only where all values are above 0.
      scale: the one to begin with.
      per_epoch: steps of an epoch, where all lines have the same.
    """

    name: str
    title: str
    kind: Kind
    x: Axis
    y: dict[Scale, Axis]
    scale: Scale
    paths: list[Path] = field(repr=False)
    per_epoch: float | None = None

    @property
    def data(self) -> dict[str, object]:
        """The numbers, for the page's script."""
        return {
            "kind": self.kind,
            "scale": self.scale,
            "perEpoch": self.per_epoch,
            "x": [self.x.low, self.x.high],
            "y": {scale: [axis.low, axis.high] for scale, axis in self.y.items()},
            "lines": [
                {
                    "name": path.line.name,
                    "x": [_digits(x, 7) for x in path.line.x],
                    "y": [y if y is None else _digits(y, 6) for y in path.line.y],
                    "deviation": path.line.deviation
                    and [d if d is None else _digits(d, 3) for d in path.line.deviation],
                }
                for path in self.paths
            ],
        }

    def last(self, line: Line) -> str:
        """The last value of a line as text, with its deviation where there is one."""
        place = max((i for i, y in enumerate(line.y) if y is not None), default=0)
        deviation = line.deviation[place] if line.deviation else None
        return self.text(line.y[place]) + ("" if deviation is None else f" ± {self.text(deviation)}")

    def text(self, value: float | None) -> str:
        """A value as text."""
        if value is None:
            return "–"
        return f"{100 * value:.2f} %" if self.kind == "percent" else number(value)

    def tick(self, value: float) -> str:
        """The number at a tick of y."""
        return f"{100 * value:.4g} %" if self.kind == "percent" else number(value)


def chart(
    name: str,
    title: str,
    lines: Iterable[Line],
    *,
    kind: Kind = "number",
    log: bool = False,
    begin: Scale | None = None,
    within: tuple[float, ...] = (),
    lowest: float | None = None,
    per_epoch: float | None = None,
) -> Chart | None:
    """The chart of these lines; None where they have no value at all.

    Args:
      log: whether a log scale makes sense.
      begin: the scale to begin with, by default log where values are far apart.
      within: values that are within the range beside those of the lines.
      lowest: where the range begins, whatever lies below.
    """
    given = [_known(line) for line in lines if len(line.x)]
    shown = [thinned(line, min(MOST_POINTS, MOST_OF_ALL // len(given))) for line in given]
    values = np.array([y for line in shown for y in line.y if y is not None], float)
    if not len(values):
        return None
    ends = [x for line in shown for x in (line.x[0], line.x[-1])]
    alone = len(set(ends)) == 1  # a dot, which is not to be cut by the edge
    x = _axis(0.0 if alone else min(ends), (1.1 if alone else 1.0) * max(ends), 7, room=0.0)
    low, high = _reach(shown)
    low, high = min(low, *within, low) if lowest is None else lowest, max(high, *within, high)
    y: dict[Scale, Axis] = {"linear": _axis(low, high, 5)}
    scale: Scale = "linear"
    if log and values.min() > 0:
        y["log"] = _log_axis(float(values.min()), float(values.max()))
        scale = begin or ("log" if values.max() > LOG_FROM * values.min() else "linear")
    paths = [_path(line, x, y) for line in shown]
    return Chart(name, title, kind, x, y, scale, paths, per_epoch)


def thinned(line: Line, most: int) -> Line:
    """A line of no more points than that: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(line.x) <= most:
        return line
    kept = {0, len(line.x) - 1}
    for stretch in np.array_split(np.arange(len(line.x)), max((most - 2) // 2, 1)):
        values = np.array([_or(line.y[i], math.nan) for i in stretch])
        if np.isfinite(values).any():
            kept |= {int(stretch[np.nanargmin(values)]), int(stretch[np.nanargmax(values)])}
    order = sorted(kept)
    deviation = line.deviation and [line.deviation[i] for i in order]
    return replace(line, x=[line.x[i] for i in order], y=[line.y[i] for i in order], deviation=deviation)


def look(tone: int) -> str:
    """The classes of a line in that tone: behind the last colour the first comes again, dashed."""
    return f"tone{tone % TONES} dash{tone // TONES % DASHES}"


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many round numbers from low to high: multiples of 1, 2 or 5 times a power of ten."""
    span = high - low
    if span <= 0:
        return [low]
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(f * power for f in (1, 2, 5, 10, 20) if span / (f * power) < most)
    return [_digits(step * k, 12) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def _known(line: Line) -> Line:
    """The line, whose values that are not finite are None."""
    return replace(line, y=[None if v is None or not math.isfinite(v) else float(v) for v in line.y])


def _reach(lines: Sequence[Line]) -> tuple[float, float]:
    """The lowest and the highest value of all, deviations included."""
    sides = [
        y + sign * (d or 0.0)
        for line in lines
        for y, d in zip(line.y, line.deviation or [None] * len(line.y), strict=True)
        if y is not None
        for sign in (-1, 1)
    ]
    return min(sides), max(sides)


def _axis(low: float, high: float, most: int, room: float = 0.04) -> Axis:
    if high <= low:  # all alike
        pad = abs(low) * 0.1 or 1.0
        low, high = low - pad, high + pad
    low, high = low - room * (high - low), high + room * (high - low)
    return Axis(low, high, [(tick, (tick - low) / (high - low)) for tick in ticks(low, high, most)])


def _log_axis(smallest: float, largest: float) -> Axis:
    """Low and high are exponents of ten. Ticks are powers of ten, or 1, 2 and 5 times these where they are few."""
    low, high = math.log10(smallest), math.log10(largest)
    pad = 0.04 * (high - low) or 0.05
    low, high = low - pad, high + pad
    powers = range(math.floor(low), math.ceil(high) + 1)
    every = max(1, math.ceil(len(powers) / 6))
    factors = (1, 2, 5) if high - low < 2 else (1,)
    marks = [(f * 10.0**p, math.log10(f) + p) for p in powers if p % every == 0 for f in factors]
    return Axis(low, high, [(_digits(value, 6), (at - low) / (high - low)) for value, at in marks if low <= at <= high])


def _path(line: Line, x: Axis, y: dict[Scale, Axis]) -> Path:
    across = [SIDE * (v - x.low) / (x.high - x.low) for v in line.x]
    curve = {scale: _curve(across, [_down(v, axis, scale) for v in line.y]) for scale, axis in y.items()}
    band = {scale: _band(line, across, axis, scale) for scale, axis in y.items()} if line.deviation else {}
    return Path(line, curve, band)


def _down(value: float | None, axis: Axis, scale: Scale) -> float | None:
    """From the top, in the path's units; None of None."""
    return None if value is None else _place(value, axis, scale)


def _place(value: float, axis: Axis, scale: Scale) -> float:
    if scale == "log":
        value = math.log10(max(value, 10**axis.low))
    return SIDE * (axis.high - value) / (axis.high - axis.low)


def _curve(across: Sequence[float], down: Sequence[float | None]) -> str:
    """Begun anew behind each gap; a point between two gaps is a line of no length, which is drawn as a dot."""
    words = []
    for piece in _pieces(list(zip(across, down, strict=True))):
        words.append("M" + "L".join(f"{a:.1f} {d:.1f}" for a, d in piece) + ("h0" if len(piece) == 1 else ""))
    return "".join(words)


def _band(line: Line, across: Sequence[float], axis: Axis, scale: Scale) -> str:
    """Up to value + deviation, and back along value - deviation."""
    assert line.deviation is not None
    points = [
        (a, None if y is None or d is None else (y, d)) for a, y, d in zip(across, line.y, line.deviation, strict=True)
    ]
    words = []
    for piece in _pieces(points):
        there = [(a, _place(y + d, axis, scale)) for a, (y, d) in piece]
        back = [(a, _place(y - d, axis, scale)) for a, (y, d) in reversed(piece)]
        words.append("M" + "L".join(f"{a:.1f} {v:.1f}" for a, v in [*there, *back]) + "Z")
    return "".join(words)


def _pieces(points: Sequence[tuple[float, T | None]]) -> Iterator[list[tuple[float, T]]]:
    """The runs of points between those that have no value."""
    for there, run in groupby(points, lambda point: point[1] is not None):
        if there:
            yield [(across, value) for across, value in run if value is not None]


def _digits(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}")


def _or(value: float | None, other: float) -> float:
    return other if value is None else value
