"""Tables for BENCHMARKS.md from what `jaxcnn bench --json` wrote, as Markdown.

    python experiments/benchmarks.py runs/bench/*.json

For each file: the machine, the command, and a table for operations, training steps and inference. A cell is the median
in milliseconds of all passes together, with half the distance between the quartiles; from the second column on, also
how many times as long that is as jaxcnn's.
"""

import argparse
import json
from pathlib import Path
from typing import Any

OURS = "jaxcnn"
Report = dict[str, Any]


def markdown(report: Report) -> str:
    """Everything that one run found."""
    return "\n\n".join([heading(report), *(table(*section) for section in sections(report).items())])


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


def table(section: str, rows: list[Report]) -> str:
    """A line for each task and precision, a column for everyone who did it."""
    everyone = list(dict.fromkeys(row["by"] for row in rows))
    tasks = list(dict.fromkeys((row["task"], row["precision"]) for row in rows))
    cells = {(row["task"], row["precision"], row["by"]): cell(row) for row in rows}
    shares = {(row["task"], row["precision"]): row["share"] for row in rows if row["by"] == OURS}
    lines = [
        "| " + " | ".join([section, *everyone, "of peak"]) + " |",
        "|---|" + "---:|" * (len(everyone) + 1),
    ]
    for task in tasks:
        share = shares.get(task)
        line = [", ".join(task), *(cells.get((*task, by), "") for by in everyone), f"{share:.0%}" if share else ""]
        lines.append("| " + " | ".join(line) + " |")
    return "\n".join(lines)


def cell(row: Report) -> str:
    """Milliseconds, their spread, and the ratio to ours."""
    timings = row["timings"].values()
    half = sum(t["high"] - t["low"] for t in timings) / 2
    ratio = "" if row["by"] == OURS or row["ratio"] is None else f" ({row['ratio']:.2f}×)"
    return f"{figures(1e3 * row['seconds'])} ± {half / row['seconds']:.0%}{ratio}"


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
