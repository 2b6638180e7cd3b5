"""What is to be measured, and measuring it."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from jaxcnn.bench.contest import Contest
from jaxcnn.bench.networks import INFERENCE, Problem, inference, training
from jaxcnn.bench.op_contests import op_contest
from jaxcnn.bench.ops import Case
from jaxcnn.bench.peak import peaks
from jaxcnn.bench.peers import PACKAGES, installed
from jaxcnn.bench.precision import Precision
from jaxcnn.bench.result import Report, Section
from jaxcnn.report.machine import machine

Watch = Callable[[str, float], object]  # the task that is being done, and the share of all that is done


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
      cases: operations.
      training: networks whose training step is timed; inference: networks that answer, one image and many.
      peers: packages to compare with; those that are not installed are named in the report.
      without: who takes no part in training steps, by name.
      repeats: samples of every program, and of those that show this machine's peaks.
      peak_size: side of the matrices that show this machine's peak; by default large enough.
      budget: seconds that all may take. With one the sections alternate, and each contest has an equal share of what
        is left, after which it takes few samples. It is left out where it would last longer than is left, if it lasts
        as long as the longest of its section: an operation says nothing of a network.
    """

    cases: Sequence[Case] = ()
    training: Sequence[Problem] = ()
    inference: Sequence[Problem] = ()
    precisions: tuple[Precision, ...] = ("float32",)
    peers: tuple[str, ...] = tuple(PACKAGES)
    without: tuple[str, ...] = ()
    repeats: int = 7
    peak_size: int | None = None
    budget: float = math.inf

    def contests(self) -> list[Contest]:
        """In the order in which they are held."""
        present = [package for package in self.peers if installed(package)]
        sections = [
            [op_contest(case, self.precisions, present) for case in self.cases],
            [self._training(problem, present) for problem in self.training],
            [inference(problem, n, self.precisions, present) for problem in self.inference for n in INFERENCE],
        ]
        if self.budget < math.inf:
            return [contest for turn in zip_longest(*sections) for contest in turn if contest]
        return [contest for section in sections for contest in section]

    def _training(self, problem: Problem, present: Sequence[str]) -> Contest:
        contest = training(problem, self.precisions, present)
        return replace(contest, entrants=tuple(e for e in contest.entrants if e.by not in self.without))

    def measure(self, watch: Watch = lambda task, done: None) -> Iterator[Report]:
        """What is found, as it is found: a report without rows, then one after each contest.

        The machine's load is that before the first.
        """
        here, contests, start = machine(), self.contests(), time.perf_counter()
        end, longest = start + self.budget, dict[Section, float]()
        watch("this machine's peak", 0.0)
        missing = {package: PACKAGES[package] for package in self.peers if not installed(package)}
        report = Report(here, peaks(self.precisions, self.peak_size, self.repeats), (), missing)
        yield report
        done = 0.0
        for number, contest in enumerate(contests):

            def tick(share: float, task: str = contest.task) -> None:
                nonlocal done
                done += share / len(contests)
                watch(task, done)

            tick(0.0)
            began = time.perf_counter()
            if began + longest.get(contest.section, 0.0) > end:
                report = replace(report, left_out=(*report.left_out, f"{contest.section}: {contest.task}"))
                continue
            share = (end - began) / (len(contests) - number)
            rows = contest.hold(self.repeats, report.peaks, tick, end, began + share)
            longest[contest.section] = max(longest.get(contest.section, 0.0), time.perf_counter() - began)
            report = replace(report, rows=(*report.rows, *rows))
            yield report
        if report.left_out:
            yield report
