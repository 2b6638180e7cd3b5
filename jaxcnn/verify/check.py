"""Verify one function on one set of arguments."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.bench import Bench, Checker, Outcome, Skip, Wrong, failure
from jaxcnn.verify.checks import chosen
from jaxcnn.verify.checks.structure import traceable
from jaxcnn.verify.errors import raised, where
from jaxcnn.verify.problem import Problem
from jaxcnn.verify.program import precision
from jaxcnn.verify.reading import is_float
from jaxcnn.verify.regions import region
from jaxcnn.verify.report import Check, Failure, Report


def check_backward(
    plain: Callable[..., Any],
    backward: Callable[..., Any],
    args: Sequence[Any],
    *,
    forward: Callable[..., tuple[Any, Any]] | None = None,
    naive: Callable[..., Any] | None = None,
    static: Mapping[str, Any] | None = None,
    seed: int = 0,
    checks: Sequence[str] | None = None,
) -> Report:
    """Verify a backward pass written by hand against the plain function that it belongs to.

    Args:
      plain: (*args, **static) -> y, which JAX can differentiate; the truth, at ties and kinks as well.
      backward: (residuals, dy, **static) -> one cotangent for each argument; None for labels, keys and absent arrays.
      args: arrays, or trees of arrays. Harder inputs of the same shapes and dtypes are made of them; integers and
        random keys stay as they are.
      forward: (*args, **static) -> (y, residuals); by default (plain(*args), args).
      naive: (*args, **static) -> y by NumPy loops, where there are such; args then come as NumPy arrays.
      static: options that all of them take as keywords.
      seed: of the inputs.
      checks: the names of those to run, such as ("autodiff", "zero"); all by default. A large network needs few.

    Returns: a `Report`; print it to see what was found.

    Raises: ValueError if args holds no float array, or complex ones, or `plain` can't be run on them, also in float64;
      or if `checks` has an unknown name.
    """
    _callable("check_backward", plain=plain, backward=backward)
    _sequence("check_backward", args)
    kept = forward or (lambda *args, **static: (plain(*args, **static), args))
    name = getattr(plain, "__name__", "backward")
    problem = pair(plain, kept, backward, args, dict(static or {}), name=name, naive=naive)
    return verify(problem, chosen(checks), seed)


def pair(
    plain: Callable[..., Any],
    forward: Callable[..., tuple[Any, Any]],
    backward: Callable[..., Any],
    args: Sequence[Any],
    static: dict[str, Any],
    *,
    name: str,
    naive: Callable[..., Any] | None = None,
    push: Callable[..., Any] | None = None,
    rule: str | None = None,
) -> Problem:
    """A forward and its backward as a `Problem`, and the forward mode that belongs to them, where there is one."""

    def pull(args: tuple[Any, ...], dy: Any) -> tuple[Any, Any]:
        y, residuals = forward(*args, **static)
        return y, backward(residuals, dy, **static)

    return Problem(
        name=name,
        args=tuple(args),
        forward=lambda *args: forward(*args, **static)[0],
        pull=pull,
        plain=lambda *args: plain(*args, **static),
        unbound=plain,
        naive=None if naive is None else lambda *args: naive(*args, **static),
        push=push,
        rule=rule,
        static=static,
    )


def check(
    function: Callable[..., Any],
    args: Sequence[Any],
    *,
    reference: Callable[..., Any] | None = None,
    seed: int = 0,
    checks: Sequence[str] | None = None,
) -> Report:
    """Verify any function that `jax.vjp` can pull back through: a `jax.custom_vjp`, a rule, a layer, a network.

    Args:
      function: (*args) -> y, an array or a tree of them.
      args: as `check_backward`.
      reference: the same function without the custom rule. Without one, central differences and what holds for every
        backward pass decide (linear in dy, the same under jit and vmap, ...).
      seed, checks: as `check_backward`.

    Returns and raises as `check_backward`.
    """
    _callable("check", function=function)
    _sequence("check", args)

    def pull(args: tuple[Any, ...], dy: Any) -> tuple[Any, Any]:
        y, pulled = jax.vjp(function, *args)
        return y, pulled(dy)

    problem = Problem(
        name=getattr(function, "__name__", type(function).__name__),
        args=tuple(args),
        forward=function,
        pull=pull,
        push=pushed(function),
        plain=reference,
        unbound=reference or function,
    )
    return verify(problem, chosen(checks), seed)


def pushed(function: Callable[..., Any]) -> Callable[[tuple[Any, ...], tuple[Any, ...]], Any]:
    """(args, tangents) -> the tangent of function(*args), by `jax.jvp`."""

    def push(args: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
        leaves, tree = jax.tree.flatten(args)
        moving = [i for i, a in enumerate(leaves) if is_float(a)]

        def of_floats(*floats: Any) -> Any:
            new = dict(zip(moving, floats, strict=True))
            return function(*jax.tree.unflatten(tree, [new.get(i, a) for i, a in enumerate(leaves)]))

        return jax.jvp(of_floats, [leaves[i] for i in moving], jax.tree.leaves(tangents))[1]

    return push


def _callable(caller: str, **arguments: Any) -> None:
    for name, value in arguments.items():
        if not callable(value):
            raise ValueError(f"{caller}: {name} is {value!r}; expected a function.")


def _sequence(caller: str, args: Any) -> None:
    if not isinstance(args, tuple | list):
        raise ValueError(
            f"{caller}: args is of type {type(args).__name__}; expected a tuple of the function's arguments. "
            "Write (x,) for a single one."
        )


def verify(problem: Problem, run: Mapping[str, Checker], seed: int) -> Report:
    """Run these checks on a problem, and explain what they find."""
    started = time.perf_counter()
    report = verify_on(bench_of(problem, seed), run)
    return replace(report, seconds=time.perf_counter() - started)


def verify_on(bench: Bench, run: Mapping[str, Checker]) -> Report:
    """The same on a bench that is set up."""
    started = time.perf_counter()
    rows: list[Check] = []
    failures: list[Failure] = []
    for name, outcome in outcomes(bench, run):
        if isinstance(outcome, Skip):
            rows.append(Check(name, "skipped", note=str(outcome)))
            continue
        found = outcome.failures + explain(bench, name, outcome.wrong)
        failures += found
        rows.append(Check(name, "failed" if found else "ok", outcome.worst, outcome.note))
    return Report(bench.problem.name, tuple(rows), tuple(failures), seconds=time.perf_counter() - started)


def finds(bench: Bench, run: Mapping[str, Checker]) -> bool:
    """Whether any of these checks finds something; the first that does is the last that runs."""
    found = (o for _, o in outcomes(bench, run) if not isinstance(o, Skip))
    return any(o.wrong or o.failures for o in found)


def bench_of(problem: Problem, seed: int) -> Bench:
    """The problem set up for checking. Raises ValueError if the plain function can't be run on its arguments."""
    for dtype in (None, np.float64):
        try:
            with precision(dtype):
                problem.outputs([jax.ShapeDtypeStruct(a.shape, dtype or a.dtype) for a in problem.leaves])
        except Exception as error:
            needed = "" if dtype is None else " in float64, which verification needs"
            raise ValueError(f"verify: {problem.name} can't be run on args{needed}: {error}{where(error)}") from error
    return Bench(problem, seed, traceable=traceable(problem))


def outcomes(bench: Bench, run: Mapping[str, Checker]) -> Iterator[tuple[str, Outcome | Skip]]:
    """What each check returns. Where the cotangents' structure is wrong there is nothing else to check."""
    broken = False
    for name, checker in run.items():
        if broken:
            yield name, Skip("the cotangents' structure is wrong")
            continue
        try:
            outcome = checker(bench)
        except Skip as reason:
            yield name, reason
            continue
        except Exception as error:  # whatever the code under test raises here is its failure
            outcome = Outcome(failures=[failure(bench, name, "", raised(error))])
        broken = name == "structure" and bool(outcome.failures)
        yield name, outcome


def explain(bench: Bench, check: str, wrong: Sequence[Wrong]) -> list[Failure]:
    """One failure for each argument: its worst entry on the plainest input that shows it."""
    smooth = ["given", "separated", "large", "tiny", "offset", "subnormal"]
    order = [*smooth, "ties", "constant", "zeros", "whole"]  # zeros may tie as well, whole numbers be zero
    failures = []
    for name in dict.fromkeys(w.name for w in wrong):
        mine = [w for w in wrong if w.name == name]
        chosen = min(mine, key=lambda w: order.index(w.point.kind))
        failures.append(_explained(bench, check, chosen, any(w.point.kind in smooth[1:] for w in mine)))
    return failures


def _explained(bench: Bench, check: str, wrong: Wrong, smooth: bool) -> Failure:
    k, problem = wrong.argument, bench.problem
    got, expected = wrong.got[k], wrong.expected[k]
    index = np.unravel_index(int(np.argmax(wrong.excess)), wrong.excess.shape)
    count = int((wrong.excess > 1).sum())
    return Failure(
        check=check,
        argument=wrong.name,
        message=f"{count} of {wrong.excess.size} entries wrong, the worst",
        index=tuple(map(int, index)),
        region=region(wrong.excess > 1, expected, wrong.point.leaves[k], wrong.point.kind, smooth),
        got=float(got[index]),
        expected=float(expected[index]),
        input=wrong.point.kind,
        shapes=problem.describe(wrong.point.leaves),
        options=problem.static,
        cause=_cause(bench, check, wrong),
    )


def _cause(bench: Bench, check: str, wrong: Wrong) -> str | None:
    """The wrong derivation that gives these numbers, where the catalogue has it."""
    if check not in ("autodiff", "differences"):
        return None
    from jaxcnn.verify.causes import likely_cause

    problem, args = bench.problem, bench.problem.args
    if any(not isinstance(a, jax.Array | np.ndarray | None) for a in args):
        return None  # trees: no rule of the catalogue takes them
    places = [i for i, a in enumerate(args) if is_float(a)]

    def by_argument(arrays: Sequence[Any]) -> list[Any]:
        full: list[Any] = [None] * len(args)
        for i, a in zip(places, arrays, strict=True):
            full[i] = a
        return full

    with precision(np.float64):
        leaves = list(map(jnp.asarray, wrong.point.leaves))
        return likely_cause(
            got=by_argument(wrong.got),
            expected=by_argument(wrong.expected),
            argument=places[wrong.argument],
            plain=problem.unbound,
            args=problem.put(leaves),
            static=problem.static,
            dy=problem.cotangent(leaves, wrong.dys),
            rule=problem.rule,
        )
