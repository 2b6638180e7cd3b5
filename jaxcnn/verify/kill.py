"""Which planted faults of a rule the verifier finds: the proof that it can fail.

A fault goes through what `check_rule` does: the checks that cost little on every draw, all of them on the largest.
Compiling takes the time, so the faults of a rule that are still alive are compiled into one program for each draw; and
one comparison finds most of them, so it comes first.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxcnn.verify import checks
from jaxcnn.verify.bench import Bench
from jaxcnn.verify.check import finds, pair
from jaxcnn.verify.checks.structure import structure
from jaxcnn.verify.checks.values import first
from jaxcnn.verify.problem import Arrays, Problem
from jaxcnn.verify.program import Program, precision
from jaxcnn.verify.search import Search

if TYPE_CHECKING:
    from jaxcnn.verify.catalog.faults import Fault
    from jaxcnn.verify.catalog.tangents import TangentFault


@dataclass(frozen=True)
class Kills:
    """What became of a rule's faults.

    Attributes:
      rule: its name.
      killed: the faults' names that some check found.
      survivors: those that passed every check, although they are wrong.
      equivalent: the reasons for those that no input tells from the right backward pass, by name.
      mistaken: those listed as equivalent that a check found.
      seconds: taken.
    """

    rule: str
    killed: tuple[str, ...]
    survivors: tuple[str, ...]
    equivalent: dict[str, str]
    mistaken: tuple[str, ...]
    seconds: float

    @property
    def ok(self) -> bool:
        """True where every fault was found, but for the equivalent ones."""
        return not self.survivors and not self.mistaken

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"ok": self.ok, **asdict(self)}


def kills(search: Search) -> Kills:
    """Verify every planted fault of a rule as `check_rule` would, on the same draws."""
    from jaxcnn.verify.catalog import tangents
    from jaxcnn.verify.catalog.faults import of_rule

    rule, started = search.rule.name, time.perf_counter()
    faults, wrong_tangents = of_rule(rule), tangents.of_rule(rule)
    alive, pushed = survivors(search, faults), tangent_survivors(search, wrong_tangents)
    return Kills(
        rule=rule,
        killed=tuple(f.name for f in faults if f not in alive and not f.equivalent)
        + tuple(f"tangent-{f.name}" for f in wrong_tangents if f not in pushed),
        survivors=tuple(f.name for f in alive if not f.equivalent) + tuple(f"tangent-{f.name}" for f in pushed),
        equivalent={f.name: f.equivalent for f in alive if f.equivalent},
        mistaken=tuple(f.name for f in faults if f not in alive and f.equivalent),
        seconds=time.perf_counter() - started,
    )


def survivors(search: Search, faults: "Sequence[Fault]") -> "list[Fault]":
    """Those of the rule's faults that pass all checks."""
    alive = list(faults)
    for draw in search.draws:
        alive = alive and _passing(search.bench(draw), alive)
    # Structure in all dtypes takes long, so only those have it looked at whose numbers are right everywhere.
    for draw in search.draws:
        alive = [f for f in alive if not finds(_alone(search.bench(draw), f), {"structure": structure})]
    bench = search.bench(search.largest)
    return [f for f in alive if not finds(_alone(bench, f), checks.FULL)]


def tangent_survivors(search: Search, faults: "Sequence[TangentFault]") -> "list[TangentFault]":
    """Those of the rule's wrong tangents, its backward being right, that the check of forward mode does not find."""
    bench = search.bench(search.largest)
    right = bench.problem

    def planted(fault: "TangentFault") -> Problem:
        return replace(right, push=lambda args, tangents: fault.tangent(args, tangents, **right.static))

    problems = [planted(f) for f in faults]
    together = Program(lambda leaves, v: ([p.pushed(leaves, v) for p in problems], *right.along(leaves, v)), np.float64)

    def found(i: int) -> bool:
        def pushing(leaves: Arrays, v: Arrays) -> Any:
            pushed, *along = together(leaves, v)
            return pushed[i], *along

        one = bench.planted(problems[i], bench.subject)
        vars(one)["pushing"] = pushing
        return finds(one, {"tangent": checks.FULL["tangent"]})

    return [fault for i, fault in enumerate(faults) if not found(i)]


def _alone(bench: Bench, fault: "Fault") -> Bench:
    """This bench with the fault in the place of the rule's backward, in programs of its own."""
    return bench.planted(_planted(bench.problem, fault))


def _planted(right: Problem, fault: "Fault") -> Problem:
    """The problem with the fault in the place of the rule's backward."""
    return pair(
        right.unbound, fault.forward, fault.backward, right.args, right.static, name=right.name, rule=right.rule
    )


def _passing(bench: Bench, faults: "Sequence[Fault]") -> "list[Fault]":
    """The faults whose numbers pass the checks of little cost on the draw of this bench."""
    problems = {f: _planted(bench.problem, f) for f in faults}
    traced = {f: subject for f, p in problems.items() if (subject := _traced(p, bench.dys)) is not None}
    together = _Together(list(traced.values()))
    # Its forward is the plain function, so that needs no check.
    values = {"first": first} | {name: checks.QUICK[name] for name in ("autodiff", "zero", "finite")}
    return [f for i, f in enumerate(traced) if not finds(bench.planted(problems[f], together.of(i)), values)]


def _traced(problem: Problem, dys: Arrays) -> Callable[[Arrays, Arrays], Any] | None:
    """A backward pass under test, traced in float64; None where that shows it to be wrong."""
    subject = jax.jit(problem.subject)
    leaves, dys = ([np.asarray(a, np.float64) for a in arrays] for arrays in (problem.leaves, dys))
    with precision(np.float64):
        try:
            _, cotangents = subject.eval_shape(leaves, dys)
        except Exception:  # whatever it raises: no cotangents for all arguments, or none at all
            return None
    fit = [(d.shape, d.dtype) == (a.shape, a.dtype) for d, a in zip(cotangents, leaves, strict=True)]
    return subject if all(fit) else None


class _Together:
    """Several backward passes of one plain function, computed by one program; each input once."""

    def __init__(self, subjects: Sequence[Callable[[Arrays, Arrays], Any]]) -> None:
        self._program = Program(lambda leaves, dys: [subject(leaves, dys) for subject in subjects], np.float64)
        self._known: dict[tuple[int, int], tuple[Any, Arrays, Arrays]] = {}

    def of(self, i: int) -> Callable[[Arrays, Arrays], Any]:
        """(leaves, dys) -> (y, cotangents) of the i-th."""

        def subject(leaves: Arrays, dys: Arrays) -> Any:
            key = (id(leaves), id(dys))
            if key not in self._known:  # the inputs are kept, so that no others have their id
                self._known[key] = (self._program.on_device(leaves, dys), leaves, dys)
            return jax.tree.map(np.asarray, self._known[key][0][i])

        return subject
