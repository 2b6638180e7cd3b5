"""What is ahead on this machine, what is behind, and by how much: each task's fastest rivals, with the noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from jaxcnn.bench.measure import Timing
from jaxcnn.bench.peers import PEERS
from jaxcnn.bench.result import OURS, Report, Row, Section
from jaxcnn.bench.show import milliseconds
from jaxcnn.bench.ways import AUTODIFF, ON_XLA

if TYPE_CHECKING:
    from rich.table import Table

# Times within a twentieth are level: by so much the same program moves from one place in memory to another.
LEVEL = 0.05
SURE = 2.0  # standard errors of a ratio

PEER_NAMES = tuple(peer.name for peer in PEERS)
Standing = Literal["ahead", "level", "behind"]


@dataclass(frozen=True)
class Rival:
    """Who else did the task.

    Attributes:
      row: the fastest of them.
      ratio: how many times as long as jaxcnn.
      noise: the ratio's relative standard error.
    """

    row: Row
    ratio: float
    noise: float

    @property
    def standing(self) -> Standing:
        """Where jaxcnn stands beside it; level is what the noise, or the place in memory, may have made."""
        if abs(math.log(self.ratio)) <= max(math.log1p(LEVEL), SURE * self.noise):
            return "level"
        return "ahead" if self.ratio > 1 else "behind"


@dataclass(frozen=True)
class Verdict:
    """A task in one precision: our row, the fastest of the peers, and the faster of XLA's ways; None for nobody."""

    ours: Row
    peer: Rival | None
    xla: Rival | None

    @property
    def task(self) -> str:
        """As it is told."""
        return f"{self.ours.section}: {self.ours.task}"

    def to_json(self) -> dict[str, Any]:
        """As data; its times are in the report's rows."""
        found: dict[str, Any] = {name: getattr(self.ours, name) for name in ("section", "task", "precision")}
        for name, rival in (("peer", self.peer), ("xla", self.xla)):
            told = rival and {"by": rival.row.by, **{n: getattr(rival, n) for n in ("ratio", "noise", "standing")}}
            found[name] = told
        return found


def verdicts(report: Report) -> list[Verdict]:
    """One for each task and precision in which we have a time, section by section."""
    found: list[Verdict] = []
    for _, rows in report.contests():
        for ours in rows:
            if ours.by == OURS and ours.seconds:
                others = [row for row in rows if row.precision == ours.precision]
                found.append(Verdict(ours, _rival(ours, others, PEER_NAMES), _rival(ours, others, (ON_XLA, AUTODIFF))))
    sections = get_args(Section)
    return sorted(found, key=lambda verdict: sections.index(verdict.ours.section))


def _rival(ours: Row, rows: Sequence[Row], names: Sequence[str]) -> Rival | None:
    timed = [(row.seconds, row) for row in rows if row.by in names and row.seconds]
    if not timed or not ours.seconds:
        return None
    seconds, row = min(timed, key=lambda pair: pair[0])
    return Rival(row, seconds / ours.seconds, math.hypot(_noise(ours), _noise(row)))


def _noise(row: Row) -> float:
    """The relative standard error of the medians' sum, as of normal samples: σ is IQR / 1.35, a median's 1.25 σ/√n."""
    return math.hypot(*map(_error, row.timings.values())) / (row.seconds or math.inf)


def _error(timing: Timing) -> float:
    return 1.25 * (timing.high - timing.low) / 1.35 / math.sqrt(timing.samples)


def table(found: Sequence[Verdict]) -> "Table":
    """A line for each task: milliseconds, and × jaxcnn with where it stands."""
    from rich import box
    from rich.table import Column, Table

    made = Table(Column("", no_wrap=True), box=box.SIMPLE_HEAD)
    made.add_column("jaxcnn ms", justify="right", no_wrap=True)
    made.add_column("best peer", no_wrap=True)
    for heading in ("ms", "× jaxcnn", "XLA's own ms", "× jaxcnn"):
        made.add_column(heading, justify="right", no_wrap=True)
    several = len({verdict.ours.precision for verdict in found}) > 1
    for verdict in found:
        task = f"{verdict.task}, {verdict.ours.precision}" if several else verdict.task
        by = verdict.peer.row.by if verdict.peer else ""
        made.add_row(task, milliseconds(verdict.ours), by, *_cells(verdict.peer), *_cells(verdict.xla))
    return made


def _cells(rival: Rival | None) -> tuple[str, str]:
    return (milliseconds(rival.row), f"{rival.ratio:.2f} {rival.standing:6}") if rival else ("", "")


def in_words(found: Sequence[Verdict]) -> str:
    """The same in a paragraph: first beside the peers, then beside XLA."""
    if not found:
        return "Nothing was timed."
    peers = [(verdict, verdict.peer) for verdict in found if verdict.peer]
    xla = [(verdict, verdict.xla) for verdict in found if verdict.xla]
    beside = _beside("the best peer", peers) if peers else "Beside other frameworks: no time, since none took part."
    return " ".join([beside, *([_beside("XLA's own kernels", xla)] if xla else [])])


def _beside(whom: str, pairs: Sequence[tuple[Verdict, Rival]]) -> str:
    by: dict[Standing, list[tuple[Verdict, Rival]]] = {"ahead": [], "level": [], "behind": []}
    for verdict, rival in pairs:
        by[rival.standing].append((verdict, rival))
    parts = []
    if ahead := [rival.ratio for _, rival in by["ahead"]]:
        parts.append(f"ahead in {len(ahead)} ({_range(ahead)} times as fast)")
    if by["level"]:
        parts.append(f"level in {len(by['level'])}")
    if by["behind"]:
        each = (f"{v.task} takes {1 / r.ratio:.2f} times as long as {r.row.by}" for v, r in by["behind"])
        parts.append(f"behind in {len(by['behind'])}: {'; '.join(each)}")
    tasks = f"{len(pairs)} task{'s' if len(pairs) > 1 else ''}"
    return f"Beside {whom}, of {tasks}, jaxcnn is {', '.join(parts)}."


def _range(ratios: Sequence[float]) -> str:
    low, high = (f"{r:.2f}" if r < 9.995 else f"{r:.0f}" for r in (min(ratios), max(ratios)))
    return low if low == high else f"{low} to {high}"
