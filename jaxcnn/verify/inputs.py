"""Inputs made to hurt, of the shapes that were given: where derivatives written by hand go wrong."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np

from jaxcnn.verify.problem import Arrays

WHOLE = np.array([-6.0, -3, -2, -1, -1, -1, 0, 1, 1, 1, 2, 3, 6])  # margins and deltas are 1 more often than not
ONE_HOTS = 8  # for each output: some corners, borders, and entries inside


@dataclass(frozen=True, eq=False)
class Point:
    """Values for every float array, in float64.

    Attributes:
      kind: "given" is what the caller gave. The others have its scale, array by array, and its sign where it has
        but one: "separated" (no two values equal, none 0), "zeros" (a third of them exactly 0), "ties" (few values,
        none of them 0), "constant" (each array one value), "large" (x 1000), "tiny" (x 1e-6), "whole" (small
        integers, whatever the scale, and the numbers that the function itself has in it: where kinks beside 0 lie),
        "offset" (1000 and what is normal: digits cancel), and "subnormal" (a third of them so small that they are so in
        float32, and their products are 0 in float64).
    """

    kind: str
    leaves: Arrays


def points(given: Sequence[Any], seed: int, constants: Sequence[float] = ()) -> list[Point]:
    """The given values and the harder ones made of them; `constants` are the function's own."""
    rng = np.random.default_rng(seed)
    arrays = [np.asarray(a, np.float64) for a in given]
    makers: dict[str, Maker] = {
        "separated": _separated,
        "zeros": lambda rng, shape: np.where(rng.random(shape) < 1 / 3, 0, _separated(rng, shape)),
        "ties": lambda rng, shape: rng.choice([-1.5, -0.75, 0.75, 1.5], shape),
        "constant": lambda rng, shape: np.full(shape, rng.uniform(0.5, 1.5)),
        "large": lambda rng, shape: 1e3 * rng.standard_normal(shape),
        "tiny": lambda rng, shape: 1e-6 * rng.standard_normal(shape),
    }
    more: dict[str, Maker] = {
        "offset": lambda rng, shape: 1e3 + rng.standard_normal(shape),
        "subnormal": lambda rng, shape: np.where(rng.random(shape) < 1 / 3, _small(rng, shape), _separated(rng, shape)),
    }

    def made(makers: dict[str, Maker]) -> list[Point]:
        return [Point(kind, [_like(a, make(rng, a.shape)) for a in arrays]) for kind, make in makers.items()]

    hard = made(makers)
    kinks = np.array([*WHOLE, *constants])
    whole = [rng.choice(kinks if _signed(a) else np.abs(kinks), a.shape) for a in arrays]
    return [Point("given", arrays), *hard, Point("whole", whole), *made(more)]


Maker = Callable[[np.random.Generator, tuple[int, ...]], Any]


def _small(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Of either sign, from 1e-300 to 1e-40. What is subnormal in float64 XLA takes for 0, or not, as it likes."""
    return rng.choice([-1, 1], shape) * 10.0 ** rng.uniform(-300, -40, shape)


def _separated(rng: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """Values from -2 to 2 at equal distances, in random order; the quarter keeps them off 0."""
    n = int(np.prod(shape))
    return (rng.permutation(n).reshape(shape) + 0.25 - n / 2) * 4 / max(n, 1)


def _like(given: Any, values: Any) -> Any:
    """`values` of the given array's scale; not negative where it is not, so that variances stay variances."""
    return (typical(given) or 1.0) * (values if _signed(given) else np.abs(values))


def _signed(given: Any) -> bool:
    return not given.size or given.min() < 0


def typical(a: Any) -> float:
    """The root mean square of an array's finite entries; 0 for an empty one."""
    finite = a[np.isfinite(a)]
    top = float(np.max(np.abs(finite), initial=0.0))
    return top * float(np.sqrt(np.mean((finite / top) ** 2))) if top else 0.0


def dense(shapes: Sequence[tuple[int, ...]], seed: int) -> Arrays:
    """A random cotangent for each output."""
    rng = np.random.default_rng((seed, 1))
    return [rng.standard_normal(shape) for shape in shapes]


def one_hots(shapes: Sequence[tuple[int, ...]], seed: int) -> list[Arrays]:
    """Cotangents with a single entry that is not 0: at corners, at borders and inside, output by output."""
    rng = np.random.default_rng((seed, 2))
    found = []
    for which, shape in enumerate(shapes):
        if 0 in shape:
            continue
        ends = list(islice(product(*[sorted({0, n - 1}) for n in shape]), 1024))
        corners = [ends[i] for i in sorted({0, len(ends) - 1, *rng.integers(0, len(ends), ONE_HOTS // 2)})]
        inside = [tuple(rng.integers(0, n) for n in shape) for _ in range(ONE_HOTS - len(corners))]
        for index in dict.fromkeys(corners + inside):
            hot = [np.zeros(s) for s in shapes]
            hot[which][index] = 1.0
            found.append(hot)
    return found
