"""What is to be measured, and measuring it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from jaxcnn.bench.contest import Contest
from jaxcnn.bench.networks import INFERENCE, Problem, inference, training
from jaxcnn.bench.op_contests import op_contest
from jaxcnn.bench.ops import Case
from jaxcnn.bench.peak import peaks
from jaxcnn.bench.peers import PACKAGES, installed
from jaxcnn.bench.precision import Precision
from jaxcnn.bench.result import Report
from jaxcnn.report.machine import machine

Watch = Callable[[str, float], object]  # the task that is being done, and the share of all that is done


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
      cases: operations.
      training: networks whose training step is timed; inference: networks that answer, one image and many.
      peers: packages to compare with; those that are not installed are named in the report.
      repeats: samples of every program.
      peak_size: side of the matrices that show this machine's peak; by default large enough.
    """

    cases: Sequence[Case] = ()
    training: Sequence[Problem] = ()
    inference: Sequence[Problem] = ()
    precisions: tuple[Precision, ...] = ("float32",)
    peers: tuple[str, ...] = tuple(PACKAGES)
    repeats: int = 7
    peak_size: int | None = None

    def contests(self) -> list[Contest]:
        """In the order in which they are held."""
        present = [package for package in self.peers if installed(package)]
        return [
            *(op_contest(case, self.precisions, present) for case in self.cases),
            *(training(problem, self.precisions, present) for problem in self.training),
            *(inference(problem, n, self.precisions, present) for problem in self.inference for n in INFERENCE),
        ]

    def measure(self, watch: Watch = lambda task, done: None) -> Iterator[Report]:
        """What is found, as it is found: a report without rows, then one after each contest.

        The machine's load is that before the first.
        """
        here, contests = machine(), self.contests()
        watch("this machine's peak", 0.0)
        missing = {package: PACKAGES[package] for package in self.peers if not installed(package)}
        report = Report(here, peaks(self.precisions, self.peak_size), (), missing)
        yield report
        done = 0.0
        for contest in contests:

            def tick(share: float, task: str = contest.task) -> None:
                nonlocal done
                done += share / len(contests)
                watch(task, done)

            tick(0.0)
            report = replace(report, rows=(*report.rows, *contest.hold(self.repeats, report.peaks, tick)))
            yield report
