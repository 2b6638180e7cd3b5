"""A contest: programs that do the same task. What they return is compared before any of them is timed."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import numpy as np

from jaxcnn.bench.measure import Run, first, interleaved
from jaxcnn.bench.precision import AGREEMENT, Precision
from jaxcnn.bench.result import Row, Section

FEW = 5  # values that a message may quote

Results = dict[str, Any]
Tick = Callable[[float], object]


@dataclass(frozen=True)
class Prepared:
    """A program that is ready: a run for each part of the task.

    `evidence` turns what the parts' first calls returned into arrays, which must be those that jaxcnn gets.
    """

    runs: dict[str, Run]
    evidence: Callable[[Results], Any] = lambda results: list(results.values())


@dataclass(frozen=True)
class Entrant:
    """Who takes part, in what precision, and how to prepare it, which may fail."""

    by: str
    precision: Precision
    prepare: Callable[[], Prepared]


@dataclass(frozen=True)
class Contest:
    """A task. The first entrant's results are the right ones; `work` is what each part needs in a precision."""

    section: Section
    task: str
    entrants: tuple[Entrant, ...]
    work: Callable[[Precision], dict[str, float]]
    unit: Literal["FLOP", "B"] = "FLOP"

    def hold(
        self,
        repeats: int,
        peaks: dict[str, float],
        tick: Callable[[float], object] = lambda _: None,
        until: float = math.inf,
        hurry: float = math.inf,
    ) -> list[Row]:
        """A row for each entrant; `tick` gets the share of the contest that was done since it was last called.

        Both other times are `time.perf_counter()`'s: who has not begun at `until` gets no time, and after `hurry` few
        samples do.
        """
        started: list[_Started | Row] = []
        right: list[np.ndarray[Any, Any]] | None = None
        for entrant in self.entrants:
            if time.perf_counter() > until:
                started.append(replace(self._row(entrant), refused="the time was over"))
                continue
            outcome, arrays = self._start(entrant, right)
            right = arrays if right is None else right
            started.append(outcome)
            tick(0.5 / len(self.entrants))
        admitted = [s for s in started if isinstance(s, _Started)]
        runs = [run for s in admitted for run in s.prepared.runs.values()]
        firsts = [seconds for s in admitted for seconds in s.firsts.values()]
        timings = iter(interleaved(runs, firsts, repeats, lambda: tick(0.5 / (repeats * len(runs))), hurry))
        return [s if isinstance(s, Row) else s.row(timings, peaks) for s in started]

    def _start(
        self, entrant: Entrant, right: "list[np.ndarray[Any, Any]] | None"
    ) -> "tuple[_Started | Row, list[np.ndarray[Any, Any]] | None]":
        """Prepare and call everything once, and compare."""
        row = self._row(entrant)
        try:
            prepared = entrant.prepare()
            firsts = {part: first(run) for part, run in prepared.runs.items()}
            arrays = arrays_of(prepared.evidence({part: result for part, (_, result) in firsts.items()}))
        except Exception as error:  # a library's failure is a finding about it, and no end of the benchmark
            return replace(row, refused=f"{type(error).__name__}: {error}".strip().splitlines()[0]), right
        difference = 0.0 if right is None else difference_of(arrays, right)
        limit = AGREEMENT[entrant.precision]
        row = replace(row, difference=difference if np.isfinite(difference) else None)
        if not difference <= limit:
            said = _said(arrays, right or [])
            return replace(
                row, refused=f"not the same work: off by {difference:.1e}, more than {limit:.0e}{said}"
            ), right
        return _Started(row, prepared, {part: seconds for part, (seconds, _) in firsts.items()}), arrays

    def _row(self, entrant: Entrant) -> Row:
        """Without what is found."""
        return Row(self.section, self.task, entrant.by, entrant.precision, {}, self.work(entrant.precision), self.unit)


@dataclass(frozen=True)
class _Started:
    """An entrant that is admitted."""

    blank: Row
    prepared: Prepared
    firsts: dict[str, float]

    def row(self, timings: Iterator[Any], peaks: dict[str, float]) -> Row:
        row = replace(self.blank, timings={part: next(timings) for part in self.prepared.runs})
        peak = peaks.get(row.precision if row.unit == "FLOP" else "memory")
        return replace(row, share=row.rate / peak if row.rate and peak else None)


def arrays_of(evidence: Any) -> "list[np.ndarray[Any, Any]]":
    """What is compared."""
    return [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(evidence)]


def difference_of(arrays: "list[np.ndarray[Any, Any]]", right: "list[np.ndarray[Any, Any]]") -> float:
    """The largest difference in any array, as a fraction of the largest value that should be there."""
    if [a.shape for a in arrays] != [b.shape for b in right]:
        return float("inf")
    pairs = zip(arrays, right, strict=True)
    worst = [np.max(np.abs(a - b), initial=0.0) / (np.max(np.abs(b), initial=0.0) or 1.0) for a, b in pairs]
    return float(np.max(np.nan_to_num(worst, nan=np.inf), initial=0.0))


def _said(arrays: "list[np.ndarray[Any, Any]]", right: "list[np.ndarray[Any, Any]]") -> str:
    """The values themselves, where they are few: a training run's losses."""
    if sum(a.size for a in arrays) > FEW:
        return ""
    here, there = (" ".join(f"{v:.4f}" for a in side for v in a.ravel()) for side in (arrays, right))
    return f" ({here} where jaxcnn has {there})"
