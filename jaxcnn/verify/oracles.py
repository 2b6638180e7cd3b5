"""Central differences: the oracle that knows nothing of derivatives.

With five values of f along one entry, at -2h, -h, 0, h and 2h,

    slope = (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h,      error h⁴ f⁽⁵⁾ / 30

where f has five derivatives (Fornberg 1988, "Generation of finite difference formulas on arbitrarily spaced grids").
Where a kink lies within the step the slope means nothing, and the same five values tell: the third and fourth
differences, 2 h³ f''' and h⁴ f'''' where f is smooth, are of the size of h times the jump in slope where it is not.
Their size over h is the slope's error bar; an entry whose bar is wide is left out, and counted.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxcnn.verify.inputs import typical
from jaxcnn.verify.problem import Arrays, Problem, floats
from jaxcnn.verify.program import Program

ENTRIES = 1024  # of all arrays together; of more than that only a sample, which has each array's first and last entry
_SAMPLE = 256
_BESIDE = 64  # the sample where autodiff of a plain function judges every entry already
_STEP = 1e-3  # times the array's scale; balances h⁴ against the rounding of f over h
_OFFSETS = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])


class Slopes(NamedTuple):
    """For every array: the slopes, their error bars, and which entries are decided (in reach, and without a kink)."""

    values: Arrays
    bars: Arrays
    decided: Arrays


class Differences:
    """Central differences in float64 of Σ dy y, y being the problem's plain function, or else its forward."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self._rng = np.random.default_rng((seed, 3))
        self._sample = _SAMPLE if problem.plain is None else _BESIDE

        def along(flat: list[Any], dys: list[Any], steps: list[Any], entries: list[Any]) -> Any:
            def value(flat: Any) -> tuple[Any, Any]:
                y = floats(problem.reference(*problem.put(_parts(flat, problem.leaves))))
                products = [a * dy for a, dy in zip(y, dys, strict=True)]
                return sum(p.sum() for p in products), sum(jnp.abs(p).sum() for p in products)

            def five(entry: Any) -> Any:
                i = entry.astype(int)
                return lax.map(lambda t: value(flat[0].at[i].add(t * steps[0][i]))[0], jnp.asarray(_OFFSETS))

            return lax.map(five, entries[0]), value(flat[0])[1]

        self._along = Program(along, np.float64)

    def __call__(self, leaves: Arrays, dys: Arrays) -> Slopes:
        """The slopes at these values, for this dy."""
        flat = np.concatenate([a.ravel() for a in leaves])
        steps = np.concatenate([np.full(a.size, _STEP * (typical(a) or 1.0)) for a in leaves])
        entries = self._entries(leaves)
        f, size = self._along([flat], dys, [steps], [entries.astype(float)])
        h = steps[entries]
        third = np.abs(f[:, 4] - 2 * f[:, 3] + 2 * f[:, 1] - f[:, 0])
        fourth = np.abs(f[:, 4] - 4 * f[:, 3] + 6 * f[:, 2] - 4 * f[:, 1] + f[:, 0])
        slope = (8 * (f[:, 3] - f[:, 1]) - (f[:, 4] - f[:, 0])) / (12 * h)
        bar = (third + fourth + 8 * np.finfo(float).eps * size) / h
        return self._split(leaves, entries, slope, bar)

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
    def _split(leaves: Arrays, entries: Any, slope: Any, bar: Any) -> Slopes:
        total = sum(a.size for a in leaves)
        values, bars = np.zeros(total), np.full(total, np.inf)
        values[entries], bars[entries] = slope, bar
        slopes = _parts(values, leaves)
        errors = _parts(bars, leaves)
        decided = [b <= 1e-4 * (np.abs(v) + typical(v)) for v, b in zip(slopes, errors, strict=True)]
        return Slopes(slopes, errors, decided)


def _parts(flat: Any, like: Sequence[Any]) -> list[Any]:
    """The pieces of a flat array, in the shapes of `like`."""
    ends = np.cumsum([a.size for a in like])
    return [flat[end - a.size : end].reshape(a.shape) for end, a in zip(ends.tolist(), like, strict=True)]
