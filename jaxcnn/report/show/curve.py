"""An operation along a line: its value and its slope, and where the slope jumps."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops.rule import RULES
from jaxcnn.primitive import promoting
from jaxcnn.report.show.examples import Example
from jaxcnn.verify.catalog.draw import Draw, worked_out
from jaxcnn.verify.program import compiler_options

STEP = 0.25  # of what can be looked at; kinks lie on this lattice
FINE = 1 / 32  # of what is drawn
BESIDE = 1e-7  # how far to both sides of a place its one-sided slopes are taken


@dataclass(frozen=True)
class Kink:
    """A place where the slope jumps: the slopes to its left and right, and the one that the rule takes."""

    at: float
    left: float
    right: float
    taken: float


@dataclass(frozen=True)
class Samples:
    """An operation of one number.

    Attributes:
      x, value, slope: arrays on the lattice of `STEP`.
      pieces: between one kink and the next, (x, value, slope) on the lattice of `FINE`, ends included.
      kinks: in their order.
    """

    x: Any
    value: Any
    slope: Any
    pieces: list[tuple[Any, Any, Any]]
    kinks: list[Kink]


def samples(name: str, example: Example) -> Samples:
    """Run the rule's `forward` along the example's line, and its `backward` with a dy of 1 at every place."""
    line = example.line
    assert line is not None
    coarse = np.arange(line.low, line.high + STEP / 2, STEP)
    fine = np.arange(line.low, line.high + FINE / 2, FINE)
    places = np.concatenate([coarse, coarse - BESIDE, coarse + BESIDE, fine])
    value, slope = _along(name, example, places)
    n = len(coarse)
    left, right = slope[n : 2 * n], slope[2 * n : 3 * n]
    jumps = np.flatnonzero(np.abs(right - left) > 1e-4)
    kinks = [Kink(*(float(a[i]) for a in (coarse, left, right, slope[:n]))) for i in jumps]
    ends = [line.low, *(kink.at for kink in kinks), line.high]
    pieces = []
    for low, high in pairwise(ends):
        within = np.concatenate([[low + BESIDE], fine[(fine > low) & (fine < high)], [high - BESIDE]])
        pieces.append((within, *_along(name, example, within)))
    return Samples(coarse, value[:n], slope[:n], pieces, kinks)


def _along(name: str, example: Example, places: Any) -> tuple[Any, Any]:
    rule, line = RULES[name], example.line
    assert line is not None

    def run(x: Any) -> Any:
        others = [jnp.full(x.shape, other) for other in line.others]
        arrays, options = worked_out(name, Draw((x, *others), example.options))
        y, residuals = rule.forward(*arrays, **options)
        return y, rule.backward(residuals, jnp.ones_like(y), **options)[0]

    with jax.enable_x64(True), promoting():
        value, slope = jax.jit(run, compiler_options=compiler_options()[0])(places)
    return np.asarray(value), np.asarray(slope)
