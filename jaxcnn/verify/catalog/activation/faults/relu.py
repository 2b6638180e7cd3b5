"""Mistakes in the backward passes of relu and its kin: at the kinks, in the mask, in the learned slope."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.catalog.activation.faults.slope import sides, slope
from jaxcnn.verify.catalog.fault import Arrays, Fault, as_if, changed, first_example

RELU = [
    slope("relu", "one-at-zero", "takes relu'(0) = 1", lambda x: x >= 0),
    slope(
        "relu", "half-at-zero", "takes relu'(0) = 1/2, the derivative of jnp.maximum", lambda x: (jnp.sign(x) + 1) / 2
    ),
    slope("relu", "mask-ignored", "passes negative entries too", jnp.ones_like),
    slope("relu", "mask-inverted", "passes the negative entries instead of the positive ones", lambda x: x < 0),
    slope("relu", "leaks", "has the slope 0.01 where x < 0: that is leaky_relu", lambda x: jnp.where(x > 0, 1, 0.01)),
    slope("relu", "times-y", "is dy y, the output itself as the mask", lambda x: jnp.maximum(x, 0)),
    changed(
        "relu",
        0,
        "mask-of-dy",
        "is masked by the sign of dy instead of x",
        lambda d, a, dy, o: jnp.where(dy > 0, dy, 0),
    ),
    changed(
        "relu",
        0,
        "guided",
        "is masked by the sign of dy as well as of x (guided backpropagation)",
        lambda d, a, dy, o: jnp.maximum(d, 0),
    ),
]

LEAKY_RELU = [
    slope(
        "leaky_relu",
        "one-at-zero",
        "takes the derivative 1 at 0 instead of the slope",
        lambda x, slope: jnp.where(x >= 0, 1, slope),
    ),
    slope("leaky_relu", "slope-dropped", "is zero where x < 0: that is relu", lambda x, slope: x > 0),
    slope(
        "leaky_relu",
        "slope-default",
        "has the slope 0.01 whatever `slope` is",
        lambda x, slope: jnp.where(x > 0, 1, 0.01),
    ),
    slope(
        "leaky_relu", "slope-squared", "has the slope twice where x < 0", lambda x, slope: jnp.where(x > 0, 1, slope**2)
    ),
    slope(
        "leaky_relu",
        "slope-sign",
        "has the slope's sign wrong where x < 0",
        lambda x, slope: jnp.where(x > 0, 1, -slope),
    ),
    slope(
        "leaky_relu",
        "sides-swapped",
        "has the slope where x > 0 and 1 where x < 0",
        lambda x, slope: jnp.where(x > 0, slope, 1),
    ),
]

RELU6 = [
    slope("relu6", "one-at-zero", "takes the derivative 1 at 0", lambda x: (x >= 0) & (x < 6)),
    slope("relu6", "one-at-six", "takes the derivative 1 at 6", lambda x: (x > 0) & (x <= 6)),
    slope(
        "relu6",
        "half-at-six",
        "takes the derivative 1/2 at 6, that of jnp.minimum",
        lambda x: (x > 0) * (jnp.sign(6 - x) + 1) / 2,
    ),
    slope("relu6", "cap-ignored", "passes entries above 6 too: that is relu", lambda x: x > 0),
    slope("relu6", "floor-ignored", "passes negative entries too", lambda x: x < 6),
    slope("relu6", "capped-at-one", "passes only entries between 0 and 1", lambda x: (x > 0) & (x < 1)),
]


def _shared(arrays: Arrays, each: Any) -> Any:
    """`each` summed over the entries that share a slope."""
    x, a = arrays
    return jax.vjp(lambda a: jnp.broadcast_to(a, x.shape), a)[1](each)[0]


def _first_along_ones(arrays: Arrays, each: Any) -> Any:
    """The same, but along the slope's axes of length 1 the first entry for the sum."""
    x, a = arrays
    missing = x.ndim - a.ndim
    first = tuple(slice(length) for length in a.shape)
    return each.sum(tuple(range(missing)))[first]


def _dx(name: str, cause: str, derivative: Any) -> Fault:
    """dx = dy derivative(x, slope)."""
    return changed("prelu", 0, name, cause, lambda d, a, dy, o: dy * derivative(*a))


def _dslope(name: str, cause: str, each: Any) -> Fault:
    """dslope = Σ each(x, slope, dy)."""
    return changed("prelu", 1, name, cause, lambda d, a, dy, o: _shared(a, each(*a, dy)))


PRELU = [
    _dx(
        "one-at-zero",
        "takes the derivative 1 at 0 instead of the slope",
        lambda x, a: jnp.where(x >= 0, 1, a),
    ),
    _dx("slope-dropped", "is zero where x < 0: that is relu", lambda x, a: sides(x, 1, 0)),
    _dx("slope-sign", "has the slope's sign wrong where x < 0", lambda x, a: sides(x, 1, -a)),
    _dx("sides-swapped", "has the slope where x > 0 and 1 where x < 0", lambda x, a: sides(x, a, 1)),
    _dslope("slope-both-sides", "is summed where x > 0 too", lambda x, a, dy: x * dy),
    _dslope("slope-other-side", "is summed where x > 0 instead of where x < 0", lambda x, a, dy: sides(x, x * dy, 0)),
    _dslope("slope-x-dropped", "is Σ dy: the factor x is missing", lambda x, a, dy: sides(x, 0, dy)),
    _dslope("slope-of-y", "is Σ y dy: y was taken for x", lambda x, a, dy: sides(x, 0, a * x * dy)),
    as_if("prelu", 1, "slope-first-example", "is summed over the first example only", first_example),
    changed(
        "prelu",
        1,
        "slope-mean",
        "is the mean instead of the sum over the entries that share a slope",
        lambda d, a, dy, o: d * d.size / max(1, a[0].size),
    ),
    changed(
        "prelu",
        1,
        "slope-not-broadcast",
        "counts only the first entry along an axis where the slope has length 1",
        lambda d, a, dy, o: _first_along_ones(a, sides(a[0], 0, a[0] * dy)),
    ),
    changed(
        "prelu",
        1,
        "slope-all-channels",
        "is summed over the channels too, although each has a slope of its own",
        lambda d, a, dy, o: d.sum() + 0 * d,
    ),
]

FAULTS: list[Fault] = [*RELU, *LEAKY_RELU, *RELU6, *PRELU]
