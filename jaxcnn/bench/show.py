"""What a benchmark found, to look at: tables, and a picture."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

from jaxcnn.bench.measure import Timing
from jaxcnn.bench.result import OURS, Report, Row
from jaxcnn.report import style
from jaxcnn.report.machine import Machine

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table

OTHERS = "#9AA5B1"  # bars of those that are neither ours nor PyTorch's
WIDTH = 120  # of the tables
PAGE, TITLE = 110, 3.0  # height of a picture's column, and of a panel's title and axis, in bars

Panel = tuple[str, list[Row]]  # a title, and the rows that become bars


def header(report: Report) -> str:
    """Where and when: without it the numbers mean nothing."""
    peaks = "peaks measured here: " + ", ".join(_peak(name, value) for name, value in report.peaks.items())
    missing = [f"not compared with {package}; to have it: {command}" for package, command in report.missing.items()]
    return "\n".join([*of_machine(report.machine, peaks), *missing])


def of_machine(machine: Machine, *more: str) -> list[str]:
    """Lines that tell of it, and after what else is to be told, a warning where it was busy."""
    gpu = "" if machine.device == machine.processor else f"{machine.device}, beside "
    lines = [
        f"{gpu}{machine.processor}, {machine.cores} cores {' '.join(machine.instructions)}".rstrip(),
        ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
        f"{machine.date}  {machine.command}",
        *more,
    ]
    if machine.busy:
        lines.append(f"OTHER PROGRAMS RAN: {machine.load:.1f} of them wanted one of the cores; expect wrong ratios.")
    return lines


def table(report: Report, title: str, rows: list[Row]) -> "Table":
    """A line for each row that has times; ms are medians, ± half the distance between the quartiles."""
    from rich import box
    from rich.table import Column, Table

    parts = list(dict.fromkeys(part for row in rows for part in row.timings))
    made = Table(Column("", no_wrap=True), title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    for heading in (*(f"{part} ms" for part in parts), "× jaxcnn", "rate", "of peak", "cores", "compile s", "off by"):
        made.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        if row.timings:
            made.add_row(*_cells(report, row, parts), style="bold" if row.by == OURS else None)
    return made


def refusals(rows: list[Row]) -> list[str]:
    """A line for each row that has no time, with the reason."""
    return [f"no time for {_name(row)}: {row.refused}" for row in rows if row.refused]


def _cells(report: Report, row: Row, parts: list[str]) -> list[str]:
    timings = list(row.timings.values())
    seconds = sum(t.median for t in timings)
    ratio = report.ratio(row)
    return [
        _name(row),
        *(_milliseconds(row.timings.get(part)) for part in parts),
        "" if ratio is None else f"{ratio:.2f}",
        "" if row.rate is None else f"{_figures(row.rate / 1e9)} G{'FLOP' if row.unit == 'FLOP' else 'B'}/s",
        "" if row.share is None else f"{row.share:.0%}",
        f"{sum(t.cores * t.median for t in timings) / seconds:.1f}",
        f"{sum(t.compile for t in timings):.1f}",
        "" if row.difference is None else f"{row.difference:.0e}" if row.difference else "0",
    ]


def picture(report: Report, path: Path) -> None:
    """Draw a panel for each task into the PNG `path`, a bar for each row: its time, with the quartiles."""
    panels = [(title, [row for row in rows if row.timings]) for title, rows in report.contests()]
    panels = [(title, rows) for title, rows in panels if rows]
    if not panels:
        raise ValueError("picture: no row has a time; nothing can be drawn.")
    columns = _columns(panels)
    tallest = max(sum(len(rows) + TITLE for _, rows in column) for column in columns)
    title = f"{report.machine.device}: milliseconds, shorter is faster"
    figure = style.figure(7.5 * len(columns), 0.23 * tallest + 0.5, title)
    for part, column in zip(figure.subfigures(1, len(columns), squeeze=False)[0], columns, strict=True):
        heights = [len(rows) + TITLE for _, rows in column]
        empty = tallest - sum(heights)
        all_axes = part.subplots(
            len(column) + (empty > 0), squeeze=False, height_ratios=heights + [empty] * (empty > 0)
        )
        for axes, (title, rows) in zip(all_axes[:, 0], column, strict=False):
            _bars(axes, title, rows)
        if empty:
            all_axes[-1, 0].set_axis_off()
    style.save(figure, path)


def _columns(panels: list[Panel]) -> list[list[Panel]]:
    """The panels in order, cut into columns that are about as tall as each other, and no taller than a page."""
    height = sum(len(rows) + TITLE for _, rows in panels)
    limit = height / math.ceil(height / PAGE)
    columns, filled = [[panels[0]]], len(panels[0][1]) + TITLE
    for title, rows in panels[1:]:
        if filled + (len(rows) + TITLE) / 2 > limit:
            columns.append([])
            filled = 0
        columns[-1].append((title, rows))
        filled += len(rows) + TITLE
    return columns


def _bars(axes: "Axes", title: str, rows: list[Row]) -> None:
    longest = max(1e3 * (row.seconds or 0.0) + _spread(row)[1][0] for row in rows)
    for place, row in enumerate(rows):
        milliseconds, error = 1e3 * (row.seconds or 0.0), _spread(row)
        color = style.FIRST if row.by == OURS else style.SECOND if row.by.startswith("PyTorch") else OTHERS
        axes.barh(place, milliseconds, 0.7, color=color)
        axes.errorbar(milliseconds, place, xerr=error, color=style.INK, linewidth=1)
        axes.annotate(f" {_figures(milliseconds)}", (milliseconds + error[1][0], place), va="center", fontsize=8)
    style.tidy(axes, "", "", axis="x")
    axes.set_title(title, loc="left", fontsize=9, color=style.INK)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)  # the first row on top
    axes.set_xlim(0, 1.12 * longest)
    axes.tick_params(axis="y", labelcolor=style.INK, length=0)


def _spread(row: Row) -> list[list[float]]:
    """Milliseconds from the median down to the lower quartile and up to the upper one."""
    low = sum(t.median - t.low for t in row.timings.values())
    high = sum(t.high - t.median for t in row.timings.values())
    return [[1e3 * low], [1e3 * high]]


def _name(row: Row) -> str:
    return f"{row.by}, {row.precision}"


def milliseconds(row: Row) -> str:
    """All parts' medians together, ± half the distance between the quartiles."""
    return told(row.seconds or 0.0, sum(t.high - t.low for t in row.timings.values()) / 2)


def _milliseconds(timing: Timing | None) -> str:
    return "" if timing is None else told(timing.median, (timing.high - timing.low) / 2)


def told(seconds: float, half: float) -> str:
    """Milliseconds, and `half` the distance between the quartiles as a share of them."""
    return f"{_figures(1e3 * seconds)} ± {half / seconds:.0%}"


def _figures(value: float) -> str:
    """Three of them, or all of a larger number's: 0.0123, 1.23, 123, 1,234."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _peak(name: str, value: float) -> str:
    return f"{name} {value / 1e9:,.0f} GB/s" if name == "memory" else f"{name} {value / 1e9:,.0f} GFLOP/s"
