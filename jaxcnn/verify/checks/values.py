"""Numbers against other oracles: the plain function, NumPy loops, autodiff, differences, zero, finiteness."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxcnn.verify import inputs
from jaxcnn.verify.bench import Bench, Outcome, Skip, Wrong, compared, failure
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.oracles import Slopes
from jaxcnn.verify.problem import Arrays, floats
from jaxcnn.verify.program import precision
from jaxcnn.verify.reading import is_float


def forward(bench: Bench) -> Outcome:
    """The forward under test returns what the plain function does."""
    bench.needs_plain()
    outcome = Outcome()
    for point in bench.points:
        outcome.add(_outputs(bench, point, bench.exactly(point, bench.dys)[0], bench.most(1e-12), "forward"))
    return _told(bench, outcome, "forward", "the forward does not return what the plain function returns")


def loops(bench: Bench) -> Outcome:
    """The forward under test returns what loops in NumPy return, which know nothing of XLA."""
    naive, point = bench.problem.naive, bench.point("given")
    if naive is None:
        raise Skip("no NumPy loops were given")
    with precision(np.float64):
        y = floats(naive(*map(_numpy, bench.problem.put(point.leaves))))
    outcome = _outputs(bench, point, y, bench.most(1e-11), "loops")
    return _told(bench, outcome, "loops", "the forward does not return what loops in NumPy return")


def _numpy(a: Any) -> Any:
    return np.asarray(a) if is_float(a) else a


def _outputs(bench: Bench, point: Point, right: Arrays, most: float, check: str) -> Outcome:
    """The forward's y against `right`, within `most` of each value's size."""
    y = bench.subject(point.leaves, bench.dys)[0]
    if [a.shape for a in y] != [a.shape for a in right]:
        shapes = f"shapes {[a.shape for a in y]}, expected {[a.shape for a in right]}"
        return Outcome(failures=[failure(bench, check, "", f"the forward returns {shapes}", point)])
    allowed = [most * (np.abs(a) + inputs.typical(a)) for a in right]
    return compared([f"y[{i}]" for i in range(len(y))], point, bench.dys, y, right, allowed)


def _told(bench: Bench, outcome: Outcome, check: str, message: str) -> Outcome:
    """Outputs belong to no argument: a failure without one in place of the wrong entries."""
    if not outcome.wrong:
        return outcome
    return Outcome(failures=[failure(bench, check, "", message, outcome.wrong[0].point)], worst=outcome.worst)


def first(bench: Bench) -> Outcome:
    """The first of `autodiff`'s comparisons alone."""
    point = bench.point("given")
    return bench.compare(point, bench.dys, bench.pulled(point)) if bench.decided(point) else Outcome()


def autodiff(bench: Bench) -> Outcome:
    """Every cotangent equals JAX's derivative of the plain function, in float64, on every input and dy."""
    bench.needs_plain()
    outcome, undecided = Outcome(), []
    for point in bench.points:
        if not bench.decided(point):
            undecided.append(point.kind)
            continue
        many = bench.one_hots if point.kind in ("given", "separated") else []
        for dys in [bench.dys, *many]:
            outcome.add(bench.compare(point, dys, bench.subject(point.leaves, dys)[1]))
    bench.wrong_already |= {w.argument for w in outcome.wrong}
    if undecided:
        outcome.note = f"left out, because rounding decides: {', '.join(undecided)}"
    return outcome


def differences(bench: Bench) -> Outcome:
    """Every cotangent equals central differences in float64, where no kink lies within the step."""
    if not any(a.size for a in bench.problem.leaves):
        raise Skip("the arguments have no entries")
    points = [bench.point(kind) for kind in ("given", "separated")]
    outcome = against_slopes(bench.problem.names, bench.slopes, [(p, bench.dys, bench.pulled(p)) for p in points])
    bench.wrong_already |= {w.argument for w in outcome.wrong}
    return outcome


def against_slopes(names: Sequence[str], slopes: Slopes, points: Sequence[tuple[Point, Arrays, Arrays]]) -> Outcome:
    """Each point's cotangents for its dy against the slopes, at the entries where those are decided."""
    if slopes.meaningless:
        raise Skip(slopes.meaningless)
    outcome, left_out, seen = Outcome(), 0, 0
    for point, dys, pulled in points:
        expected, bars, decided = slopes.nearest(point.leaves, dys, pulled)
        got = [np.where(d, g, e) for g, e, d in zip(pulled, expected, decided, strict=True)]
        allowed = [2 * b + 1e-8 * inputs.typical(e) for b, e in zip(bars, expected, strict=True)]
        outcome.add(compared(names, point, dys, got, expected, allowed))
        seen += sum(int(d.sum()) for d in decided)
        left_out += sum(int((~d).sum()) for d in decided)
    if left_out:
        outcome.note = f"{seen} entries; {left_out} left out: beyond the sample, or a kink within the step"
    if outcome.wrong and slopes.unsure:
        raise Skip(slopes.unsure)
    if not seen and left_out:
        raise Skip("a kink lies within the step of every entry")
    return outcome


def zero(bench: Bench) -> Outcome:
    """dy = 0 gives cotangents that are exactly 0, but where JAX's own are not finite: 0 times an infinite slope."""
    outcome = Outcome()
    for point in bench.points:
        y, got = bench.subject(point.leaves, bench.nothing)
        if all(np.all(np.isfinite(a)) for a in y):
            nothing = [np.zeros(a.shape) for a in got]
            expected = [np.where(s, np.nan, 0.0) for s in bench.singular(point, bench.dys, got)]
            outcome.add(compared(bench.problem.names, point, bench.nothing, got, expected, nothing))
    return outcome


def finite(bench: Bench) -> Outcome:
    """Finite inputs give finite cotangents, wherever y and the right cotangent are finite."""
    outcome = Outcome()
    for point in bench.points:
        y, got = bench.subject(point.leaves, bench.dys)
        if not all(np.isfinite(a).all() for a in y):
            continue
        right = got if bench.problem.plain is None else bench.exactly(point, bench.dys)[1]
        for k, (g, nothing) in enumerate(zip(got, bench.singular(point, bench.dys, got), strict=True)):
            bad = ~np.isfinite(g) & ~nothing
            if bad.any():
                outcome.wrong.append(
                    Wrong(k, bench.problem.names[k], point, bench.dys, got, right, np.where(bad, np.inf, 0))
                )
    return outcome
