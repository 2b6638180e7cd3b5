"""What both revisions do, by name, so that a process can be told of it in a line of JSON."""

from dataclasses import dataclass

from jaxcnn.bench.contest import Contest, Entrant
from jaxcnn.bench.networks import INFERENCE, inference, problem, training
from jaxcnn.bench.op_contests import op_contest
from jaxcnn.bench.ops import CASES
from jaxcnn.bench.plan import Plan
from jaxcnn.bench.precision import Precision
from jaxcnn.bench.result import Section


@dataclass(frozen=True)
class Task:
    """A contest's task in one precision. `images` and `pixels` (a side) are a network's batch."""

    section: Section
    name: str
    precision: Precision
    images: int = 0
    pixels: int = 0

    @property
    def contest(self) -> Contest:
        """Of ours alone. Raises ValueError for a network that this revision does not have."""
        if self.section == "operation":
            return op_contest(next(case for case in CASES if case.name == self.name), [self.precision], [])
        task = problem(self.name, batch_size=self.images, image_size=self.pixels)
        if self.section == "training step":
            return training(task, [self.precision], [])
        return inference(task, self.images, [self.precision], [])

    @property
    def entrant(self) -> Entrant:
        """jaxcnn as users get it."""
        return self.contest.entrants[0]

    @property
    def title(self) -> str:
        """As it is told."""
        return f"{self.section}: {self.contest.task}"


def tasks(plan: Plan) -> list[Task]:
    """All of a plan's, in its order."""
    found: list[Task] = []
    for precision in plan.precisions:
        found += [Task("operation", case.name, precision) for case in plan.cases]
        found += [Task("training step", p.name, precision, p.batch_size, p.image[0]) for p in plan.training]
        found += [Task("inference", p.name, precision, n, p.image[0]) for p in plan.inference for n in INFERENCE]
    return found
