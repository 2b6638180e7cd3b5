"""Error budgets: how far half and single precision may lie from double."""

from functools import partial
from typing import Any

import numpy as np

from jaxcnn.verify import inputs
from jaxcnn.verify.bench import Bench, Outcome, Skip, rounded
from jaxcnn.verify.checks.structure import DTYPES, takes
from jaxcnn.verify.problem import Arrays
from jaxcnn.verify.program import Program
from jaxcnn.verify.reading import epsilon

ORDINARY, EXTREME = ("given", "separated", "ties"), ("large", "tiny")


def _budget(bench: Bench, name: str) -> Outcome:
    dtype, outcome = DTYPES[name], Outcome(worst=0.0)
    if not takes(bench.problem, dtype):
        raise Skip(f"the function does not take {name}")
    program, derived = bench.program(dtype), Program(bench.problem.oracle, dtype)
    small_range = dtype == np.float16
    for kind in ORDINARY if small_range else ORDINARY + EXTREME:
        point, dys = rounded(bench.point(kind), bench.dys, dtype)
        if not all(np.all(np.isfinite(a)) for a in point.leaves):
            continue  # there are no such numbers in this dtype
        try:
            y, got = program(point.leaves, dys)
        except NotImplementedError as error:  # by XLA or LAPACK, such as a matrix decomposition in half precision
            raise Skip(f"there is no {name} for it: {error}".splitlines()[0]) from None
        if not all(np.all(np.isfinite(a)) for a in y):
            continue  # the forward left the dtype's range
        compare = partial(bench.compare, point, dys, dtype=dtype, without=bench.wrong_already)
        if _near(y, bench.exactly(point, dys)[0], bench.problem.digits(dtype)):
            found = compare(got)
            if found.wrong and small_range and bench.problem.plain is not None:
                found = compare(got, expected=_within_range(found, compare(derived(point.leaves, dys)[1])))
        else:
            # Another function: dropout draws its mask in the precision it runs in, where JAX's derivative decides.
            found = compare(got, expected=derived(point.leaves, dys)[1])
            outcome.note = f"the forward is another in {name}: compared with autodiff in {name}"
        outcome.add(found)
    return outcome


def _within_range(found: Outcome, derived: Outcome) -> Arrays:
    """What is expected of the entries that JAX's own derivative has right in this dtype, and NaN for the others.

    Those are nobody's fault: something inside overflows, or is rounded to 0.
    """
    expected = [np.array(a) for a in found.wrong[0].expected]
    for own in derived.wrong:
        expected[own.argument][own.excess > 1] = np.nan
    return expected


def _near(y: Arrays, exact: Arrays, dtype: Any) -> bool:
    """Whether y is what it is in float64, but for rounding."""
    most = 64 * epsilon(dtype)
    return all(np.all(np.abs(a - e) <= most * (np.abs(e) + inputs.typical(e))) for a, e in zip(y, exact, strict=True))


def float32(bench: Bench) -> Outcome:
    """In float32 every cotangent is within the rounding of float32 of the one in float64."""
    return _budget(bench, "float32")


def float16(bench: Bench) -> Outcome:
    """In float16 every cotangent is within its rounding of the one in float64, where its range allows that.

    Its largest number is 65504, and the smallest of full precision 6e-5: so very large and small inputs are left out.
    """
    return _budget(bench, "float16")


def bfloat16(bench: Bench) -> Outcome:
    """In bfloat16 every cotangent is within the rounding of bfloat16 of the one in float64."""
    return _budget(bench, "bfloat16")
