"""Verify a registered rule: search the shapes and options that it takes, and shrink to the smallest that fails."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from jaxcnn.ops.rule import RULES, Rule
from jaxcnn.primitive import Operation, TangentOf
from jaxcnn.verify import checks
from jaxcnn.verify.bench import Bench
from jaxcnn.verify.catalog.naive import NAIVE
from jaxcnn.verify.check import bench_of, finds, pair, pushed, verify, verify_on
from jaxcnn.verify.cover import cover
from jaxcnn.verify.problem import Problem, floats
from jaxcnn.verify.program import compiler_options
from jaxcnn.verify.report import Report

if TYPE_CHECKING:
    from jaxcnn.verify.catalog.spaces import Draw

CASES = 8
DRAWS = 200  # that are drawn for each rule; `cases` of them are run
SHRINKS = 40  # draws at most that are tried to make a failing one smaller


def check_rule(
    rule: Rule[..., Any],
    *,
    cases: int = CASES,
    seed: int = 0,
    forward: Callable[..., tuple[Any, Any]] | None = None,
    backward: Callable[..., Any] | None = None,
) -> Report:
    """Verify a rule of jaxcnn over shapes and options that are drawn from its space.

    Every draw gets the checks that cost little, on all hard inputs in float64: structure, forward, autodiff, dy = 0 and
    finiteness. If one fails it is shrunk, and the smallest failing draw gets all the checks; if none fails, the
    largest draw does, whose axes are made so long that no tile divides them.

    Args:
      rule: one of `RULES`.
      cases: how many draws.
      seed: of the draws and of the inputs.
      forward, backward: take the place of the rule's own, such as a planted fault's.

    Returns: a `Report`; its failures name the smallest failing shape.

    Raises: ValueError if it is not known what the rule takes.
    """
    return Search(rule, forward, backward, cases=cases, seed=seed).report()


def all(*, cases: int = CASES, seed: int = 0) -> dict[str, Report]:
    """`check_rule` for every rule in the registry, by name."""
    return {name: check_rule(rule, cases=cases, seed=seed) for name, rule in RULES.items()}


def check_draw(rule: Rule[..., Any], draw: "Draw", *, seed: int = 0) -> Report:
    """Verify a rule on one call of its door: all checks. Raises what the door raises."""
    return verify(problem_of(rule, draw, rule.forward, rule.backward), checks.FULL, seed)


def problem_of(
    rule: Rule[..., Any], draw: "Draw", forward: Callable[..., tuple[Any, Any]], backward: Callable[..., Any]
) -> Problem:
    """A rule with this forward and backward, on the arrays and options that its door makes of a draw."""
    args, options = through_door(rule.name, draw)
    as_float32 = jax.tree.map(lambda a: np.asarray(a, np.float32) if floats(a) else a, args)
    naive, push = NAIVE.get(rule.name), pushed(lambda *args: rule.apply(*args, **options))
    paired = pair(
        rule.plain, forward, backward, as_float32, options, name=rule.name, naive=naive, push=push, rule=rule.name
    )
    # Outside of transformations a rule is computed as a whole.
    operation = Operation(rule.name, forward, backward, TangentOf(rule.plain), tuple(options.items()))

    def outside(args: tuple[Any, ...], dy: Any) -> tuple[Any, Any]:
        y, pulled = jax.vjp(operation, *args)
        return y, pulled(dy)

    return replace(paired, outside=outside)


def through_door(name: str, draw: "Draw") -> tuple[tuple[Any, ...], dict[str, Any]]:
    """`worked_out` in float64, as one program instead of one for each step of the door's."""
    from jaxcnn.verify.catalog.spaces import Draw, worked_out

    options: dict[str, Any] = {}

    def arrays(*args: Any) -> Any:
        handed_on, found = worked_out(name, Draw(args, draw.options))
        options.update(found)
        return handed_on

    with jax.enable_x64(True):
        return jax.jit(arrays, compiler_options=compiler_options()[0])(*draw.args), options


class Search:
    """The draws of a rule, each tried once, and what is known of them."""

    def __init__(
        self,
        rule: Rule[..., Any],
        forward: Callable[..., Any] | None = None,
        backward: Callable[..., Any] | None = None,
        *,
        cases: int = CASES,
        seed: int = 0,
    ) -> None:
        from jaxcnn.verify.catalog.spaces import SPACES

        if rule.name not in SPACES:
            raise ValueError(
                f"check_rule: it is not known what {rule.name} takes; the rules with a space are {sorted(SPACES)}. "
                f"Give arguments yourself: check_backward({rule.name}.plain, {rule.name}.backward, args, "
                f"forward={rule.name}.forward, static=options)."
            )
        if cases < 1:
            raise ValueError(f"check_rule: cases is {cases}; expected 1 or more.")
        self.rule, self.cases, self.seed = rule, cases, seed
        self.forward, self.backward = forward or rule.forward, backward or rule.backward
        self.space = SPACES[rule.name]
        self.seen: dict[str, tuple[Draw, bool]] = {}
        self._benches: dict[str, Bench] = {}

    def report(self) -> Report:
        """As `check_rule` says."""
        started = time.perf_counter()
        draw = self.smallest_failing() or self.largest
        report = verify_on(self.bench(draw), checks.FULL)
        return replace(report, name=self.rule.name, cases=len(self.seen), seconds=time.perf_counter() - started)

    def bench(self, draw: "Draw") -> Bench:
        """The rule, with this forward and backward, on a draw, set up for checking."""
        key = repr(draw)
        if key not in self._benches:
            problem = problem_of(self.rule, draw, self.forward, self.backward)
            self._benches[key] = bench_of(problem, self.seed)
        return self._benches[key]

    def _fails(self, draw: "Draw") -> bool:
        key = repr(draw)
        if key not in self.seen:
            self.seen[key] = (draw, finds(self.bench(draw), checks.QUICK))
        return self.seen[key][1]

    @property
    def largest(self) -> "Draw":
        """Of the draws the one with the most entries."""
        return _largest(self.draws)

    @cached_property
    def draws(self) -> "list[Draw]":
        """`cases` draws that are much unlike each other; the last is the largest of them, stretched."""
        from jaxcnn.verify.stretch import stretched

        drawn: dict[str, Draw] = {}
        self._find(lambda draw: drawn.setdefault(repr(draw), draw) is None)
        chosen = cover(list(drawn.values()), self.cases)
        most = _largest(chosen)
        return [*(draw for draw in chosen if draw is not most), stretched(self.rule.name, most)]

    def first_failing(self) -> "Draw | None":
        """The first of the draws that fails; None where all pass."""
        return next((d for d in self.draws if self._fails(d)), None)

    def smallest_failing(self) -> "Draw | None":
        """The same draw, shrunk to the smallest that fails."""
        failing = self.first_failing()
        if failing is None:
            return None
        reached, tried = False, len(self.seen)

        def condition(draw: "Draw") -> bool:
            """Pass over the same draws as before up to the failing one; then tell the smaller ones."""
            nonlocal reached
            reached = reached or repr(draw) == repr(failing)
            known = repr(draw) in self.seen or len(self.seen) < tried + SHRINKS
            return reached and known and self._fails(draw)

        smallest = self._find(condition)
        # Of draws alike in all but their values only the first was tried: that is the one that fails.
        return failing if smallest is None else self.seen[repr(smallest)][0]

    def _find(self, condition: "Callable[[Draw], bool]") -> "Draw | None":
        """The simplest draw that meets the condition, found by hypothesis; None where none of `DRAWS` does."""
        from hypothesis import HealthCheck, Phase, find, settings
        from hypothesis.errors import NoSuchExample

        how = settings(
            max_examples=DRAWS,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        try:
            return find(self.space, condition, settings=how, random=Random(self.seed))
        except NoSuchExample:
            return None


def _largest(draws: "list[Draw]") -> "Draw":
    return max(draws, key=lambda d: sum(np.size(a) for a in d.args))
