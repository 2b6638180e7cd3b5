"""Forward mode: tangents against JAX's own, against differences, and against the cotangents of the same rule."""

import numpy as np

from jaxcnn.verify import rounding
from jaxcnn.verify.bench import Bench, Outcome, Skip, failure
from jaxcnn.verify.inputs import Point, typical
from jaxcnn.verify.problem import STEP, Arrays

TIES = ("ties", "whole")  # inputs with equal entries


def tangent(bench: Bench) -> Outcome:
    """J v equals JAX's derivative of the plain function and central differences; and ⟨J v, dy⟩ = ⟨v, Jᵀ dy⟩.

    J v is by the forward mode under test, all arguments moving. Jᵀ dy is by the backward under test, so the last is
    between two modes of one rule; there one argument moves at a time. Among ties JAX's own two modes may choose
    differently (XLA's maximum of a window): its reverse mode, the same on every machine, is the derivative there.
    """
    if bench.problem.push is None:
        raise Skip("no forward mode belongs to the backward")
    outcome = Outcome(worst=0.0)
    for kind in ("separated", "given", "ties", "whole"):
        point = bench.point(kind)
        v = _tangents(point, bench.seed)
        try:
            got, exact, values = bench.pushing(point.leaves, v)
        except TypeError as error:
            if "custom_vjp" not in str(error):
                raise
            raise Skip("the function has no forward mode: there is a jax.custom_vjp in it") from None
        if exact is not None and _fit(bench, point, v, exact, bench.exactly(point, bench.dys)[1]):
            _compare(bench, outcome, point, got, exact, _allowed(bench, point, v, exact), "JAX's derivative")
        if kind in ("separated", "given") and not outcome.failures and _smooth(bench):
            _compare(bench, outcome, point, got, *_differences(values), "central differences")
        if outcome.failures:
            return outcome
    return _against_cotangents(bench, outcome)


def _tangents(point: Point, seed: int, only: int | None = None) -> Arrays:
    """Random, of the size of their arrays; zeros but for the array `only`."""
    rng = np.random.default_rng((seed, 7))
    drawn = [np.asarray(rng.standard_normal(a.shape)) * (typical(a) or 1.0) for a in point.leaves]
    return [d if only in (None, k) else np.zeros_like(d) for k, d in enumerate(drawn)]


def _allowed(bench: Bench, point: Point, v: Arrays, exact: Arrays) -> Arrays:
    """What rounding may do to the tangents, see `rounding`; infinite where it decides them."""
    on_kinks = point.kind == "whole"
    terms, jumps = rounding.terms(
        lambda *at: bench.pushing(*at)[1], point.leaves, v, exact, digits=bench.digits, on_kinks=on_kinks
    )
    if not rounding.decided(exact, terms, jumps, bench.digits):
        return [np.full(e.shape, np.inf) for e in exact]
    sizes = zip(exact, terms, jumps, strict=True)
    return [rounding.unit(bench.digits) * (np.abs(e) + s + typical(s)) + rounding.MISSED * j for e, s, j in sizes]


def _smooth(bench: Bench) -> bool:
    """Whether slopes are the derivative to all digits: nothing is cast to fewer inside, stopped, or goes round them."""
    slopes = bench.slopes
    return bench.digits == np.float64 and not slopes.meaningless and not slopes.unsure and len(slopes.ways) == 1


def _differences(values: list[Arrays]) -> tuple[Arrays, Arrays]:
    """Slopes along v as `oracles` has them, and what they are good to: infinite where a kink lies within the step."""
    slopes, bars = [], []
    for f in zip(*values, strict=True):
        slope = (8 * (f[3] - f[1]) - (f[4] - f[0])) / (12 * STEP)
        third, fourth = f[4] - 2 * f[3] + 2 * f[1] - f[0], f[4] - 4 * f[3] + 6 * f[2] - 4 * f[1] + f[0]
        bar = (np.abs(third) + np.abs(fourth) + 64 * np.finfo(float).eps * (np.abs(f[2]) + typical(f[2]))) / STEP
        size = np.abs(slope) + typical(slope)
        slopes.append(slope)
        bars.append(np.where(bar <= 1e-4 * size, 2 * bar + 1e-8 * size, np.inf))
    return slopes, bars


def _compare(
    bench: Bench, outcome: Outcome, point: Point, got: Arrays, right: Arrays, allowed: Arrays, by: str
) -> None:
    """Note the largest error, and a failure where one is too large."""
    for k, (g, e, most) in enumerate(zip(got, right, allowed, strict=True)):
        with np.errstate(invalid="ignore", divide="ignore"):
            error = np.where(np.isfinite(g), np.abs(g - e), np.inf)
            excess = np.where((error == 0) | ~np.isfinite(e) | (most == np.inf), 0.0, error / most)
        worst = float(np.max(excess, initial=0.0))
        outcome.worst = max(outcome.worst or 0.0, worst)
        if worst > 1:
            at = np.unravel_index(int(np.argmax(excess)), excess.shape)
            message = (
                f"the tangent of y[{k}] is wrong in {int((excess > 1).sum())} of {excess.size} entries, the worst at "
                f"{list(map(int, at))}: got {float(g[at]):.9g}, expected {float(e[at]):.9g} by {by}"
            )
            outcome.failures.append(failure(bench, "tangent", "", message, point))
            return


def _against_cotangents(bench: Bench, outcome: Outcome) -> Outcome:
    """J v against the Jᵀ dy under test, and at ties against JAX's."""
    point = bench.point("separated")
    for k in range(len(point.leaves)):
        if k not in bench.wrong_already:
            v = _tangents(point, bench.seed, only=k)
            _pair(bench, outcome, point, v, bench.pulled(point), bench.problem.names[k])
    for point in map(bench.point, TIES):
        if bench.problem.plain is not None and bench.decided(point):
            v = _tangents(point, bench.seed)
            _pair(bench, outcome, point, v, bench.exactly(point, bench.dys)[1], "")
    return outcome


def _pair(bench: Bench, outcome: Outcome, point: Point, v: Arrays, pulled: Arrays, argument: str) -> None:
    """Note how far ⟨J v, dy⟩ is from ⟨v, pulled⟩, and a failure where that is too far."""
    left, right, size = _products(bench, v, bench.pushing(point.leaves, v)[0], pulled)
    worst = abs(left - right) / (bench.most(1e-11) * size) if size else 0.0
    outcome.worst = max(outcome.worst or 0.0, worst)
    if worst > 1:
        message = f"the modes differ: ⟨J v, dy⟩ = {left:.9g} in forward mode, ⟨v, Jᵀ dy⟩ = {right:.9g} in reverse"
        outcome.failures.append(failure(bench, "tangent", argument, message, point))


def _fit(bench: Bench, point: Point, v: Arrays, pushed: Arrays, pulled: Arrays) -> bool:
    """Whether JAX's two modes are of one derivative, which they need not be at ties."""
    left, right, size = _products(bench, v, pushed, pulled)
    return point.kind not in TIES or not abs(left - right) > bench.most(1e-11) * size  # NaNs fit


def _products(bench: Bench, v: Arrays, pushed: Arrays, pulled: Arrays) -> tuple[float, float, float]:
    """⟨pushed, dy⟩, ⟨v, pulled⟩, and the size of their terms."""
    forward = [a * dy for a, dy in zip(pushed, bench.dys, strict=True)]
    reverse = [a * d for a, d in zip(v, pulled, strict=True)]
    size = sum(float(np.abs(a).sum()) for a in forward + reverse)
    return sum(float(a.sum()) for a in forward), sum(float(a.sum()) for a in reverse), size
