"""The same under `jax.jit`, `jax.vmap`, and twice."""

from typing import Any

import jax
import numpy as np

from jaxcnn.verify.bench import Bench, Outcome, Skip, compared, failure, rounded
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.problem import Arrays
from jaxcnn.verify.program import Program
from jaxcnn.verify.reading import epsilon


def jit(bench: Bench) -> Outcome:
    """The backward gives the same under `jax.jit` and without."""
    if not bench.traceable:
        message = "the backward looks at values, so that it can't run under jax.jit; use jnp.where and lax.cond"
        return Outcome(failures=[failure(bench, "jit", "", message)])
    point, dys, dtype = as_given(bench)
    eager = Program(bench.problem.eager, None, compiled=False)
    with_jit, without = (run(bench.given_dtypes(point.leaves), dys)[1] for run in (bench.as_given, eager))
    return bench.compare(point, dys, with_jit, dtype=dtype, expected=without)


def repeat(bench: Bench) -> Outcome:
    """Two runs give the same bits."""
    point, dys, _ = as_given(bench)
    first, second = (bench.as_given(bench.given_dtypes(point.leaves), dys)[1] for _ in range(2))
    same = [np.zeros(a.shape) for a in first]
    return compared(bench.problem.names, point, dys, second, first, same)


def vmap(bench: Bench) -> Outcome:
    """`jax.vmap` of the backward gives what a loop gives."""
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    points = [bench.point("given"), bench.point("separated")]
    stacked = [np.stack(pair) for pair in zip(*(p.leaves for p in points), strict=True)]
    dys = [np.stack([dy, dy]) for dy in bench.dys]
    together = Program(jax.vmap(lambda *a: bench.problem.subject(*a)[1]), np.float64)(stacked, dys)
    outcome = Outcome()
    for i, point in enumerate(points):
        outcome.add(bench.compare(point, bench.dys, [a[i] for a in together], expected=bench.pulled(point)))
    return outcome


def as_given(bench: Bench) -> tuple[Point, Arrays, Any]:
    """The separated input as the given dtypes hold it, dy likewise, and the coarsest of these dtypes."""
    dtypes = [a.dtype for a in bench.given_dtypes(bench.problem.leaves)]
    coarsest = max(dtypes, key=epsilon)
    point, dys = rounded(bench.point("separated"), bench.dys, coarsest)
    return point, dys, coarsest
