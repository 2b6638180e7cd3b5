"""Error budgets: how far half and single precision may lie from double."""

from typing import Any

import numpy as np

from jaxcnn.verify import inputs
from jaxcnn.verify.bench import Bench, Outcome, Skip, rounded
from jaxcnn.verify.checks.structure import DTYPES, takes
from jaxcnn.verify.problem import Arrays
from jaxcnn.verify.program import Program
from jaxcnn.verify.reading import epsilon


def _budget(bench: Bench, name: str) -> Outcome:
    dtype, outcome = DTYPES[name], Outcome(worst=0.0)
    if not takes(bench.problem, dtype):
        raise Skip(f"the function does not take {name}")
    program = bench.program(dtype)
    for kind in ("given", "separated", "ties", "large", "tiny"):
        point, dys = rounded(bench.point(kind), bench.dys, dtype)
        try:
            y, got = program(point.leaves, dys)
        except NotImplementedError as error:  # by XLA or LAPACK, such as a matrix decomposition in half precision
            raise Skip(f"there is no {name} for it: {error}".splitlines()[0]) from None
        if not all(np.all(np.isfinite(a)) for a in y):
            continue  # the forward left the dtype's range
        expected = None
        if not _near(y, bench.exactly(point, dys)[0], bench.problem.digits(dtype)):
            # Another function: dropout draws its mask in the precision it runs in, where JAX's derivative decides.
            expected = Program(bench.problem.oracle, dtype)(point.leaves, dys)[1]
            outcome.note = f"the forward is another in {name}: compared with autodiff in {name}"
        outcome.add(bench.compare(point, dys, got, dtype=dtype, expected=expected, without=bench.wrong_already))
    return outcome


def _near(y: Arrays, exact: Arrays, dtype: Any) -> bool:
    """Whether y is what it is in float64, but for rounding."""
    most = 64 * epsilon(dtype)
    return all(np.all(np.abs(a - e) <= most * (np.abs(e) + inputs.typical(e))) for a, e in zip(y, exact, strict=True))


def float32(bench: Bench) -> Outcome:
    """In float32 every cotangent is within the rounding of float32 of the one in float64."""
    return _budget(bench, "float32")


def bfloat16(bench: Bench) -> Outcome:
    """In bfloat16 every cotangent is within the rounding of bfloat16 of the one in float64."""
    return _budget(bench, "bfloat16")
