"""Tables from what `jaxcnn bench --json` and `memory_peak.py --json` wrote, as Markdown.

    python experiments/benchmarks.py [TITLE] FILE.json ... [TITLE FILE.json ...] > tables.md

experiments/benchmarks.sh measures all of BENCHMARKS.md and calls this. First the machine, when and with what; under
each title the commands, and a table for operations, training steps, inference and memory of its files together. A cell
is the median in milliseconds, of an operation that of all passes together and of each, with half the distance between
the quartiles; from the second column on, also how many times as long that is as jaxcnn's. "of peak" is jaxcnn's rate
over the fastest matrix product of the same run. Of training steps a second table has the seconds that the first call
took longer: to trace and to compile.
"""

import argparse
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

OURS = "jaxcnn"
Report = dict[str, Any]


def markdown(titled: list[tuple[str, list[Report]]]) -> str:
    """All of it. Raises ValueError where the reports are of different machines or versions."""
    reports = [report for _, group in titled for report in group]
    parts = [heading(reports)]
    for title, group in titled:
        parts += [f"## {title}"] * bool(title) + [body(group)]
    return "\n\n".join(parts)


def body(reports: list[Report]) -> str:
    """What ran, and the tables of it."""
    return "\n\n".join([commands(reports), *tables(reports)])


def heading(reports: list[Report]) -> str:
    """The machine, its date and its versions, once for all."""
    machines = [report["machine"] for report in reports]
    told = {
        f"{machine['device']}, {machine['cores']} cores, {' '.join(machine['instructions'])}; "
        + ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
        for machine in machines
    }
    if len(told) > 1:
        raise ValueError(
            f"the files are of several machines or versions: {' | '.join(sorted(told))}. Give those of one."
        )
    dates = sorted(machine["date"] for machine in machines)
    between = dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"
    return f"# Benchmarks on {machines[0]['device']}\n\n{told.pop()}  \n{between}"


def commands(reports: list[Report]) -> str:
    """What ran, how fast the machine was then, who else wanted it, and what there was no time for."""
    lines = []
    for report in reports:
        machine = report["machine"]
        peaks = ", ".join(
            f"{name} {value / 1e9:,.0f} {'GB/s' if name == 'memory' else 'GFLOP/s'}"
            for name, value in report.get("peaks", {}).items()
        )
        load = "" if machine["load"] is None else f"Other programs that wanted a core: {machine['load']:.1f}."
        command = re.sub(r" --json \S+", "", machine["command"])
        lines.append(f"`{command}`  ")
        left = "; ".join(report.get("left_out", []))
        said = [peaks and f"Measured peaks: {peaks}.", load, left and f"Left out, for want of time: {left}."]
        lines.append(" ".join(filter(None, said)) + "  ")
    return "\n".join(lines).rstrip()


def tables(reports: list[Report]) -> list[str]:
    """A table for each section of the reports' rows, and what they say of memory."""
    made = []
    for section, rows in sections(reports).items():
        ours = [row for row in rows if row["by"] == OURS]
        more = {"of peak": {task(row): f"{row['share']:.0%}" for row in ours if row["share"]}}
        if section != "operation":
            more["images a second"] = {task(row): figures(images(row) / row["seconds"]) for row in ours}
        made.append(table(section, rows, milliseconds, more))
        if section == "training step":
            made.append(table("seconds to compile it", rows, compiling, {}))
    memory = [row for report in reports for row in report.get("memory", [])]
    if memory:
        made.append(table("megabytes that a step adds", memory, lambda row: figures(row["megabytes"]), {}))
    return made


def sections(reports: list[Report]) -> dict[str, list[Report]]:
    """The rows that have times, by section."""
    found: dict[str, list[Report]] = {}
    for report in reports:
        for row in report.get("rows", []):
            if row["timings"]:
                found.setdefault(row["section"], []).append(row)
    return found


def task(row: Report) -> tuple[str, str]:
    """What was done, and in what precision: a line of a table."""
    return row["task"], row["precision"]


def images(row: Report) -> int:
    """How many a network gets: "resnet20, 128×32×32×3"."""
    return int(row["task"].rpartition(", ")[2].partition("×")[0])


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


def titled(words: list[str]) -> list[tuple[str, list[Report]]]:
    """The files under the title before them."""
    groups: list[tuple[str, list[Report]]] = []
    for word in words:
        if not word.endswith(".json"):
            groups.append((word, []))
        else:
            if not groups:
                groups.append(("", []))
            groups[-1][1].append(json.loads(Path(word).read_text()))
    return groups


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("words", nargs="+", metavar="TITLE or FILE.json")
    print(markdown(titled(parser.parse_args().words)))


if __name__ == "__main__":
    main()
