"""A function in which what `stop_gradient` holds stays at the values that it has at one point.

JAX's derivative takes those values for constants, so its slopes are those of this function: 3 at 3 for
x · stop_gradient(x), not 6.
"""

from collections.abc import Callable, Iterator
from typing import Any

from jax.extend.core import Literal

from jaxcnn.verify.reading import called, equations


def can_hold(program: Any) -> bool:
    """Whether every stop_gradient in it lies outside of loops and branches, so that it runs once."""
    return _count(program) == sum(e.primitive.name == "stop_gradient" for e in equations(program))


def _count(program: Any) -> int:
    """Those that `_run` meets."""
    inner = [called(e) for e in program.eqns]
    return sum(e.primitive.name == "stop_gradient" for e in program.eqns) + sum(
        _count(closed.jaxpr) for closed in inner if closed is not None
    )


def held_at(closed: Any, at: list[Any]) -> Callable[[list[Any]], list[Any]]:
    """The program as a function of its inputs, with what it stops held at its values for the inputs `at`."""
    held: list[Any] = []

    def keep(value: Any) -> Any:
        held.append(value)
        return value

    _run(closed.jaxpr, closed.consts, at, keep)

    def function(inputs: list[Any]) -> list[Any]:
        values: Iterator[Any] = iter(held)
        return _run(closed.jaxpr, closed.consts, inputs, lambda _: next(values))

    return function


def _run(program: Any, consts: list[Any], inputs: list[Any], stop: Callable[[Any], Any]) -> list[Any]:
    """Equation by equation, with `stop` in the place of stop_gradient."""
    values: dict[Any, Any] = dict(zip([*program.constvars, *program.invars], [*consts, *inputs], strict=True))

    def value(v: Any) -> Any:
        return v.val if isinstance(v, Literal) else values[v]

    for equation in program.eqns:
        given = [value(v) for v in equation.invars]
        inner = called(equation)
        if equation.primitive.name == "stop_gradient":
            results = [stop(given[0])]
        elif inner is not None:
            results = _run(inner.jaxpr, inner.consts, given, stop)
        else:
            with equation.ctx.manager:
                found = equation.primitive.bind(*given, **equation.primitive.get_bind_params(equation.params))
            results = found if equation.primitive.multiple_results else [found]
        values |= dict(zip(equation.outvars, results, strict=True))
    return [value(v) for v in program.outvars]
