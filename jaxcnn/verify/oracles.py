"""Central differences: the oracle that knows nothing of derivatives.

With five values of f along one entry, at -2h, -h, 0, h and 2h,

    slope = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h,      error h⁴ f⁽⁵⁾ / 30

where f has five derivatives (Fornberg 1988, "Generation of finite difference formulas on arbitrarily spaced grids").
Where a kink lies within the step the slope means nothing, and the same five values tell: the third and fourth
differences, 2 h³ f''' and h⁴ f'''' where f is smooth, are of the size of h times the jump in slope where it is not.
Their size over h is the slope's error bar; an entry whose bar is wide is left out, and counted.

Not every derivative is a slope. What `stop_gradient` takes for constant may be held at its value while the entry moves;
for a function that rounds inside the steps are longer; and a custom rule that gives `round` a derivative has no slope.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.verify import held, reading
from jaxcnn.verify.inputs import typical
from jaxcnn.verify.problem import Arrays, Problem, floats
from jaxcnn.verify.program import Program

ENTRIES = 1024  # of all arrays together; of more than that only a sample, which has each array's first and last entry
_SAMPLE = 256
_BESIDE = 64  # the sample where autodiff of a plain function judges every entry already
# For the digits that f has: the step that balances h⁴ against the rounding of f over h, of the array's scale; and the
# largest error bar of an entry that is judged, of the slope's size.
_STEPS = {"float64": (1e-3, 1e-4), "float32": (1e-2, 1e-2)}
_SHRINKING = (1.0, 1e-3, 1e-6)  # steps
_OFFSETS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


class Estimate(NamedTuple):
    """For every array: the slopes, their error bars, and which entries are decided (in reach, and without a kink)."""

    values: Arrays
    bars: Arrays
    decided: Arrays


class Differences:
    """Central differences in float64 of Σ dy y, y being the problem's plain function, or else its forward.

    With `hold`, what stop_gradient takes for constant is held.
    """

    def __init__(self, problem: Problem, seed: int, *, hold: bool = False) -> None:
        self._rng = np.random.default_rng((seed, 3))
        self._sample = _SAMPLE if problem.plain is None else _BESIDE
        self._digits = jnp.dtype(problem.digits(np.float64))
        self._step = _STEPS.get(self._digits.name, (1.0, 0.0))[0]

        def along(flat: list[Any], dys: list[Any], steps: list[Any], entries: list[Any]) -> Any:
            def reference(leaves: list[Any]) -> Any:
                return problem.reference(*problem.put(leaves))

            at = _parts(flat[0], problem.leaves)
            function = held.held_at(problem.program(np.float64), at) if hold else reference

            def value(flat: Any) -> tuple[Any, Any]:
                y = floats(function(_parts(flat, problem.leaves)))
                products = [a * dy for a, dy in zip(y, dys, strict=True)]
                return sum(p.sum() for p in products), sum(jnp.abs(p).sum() for p in products)

            def five(entry: Any) -> Any:
                i = entry.astype(int)
                return lax.map(lambda t: value(flat[0].at[i].add(t * steps[0][i]))[0], jnp.asarray(_OFFSETS))

            return lax.map(five, entries[0]), value(flat[0])[1]

        self._along = Program(along, np.float64)

    def __call__(self, leaves: Arrays, dys: Arrays) -> tuple[Arrays, Arrays]:
        """The slopes at these values, for this dy, and their error bars."""
        entries = self._entries(leaves)
        f, size, h = self._five(leaves, dys, entries, self._step)
        third = np.abs(f[:, 4] - 2 * f[:, 3] + 2 * f[:, 1] - f[:, 0])
        fourth = np.abs(f[:, 4] - 4 * f[:, 3] + 6 * f[:, 2] - 4 * f[:, 1] + f[:, 0])
        slope = (8 * (f[:, 3] - f[:, 1]) - (f[:, 4] - f[:, 0])) / (12 * h)
        bar = (third + fourth + 8 * reading.epsilon(self._digits) * size) / h
        return self._split(leaves, entries, slope, bar)

    def unbounded(self, leaves: Arrays, dys: Arrays, suspects: Arrays) -> Arrays:
        """Those of the entries `suspects`, masks, on one side of which the slope grows as the step shrinks.

        So it does at the end of a square root, of x log x, at a jump, and where f is not defined beside.
        Of more than `ENTRIES` the first are looked at, and the others taken to be like them.
        """
        at = np.flatnonzero(np.concatenate([a.ravel() for a in suspects]))
        found = np.zeros(sum(a.size for a in leaves), bool)
        n = len(self._entries(leaves))
        for start in range(0, min(len(at), ENTRIES), n):
            entries = np.resize(at[start : start + n], n)  # the same number at every call
            found[entries] = self._grows(leaves, dys, entries)
        found[at[ENTRIES:]] = found[at[:ENTRIES]].all()
        return _parts(found, leaves)

    def _grows(self, leaves: Arrays, dys: Arrays, entries: Any) -> Any:
        sides = []
        for shrunk in _SHRINKING:
            f, size, h = self._five(leaves, dys, entries, self._step * shrunk)
            with np.errstate(invalid="ignore"):
                rises = np.abs(f[:, [1, 3]] - f[:, [2]])
            rises[np.isnan(rises)] = np.inf
            rises[rises <= 64 * reading.epsilon(self._digits) * size] = 0.0
            sides.append(rises / h[:, None])
        first, second, third = sides
        return ((third == np.inf) | ((third / 1.1 > second) & (second / 1.1 > first))).any(1)

    def _five(self, leaves: Arrays, dys: Arrays, entries: Any, step: float) -> tuple[Any, Any, Any]:
        """f at the five places along each entry, the size of the terms that it sums, and each entry's h."""
        flat = np.concatenate([a.ravel() for a in leaves])
        steps = np.concatenate([np.full(a.size, step * (typical(a) or 1.0)) for a in leaves])
        f, size = self._along([flat], dys, [steps], [entries.astype(float)])
        return f, size, steps[entries]

    def _entries(self, leaves: Sequence[Any]) -> Any:
        """Places in the flat array: all of a small array, of a large one its ends and a sample."""
        found, at = [], 0
        total = sum(leaf.size for leaf in leaves)
        most = total if total <= ENTRIES else max(self._sample // len(leaves), 3)
        for leaf in leaves:
            places = np.arange(leaf.size)
            if leaf.size > most:
                inner = self._rng.choice(leaf.size - 2, most - 2, replace=False) + 1
                places = np.sort(np.concatenate([[0, leaf.size - 1], inner]))
            found.append(at + places)
            at += leaf.size
        return np.concatenate(found)

    @staticmethod
    def _split(leaves: Arrays, entries: Any, slope: Any, bar: Any) -> tuple[Arrays, Arrays]:
        total = sum(a.size for a in leaves)
        values, bars = np.zeros(total), np.full(total, np.inf)
        values[entries], bars[entries] = slope, bar
        return _parts(values, leaves), _parts(bars, leaves)


class Slopes:
    """The differences that a derivative may be equal to, and why it may be equal to none.

    Attributes:
      ways: of the function as it is and, where it has a stop_gradient, of the function in which that is held. JAX's
        derivative is the latter's, unless a custom rule or an implicit derivative goes round it.
      meaningless: why no slope is the derivative; "" where one is.
      unsure: why one may be another than these; "" where it is not.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        program, digits = problem.program(np.float64).jaxpr, jnp.dtype(problem.digits(np.float64)).name
        whose = "the function" if problem.plain is None else "the reference"
        decides = "give a reference" if problem.plain is None else "JAX's derivative of it decides"
        self._widest = _STEPS.get(digits, (1.0, 0.0))[1]
        self.meaningless = self.unsure = ""
        if digits not in _STEPS:
            self.meaningless = f"{whose} computes in {digits}, whose rounding hides the slopes"
        elif reading.is_straight_through(program):
            self.meaningless = f"{whose} has a custom rule that gives a derivative to steps, which have none: {decides}"
        holds = held.can_hold(program)
        if not holds:
            self.unsure = f"{whose} has a stop_gradient in a loop or branch, where it can't be held: {decides}"
        self.ways = [Differences(problem, seed)]
        if holds and reading.stops_gradients(program):
            self.ways.append(Differences(problem, seed, hold=True))

    def nearest(self, leaves: Arrays, dys: Arrays, got: Arrays) -> Estimate:
        """Entry by entry, the slope that is nearest to `got` of those that are decided."""
        found = [way(leaves, dys) for way in self.ways]
        per_array = zip(got, *(zip(*one, strict=True) for one in found), strict=True)
        return Estimate(*map(list, zip(*(self._nearest(*of_array) for of_array in per_array), strict=True)))

    def _nearest(self, got: Any, *ways: tuple[Any, Any]) -> tuple[Any, Any, Any]:
        values, bars = (np.stack(each) for each in zip(*ways, strict=True))
        scale = sum(typical(v) for v in values)  # that of the one may be 0 everywhere
        decided = bars <= self._widest * (np.abs(values) + scale)
        with np.errstate(invalid="ignore"):
            distance = np.where(decided, np.nan_to_num(np.abs(got - values), nan=np.inf), np.inf)
        best = np.argmin(distance, 0)[None]
        return tuple(np.take_along_axis(a, best, 0)[0] for a in (values, bars, decided))


def _parts(flat: Any, like: Sequence[Any]) -> list[Any]:
    """The pieces of a flat array, in the shapes of `like`."""
    ends = np.cumsum([a.size for a in like])
    return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends.tolist(), like, strict=True)]
