"""Tables for BENCHMARKS.md from what `jaxcnn bench --json` wrote, as Markdown.

    python experiments/benchmarks.py runs/bench/*.json

For each file: the machine, the command, and a table for operations, training steps and inference. A cell is the median
in milliseconds, of an operation that of all passes together and of each, with half the distance between the quartiles;
from the second column on, also how many times as long that is as jaxcnn's. Of training steps a second table has the
seconds that the first call took longer: to trace and to compile.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = "jaxcnn"
Report = dict[str, Any]


def markdown(report: Report) -> str:
    """Everything that one run found."""
    tables = []
    for section, rows in sections(report).items():
        shares = {task(row): f"{row['share']:.0%}" for row in rows if row["by"] == OURS and row["share"]}
        tables.append(table(section, rows, milliseconds, {"of peak": shares}))
        if section == "training step":
            tables.append(table("seconds to compile it", rows, compiling, {}))
    return "\n\n".join([heading(report), *tables])


def heading(report: Report) -> str:
    """What ran, and where."""
    machine = report["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    peaks = ", ".join(
        f"{name} {value / 1e9:,.0f} {'GB/s' if name == 'memory' else 'GFLOP/s'}"
        for name, value in report["peaks"].items()
    )
    lines = [
        f"`{machine['command']}`, {machine['date']}",
        f"{machine['device']}, {machine['cores']} cores, {' '.join(machine['instructions'])}; {versions}",
        f"Measured peaks: {peaks}. Other programs that wanted a core: {machine['load']:.1f}.",
    ]
    return "  \n".join(lines)


def sections(report: Report) -> dict[str, list[Report]]:
    """The rows that have times, by section."""
    found: dict[str, list[Report]] = {}
    for row in report["rows"]:
        if row["timings"]:
            found.setdefault(row["section"], []).append(row)
    return found


def task(row: Report) -> tuple[str, str]:
    """What was done, and in what precision: a line of a table."""
    return row["task"], row["precision"]


def table(title: str, rows: list[Report], cell: Callable[[Report], str], more: dict[str, dict[Any, str]]) -> str:
    """A line for each task and precision, a column for everyone who did it, and more columns by line."""
    everyone = list(dict.fromkeys(row["by"] for row in rows))
    cells = {(*task(row), row["by"]): cell(row) for row in rows}
    lines = [
        "| " + " | ".join([title, *everyone, *more]) + " |",
        "|---|" + "---:|" * (len(everyone) + len(more)),
    ]
    for line in dict.fromkeys(map(task, rows)):
        found = [cells.get((*line, by), "") for by in everyone] + [column.get(line, "") for column in more.values()]
        lines.append("| " + " | ".join([", ".join(line), *found]) + " |")
    return "\n".join(lines)


def milliseconds(row: Report) -> str:
    """All passes, each pass, their spread, and the ratio to ours."""
    timings = row["timings"].values()
    half = sum(t["high"] - t["low"] for t in timings) / 2
    each = " = " + " + ".join(figures(1e3 * t["median"]) for t in timings) if len(timings) > 1 else ""
    ratio = "" if row["by"] == OURS or row["ratio"] is None else f" ({row['ratio']:.2f}×)"
    return f"{figures(1e3 * row['seconds'])}{each} ± {half / row['seconds']:.0%}{ratio}"


def compiling(row: Report) -> str:
    """Seconds."""
    return f"{sum(t['compile'] for t in row['timings'].values()):.1f}"


def figures(value: float) -> str:
    """Three of them, or all of a larger number's."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    for file in parser.parse_args().files:
        print(markdown(json.loads(file.read_text())), end="\n\n")


if __name__ == "__main__":
    main()
