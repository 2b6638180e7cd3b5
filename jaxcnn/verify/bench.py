"""What the checks share: the programs, the inputs, and the comparison of cotangents."""

import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify import inputs, rounding
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.oracles import Slopes
from jaxcnn.verify.problem import Arrays, Problem
from jaxcnn.verify.program import Program
from jaxcnn.verify.report import Failure

# Entries of the cotangents up to which those of every dy are kept, for the next planted fault: a network's fill memory.
KEPT = 100_000


class Skip(Exception):
    """A check that does not apply, with the reason."""


@dataclass(frozen=True, eq=False)
class Wrong:
    """One array's cotangent that is not what it should be: all arrays' cotangents, and which of them is meant."""

    argument: int
    name: str
    point: Point
    dys: Arrays
    got: Arrays
    expected: Arrays
    excess: Any  # the error over what is allowed, for every entry of the array


@dataclass
class Outcome:
    """What a check returns: wrong cotangents, failures of another kind, and the largest error over what is allowed."""

    wrong: list[Wrong] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    worst: float | None = None
    note: str = ""

    def add(self, other: "Outcome") -> None:
        """Take in the outcome for another input."""
        self.wrong += other.wrong
        self.failures += other.failures
        self.worst = max((w for w in (self.worst, other.worst) if w is not None), default=None)


class Bench:
    """A problem set up for checking: everything that is computed once and used by several checks."""

    def __init__(self, problem: Problem, seed: int, *, traceable: bool = True) -> None:
        self.problem, self.seed, self.traceable = problem, seed, traceable
        self.points = inputs.points(problem.leaves, seed, problem.constants())
        self.shapes = [a.shape for a in problem.outputs(problem.leaves)]
        self.dys = inputs.dense(self.shapes, seed)
        self.wrong_already: set[int] = set()
        self._exact: dict[tuple[int, int], tuple[Any, ...]] = {}

    @cached_property
    def oracle(self) -> Callable[[Arrays, Arrays], Any]:
        """(leaves, dys) -> (y, cotangents), right, in float64."""
        return self.subject if self.problem.plain is None else Program(self.problem.oracle, np.float64)

    @cached_property
    def subject(self) -> Callable[[Arrays, Arrays], Any]:
        """(leaves, dys) -> (y, cotangents), under test, in float64."""
        return self.program(np.float64)

    @cached_property
    def as_given(self) -> Program:
        """The same in the dtypes that were given."""
        return self.program(None)

    @cached_property
    def pushing(self) -> Callable[[Arrays, Arrays], Any]:
        """(leaves, v) -> the tangents under test, and `Problem.along`, in float64."""
        problem = self.problem
        return Program(lambda leaves, v: (problem.pushed(leaves, v), *problem.along(leaves, v)), np.float64)

    @cached_property
    def one_hots(self) -> list[Arrays]:
        """Cotangents with a single entry that is not 0."""
        return inputs.one_hots(self.shapes, self.seed)

    @cached_property
    def nothing(self) -> Arrays:
        """dy = 0."""
        return [np.zeros(shape) for shape in self.shapes]

    def needs_plain(self) -> Callable[..., Any]:
        """The plain function; a check that needs one does not apply without."""
        if self.problem.plain is None:
            raise Skip("no reference was given")
        return self.problem.plain

    def pulled(self, point: Point) -> Arrays:
        """The cotangents under test in float64 for the random dy."""
        return self.subject(point.leaves, self.dys)[1]

    def planted(self, problem: Problem, subject: Any = None) -> "Bench":
        """This bench, its inputs and oracle, for another backward of the same plain function."""
        other = copy.copy(self)
        other.problem, other.wrong_already = problem, set()
        for name in ("subject", "as_given", "pushing"):
            vars(other).pop(name, None)
        if subject is not None:
            vars(other)["subject"] = subject
        return other

    def program(self, dtype: Any) -> Program:
        """The same in another dtype."""
        return Program(self.problem.subject, dtype, compiled=self.traceable)

    def point(self, kind: str) -> Point:
        """The input of this kind."""
        return next(p for p in self.points if p.kind == kind)

    def given_dtypes(self, leaves: Sequence[Any]) -> list[Any]:
        """Values in the dtypes that the arguments came in, as JAX is set up."""
        pairs = zip(leaves, self.problem.leaves, strict=True)
        return [np.asarray(v, jax.dtypes.canonicalize_dtype(a.dtype)) for v, a in pairs]

    def compare(
        self,
        point: Point,
        dys: Arrays,
        got: Arrays,
        *,
        dtype: Any = np.float64,
        expected: Arrays | None = None,
        without: Collection[int] = (),
    ) -> Outcome:
        """`got` against `expected`, or else the oracle, within the rounding of `dtype`.

        Every entry of every array, but for the arrays `without`, which are known to be wrong.
        """
        y, exact, terms, jumps = self.exactly(point, dys)
        right = exact if expected is None else expected
        digits = self.problem.digits(dtype)
        allowed = rounding.allowed(digits, exact, terms, jumps, point.leaves, dys, y, digits=self.digits)
        return compared(self.problem.names, point, dys, got, right, allowed, without)

    @cached_property
    def digits(self) -> Any:
        """The dtype to whose digits the oracle is right: float64, unless the function casts to another inside."""
        return self.problem.digits(np.float64)

    def most(self, float64: float) -> float:
        """What is allowed of a sum's size: `float64` or, where the function has fewer digits, their rounding."""
        return max(float64, rounding.unit(self.digits)) if self.digits != np.float64 else float64

    @cached_property
    def slopes(self) -> Slopes:
        """Central differences of the reference."""
        return Slopes(self.problem, self.seed)

    def singular(self, point: Point, dys: Arrays, got: Arrays) -> Arrays:
        """The entries of `got` for which there is nothing finite that they should be.

        Where JAX derives a gradient its own is right, the reference's before that of the function itself; where all
        there is was written by hand, slopes decide that grow without bound as the step shrinks.
        """
        if self.problem.plain is not None:
            return [~np.isfinite(a) for a in self.exactly(point, dys)[1]]
        suspects = [~np.isfinite(a) for a in got]
        if not any(a.any() for a in suspects) or not self.problem.is_handwritten():
            return suspects
        return self.slopes.ways[0].unbounded(point.leaves, dys, suspects)

    def decided(self, point: Point) -> bool:
        """Whether the right cotangents for the random dy are more than amplified rounding."""
        return rounding.decided(*self.exactly(point, self.dys)[1:], self.digits)

    def exactly(self, point: Point, dys: Arrays) -> tuple[Arrays, Arrays, Arrays, list[float]]:
        """y and the right cotangents, and how they round: see `rounding`."""
        key = (id(point), id(dys))
        if key in self._exact:
            return self._exact[key][:4]
        y, exact = self.oracle(point.leaves, dys)
        on_kinks = point.kind == "whole"
        terms = rounding.terms(
            lambda *at: self.oracle(*at)[1], point.leaves, dys, exact, digits=self.digits, on_kinks=on_kinks
        )
        found = (y, exact, *terms)
        if dys is self.dys or sum(a.size for a in exact) < KEPT:
            self._exact[key] = (*found, point, dys)  # the last two are kept, so that no other has their id
        return found


def compared(
    names: Sequence[str],
    point: Point,
    dys: Arrays,
    got: Arrays,
    expected: Arrays,
    allowed: Arrays,
    without: Collection[int] = (),
) -> Outcome:
    """Every entry of `got` where `expected` is finite; an error is a fraction of what is allowed there."""
    outcome = Outcome(worst=0.0)
    got, expected = ([np.asarray(a, np.float64) for a in side] for side in (got, expected))
    for k, (g, e, most) in enumerate(zip(got, expected, allowed, strict=True)):
        if k in without:
            continue
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            error = np.where(np.isfinite(g), np.abs(g - e), np.inf)
            excess = np.where((error == 0) | ~np.isfinite(e) | (most == np.inf), 0.0, error / most)
        worst = float(np.max(excess, initial=0.0))
        outcome.worst = max(outcome.worst or 0.0, worst)
        if worst > 1:
            outcome.wrong.append(Wrong(k, names[k], point, dys, got, expected, excess))
    return outcome


def rounded(point: Point, dys: Arrays, dtype: Any) -> tuple[Point, Arrays]:
    """The values as `dtype` holds them, in float64 again."""
    return Point(point.kind, _rounded(point.leaves, dtype)), _rounded(dys, dtype)


def _rounded(arrays: Arrays, dtype: Any) -> Arrays:
    with np.errstate(over="ignore"):
        return [np.asarray(np.asarray(a, jnp.dtype(dtype)), np.float64) for a in arrays]


def failure(bench: Bench, check: str, argument: str, message: str, point: Point | None = None) -> Failure:
    """A failure that is no single entry's."""
    leaves = bench.problem.leaves if point is None else point.leaves
    return Failure(
        check,
        argument,
        message,
        input="given" if point is None else point.kind,
        shapes=bench.problem.describe(leaves),
        options=bench.problem.static,
    )


Checker = Callable[[Bench], Outcome]
