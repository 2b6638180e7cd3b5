"""`jaxcnn bench --quick`: a few tasks of each kind, chosen to tell in three minutes where this machine stands."""

from jaxcnn.bench.networks import problem
from jaxcnn.bench.ops import CASES
from jaxcnn.bench.plan import Plan

BUDGET = 140.0  # seconds; what a contest lasts longer than was expected, and Python's imports, come on top
PEERS = ("flax", "torch")  # the others would have to be compiled, too, and are the fastest in no table of BENCHMARKS.md
PRECISION = "float32"
# A convolution of each kind, and what networks have between them.
OPERATIONS = ("conv 3×3, 64×32", "conv 1×1", "conv depthwise", "max_pool 2×2", "gelu")
STEPS = {"lenet5": 128, "resnet20": 32, "cifar_small": 32}  # images in a step
INFERENCE = ("lenet5", "resnet20")


def tasks(batch_size: int | None = None, image_size: int | None = None) -> Plan:
    """What is timed where nothing is named; the sizes are those of `problem`."""
    return Plan(
        cases=[case for case in CASES if case.name.startswith(OPERATIONS)],
        training=[problem(name, batch_size=batch_size or n, image_size=image_size) for name, n in STEPS.items()],
        inference=[problem(name, image_size=image_size) for name in INFERENCE],
    )
