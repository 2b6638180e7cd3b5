"""What a benchmark found: rows, as data."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Any, Literal

from jaxcnn.bench.measure import Timing
from jaxcnn.report.machine import Machine

Section = Literal["operation", "training step", "inference"]
OURS = "jaxcnn"


@dataclass(frozen=True)
class Row:
    """One way to do one task, in one precision.

    Attributes:
      by: who did it.
      timings: of the task's parts, such as forward, dx and dkernel.
      work: what each part needs at the least, in `unit`: floating-point operations, or bytes read and written.
      share: the rate of all parts together over this machine's measured peak.
      difference: how far the results are from jaxcnn's, the largest of them.
      refused: why there are no timings.
    """

    section: Section
    task: str
    by: str
    precision: str
    timings: dict[str, Timing] = field(default_factory=dict)
    work: dict[str, float] = field(default_factory=dict)
    unit: Literal["FLOP", "B"] = "FLOP"
    share: float | None = None
    difference: float | None = None
    refused: str = ""

    @property
    def seconds(self) -> float | None:
        """The medians of all parts, added up; None for a row that was refused."""
        return sum(t.median for t in self.timings.values()) if self.timings else None

    @property
    def rate(self) -> float | None:
        """Work per second, all parts together."""
        return sum(self.work.values()) / self.seconds if self.seconds and self.work else None


@dataclass(frozen=True)
class Report:
    """Attributes:
    peaks: this machine's measured peaks: FLOP/s by precision, and "memory", in bytes per second.
    missing: peers that are not installed, and the command that installs each.
    left_out: contests for which there was no time.
    """

    machine: Machine
    peaks: dict[str, float]
    rows: tuple[Row, ...]
    missing: dict[str, str]
    left_out: tuple[str, ...] = ()

    def ratio(self, row: Row) -> float | None:
        """How many times as long as jaxcnn in the same precision; None where one of the two has no time."""
        same = (row.section, row.task, row.precision)
        ours = [r.seconds for r in self.rows if (r.section, r.task, r.precision) == same and r.by == OURS]
        return row.seconds / ours[0] if row.seconds and ours and ours[0] else None

    def contests(self) -> list[tuple[str, list[Row]]]:
        """The rows of each contest, with its name."""
        named: dict[str, list[Row]] = {}
        for row in self.rows:
            named.setdefault(f"{row.section}: {row.task}", []).append(row)
        return list(named.items())

    def to_json(self, **more: Any) -> str:
        """Everything that was found, and `more`; times in seconds."""
        content: dict[str, Any] = dataclasses.asdict(self) | more
        for written, row in zip(content["rows"], self.rows, strict=True):
            written |= {"seconds": row.seconds, "rate": row.rate, "ratio": self.ratio(row)}
        return json.dumps(content, indent=2)
