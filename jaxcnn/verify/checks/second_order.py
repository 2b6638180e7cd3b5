"""The derivative of the derivative."""

from typing import Any

import jax
import numpy as np

from jaxcnn.verify import inputs, rounding
from jaxcnn.verify.bench import Bench, Outcome, Skip, compared
from jaxcnn.verify.checks.values import against_slopes
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.oracles import Slopes
from jaxcnn.verify.problem import Problem
from jaxcnn.verify.program import Program


def second_order(bench: Bench) -> Outcome:
    """Reverse over reverse: the cotangents of (args, dy) -> cotangents are those of JAX's own derivative.

    Without a plain function they are compared with central differences of the cotangents under test.
    """
    if bench.wrong_already:
        raise Skip("the first derivative is wrong already")
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    problem, point = bench.problem, bench.point("separated")
    both = Point("separated", [*point.leaves, *bench.dys])
    ddx = inputs.dense([a.shape for a in point.leaves], bench.seed + 2)
    names = [*problem.names, *(f"dy[{i}]" for i in range(len(bench.dys)))]
    if problem.plain is None:
        got = _twice(problem.subject, len(point.leaves))(both.leaves, ddx)
        return against_slopes(names, Slopes(_once(problem, point, bench), bench.seed), [(both, ddx, got)])
    exact = _twice(problem.oracle, len(point.leaves))
    try:
        expected = exact(both.leaves, ddx)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise Skip(f"JAX can't differentiate the plain function twice: {type(error).__name__}") from None
    got = _twice(problem.subject, len(point.leaves))(both.leaves, ddx)
    terms, jumps = rounding.terms(exact, both.leaves, ddx, expected, digits=bench.digits)
    y = bench.pulled(point)
    allowed = rounding.allowed(bench.digits, expected, terms, jumps, both.leaves, ddx, y, digits=bench.digits)
    return compared(names, both, ddx, got, expected, allowed)


def _twice(first: Any, n: int) -> Program:
    """([*leaves, *dys], ddx) -> the cotangents of `first`'s cotangents."""

    def pulled(both: list[Any], ddx: list[Any]) -> Any:
        return jax.vjp(lambda both: first(both[:n], both[n:])[1], both)[1](ddx)[0]

    return Program(pulled, np.float64)


def _once(problem: Problem, point: Point, bench: Bench) -> Problem:
    """(leaves, dys) -> cotangents as a problem of its own, for differences of it."""

    def cotangents(leaves: Any, dys: Any) -> Any:
        return problem.subject(leaves, dys)[1]

    return Problem(
        problem.name, (point.leaves, bench.dys), forward=cotangents, pull=problem.pull, plain=None, unbound=cotangents
    )
