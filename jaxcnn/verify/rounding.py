"""How far two correct results may lie apart: errors measured in roundings.

A backward pass is a sum of products, and no order of summation is the right one. What every good one shares is
that its error is that of an exact computation on inputs that were rounded once more (Higham 2002, "Accuracy and
stability of numerical algorithms", section 1.5). So the exact cotangent, in float64, is asked how much it moves:

    S_i = the root mean square over random signs s of |g_i(x (1 + δ s), dy (1 + δ s')) - g_i(x, dy)| / δ.

For g_i = Σ_j J_ij dy_j that is √(Σ_j (J_ij dy_j)²), the size of the *terms* of the sum, whatever cancels among
them: it is the natural unit, entry by entry, and it does not grow with the size of the array. K terms are summed
with an error of about ε √K / 2 of it, random roundings adding up in squares. So the error allowed is

    ε R (|g_i| + S_i + typical(S) + floor_i),

R being `ROUNDINGS`, and floor_i = typical(dy) typical(y) / |x_i|: a backward that works from y (tanh's 1 - y²)
inherits y's own rounding. For it |x_i| counts as a hundredth of x's typical value at least, and as 1 at most: a
softmax whose largest share is almost 1 loses the digits of 1 - y, whatever the size of its x.

Where a gradient jumps (a tie, ReLU at 0) and rounding inside the *forward* decides the side, no result is the right
one. Multiplying all arrays by the same 1 + δ keeps every tie and every zero that the inputs have, and rounds
everything anew: what moves then was decided by rounding, and is allowed to differ by `MISSED` times as much. Where it
moves by more than `CHAOS` of the gradient's own size (batch norm of constant channels, layer upon layer, amplifies
rounding without bound) the input decides nothing, and is left out.

Whole numbers may lie on a kink exactly (a margin of 1, the 6 of relu6), and multiplying takes them off it: there only
what differs between one 1 + δ and the next is rounding's, and the gradient at the kink itself is held to JAX's.

A function may cast to a coarser dtype inside. Then all of this is said of that dtype's ε.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.inputs import typical
from jaxcnn.verify.problem import Arrays
from jaxcnn.verify.reading import epsilon, finfo

# √K / 2 for sums of up to 10⁵ terms, with some room. Half precision is expected to be summed in float32 and rounded at
# the end.
ROUNDINGS = {"float64": 256.0, "float32": 256.0, "bfloat16": 16.0, "float16": 16.0}

# Three draws of a jump may miss the largest one.
MISSED = 8

_SCALINGS, _MORE_SCALINGS = 3, 6  # the more where they are compared with each other

_MOST_STEP = 2.0**-20  # more would move a smooth gradient by more than float32 rounds
_FLOAT64 = float(np.finfo(np.float64).eps)

# A rounding of the inputs, 64 units in the last place, that comes back amplified a hundred thousand times; in a dtype
# of fewer digits, that comes back as large as half the gradient.
CHAOS = 1e-9
_MOST_CHAOS = 0.5

_STEP = 2.0**-7
_DRAWS = 3

Gradient = Callable[[Arrays, Arrays], Arrays]


def unit(dtype: Any) -> float:
    """The rounding of a sum in `dtype`, of its terms' size."""
    return epsilon(dtype) * ROUNDINGS.get(jnp.dtype(dtype).name, 16.0)


def terms(
    gradient: Gradient, leaves: Arrays, dys: Arrays, at: Arrays, *, digits: Any = np.float64, on_kinks: bool = False
) -> tuple[Arrays, list[float]]:
    """For each array: S, the size of the terms of each entry; and by how much rounding alone makes an entry jump.

    `gradient` is exact to the `digits` of a dtype; `at` is gradient(leaves, dys). `on_kinks`: leaves may lie on a kink
    exactly.
    """
    rng = np.random.default_rng(0)
    squares = [np.zeros(a.shape) for a in at]
    with np.errstate(invalid="ignore", over="ignore"):
        for _ in range(_DRAWS):
            moved = gradient(*([a * (1 + _STEP * rng.choice([-1, 1], a.shape)) for a in b] for b in (leaves, dys)))
            for square, new, old in zip(squares, moved, at, strict=True):
                square += np.nan_to_num((new - old) / _STEP, posinf=0, neginf=0) ** 2 / _DRAWS
        scalings = range(1, 1 + (_MORE_SCALINGS if on_kinks else _SCALINGS))
        step = min(64 * epsilon(digits), _MOST_STEP)
        scaled = [gradient(*([a * (1 + k * step) for a in b] for b in (leaves, dys))) for k in scalings]
        first = scaled[0] if on_kinks else at
        jumps = [max(_largest(new[i] - old) for new in scaled) for i, old in enumerate(first)]
    return [np.sqrt(square) for square in squares], jumps


def allowed(
    dtype: Any,
    expected: Arrays,
    terms: Arrays,
    jumps: list[float],
    leaves: Arrays,
    dys: Arrays,
    y: Arrays,
    *,
    digits: Any = np.float64,
) -> Arrays:
    """The error that rounding in `dtype` may make, for every entry of every array.

    It is infinite where rounding decides all, or where the terms of the sum leave the dtype's range. `digits` are those
    to which the others were computed.
    """
    if not decided(expected, terms, jumps, digits):
        return [np.full(e.shape, np.inf) for e in expected]
    rounding = unit(dtype)
    through = max((typical(d) * typical(v) for d, v in zip(dys, y, strict=True)), default=0.0)
    with np.errstate(over="ignore"):
        floors = [through / np.clip(np.abs(x), min(typical(x) / 100, 1), 1) if typical(x) else 0.0 for x in leaves]
    largest, least = float(finfo(dtype).max), unit(dtype) / epsilon(dtype) * float(finfo(dtype).smallest_subnormal)
    return [
        np.where(np.abs(e) + s < largest, rounding * (np.abs(e) + s + typical(s) + floor) + MISSED * j + least, np.inf)
        for e, s, floor, j in zip(expected, terms, floors, jumps, strict=True)
    ]


def decided(exact: Arrays, terms: Arrays, jumps: list[float], digits: Any = np.float64) -> bool:
    """Whether these cotangents are more than amplified rounding."""
    most = min(CHAOS * epsilon(digits) / _FLOAT64, _MOST_CHAOS)
    return all(j <= most * (typical(e) + typical(s)) for e, s, j in zip(exact, terms, jumps, strict=True))


def _largest(a: Any) -> float:
    return float(np.max(np.abs(a[np.isfinite(a)]), initial=0.0))
