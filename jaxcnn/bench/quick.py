"""`jaxcnn bench --quick`: a few tasks of each kind, chosen to tell in three minutes where this machine stands."""

from jaxcnn.bench.networks import problem
from jaxcnn.bench.ops import QUICK
from jaxcnn.bench.plan import Plan

BUDGET = 165.0  # seconds; what a contest lasts longer than was expected, and Python's imports, come on top
PEERS = ("flax", "torch")  # the others would have to be compiled, too, and are the fastest in no table of BENCHMARKS.md
WITHOUT = ("PyTorch compiled",)  # a step is compiled in 17 to 60 s, and an answer, where it is often ahead, in 3 to 10
PRECISION = "float32"
# Of each kind what takes least time is first. Images in a step:
STEPS = {"lenet5": 128, "cifar_small": 16, "resnet20": 16}
INFERENCE = ("lenet5", "resnet20")
PEAK_SIZE = 1024  # matrices' side: enough for within a tenth of the peak, which the verdict does not need


def tasks(batch_size: int | None = None, image_size: int | None = None) -> Plan:
    """What is timed where nothing is named; the sizes are those of `problem`."""
    return Plan(
        cases=QUICK,
        training=[problem(name, batch_size=batch_size or n, image_size=image_size) for name, n in STEPS.items()],
        inference=[problem(name, image_size=image_size) for name in INFERENCE],
    )
