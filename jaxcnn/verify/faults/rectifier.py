"""Mistakes in the backward passes of the rectifiers beyond relu: at the kinks, in the tail, in the learned slope."""

from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.faults.activation import slope
from jaxcnn.verify.faults.fault import Arrays, Fault, as_if, changed, first_example


def _tail(x: Any, right: Any, left: Any) -> Any:
    """`right` where x > 0, else `left`."""
    return jnp.where(x > 0, right, left)


def _power(x: Any) -> Any:
    """eˣ where x <= 0, else 1."""
    return jnp.exp(jnp.minimum(x, 0))


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
    return each.sum(tuple(range(x.ndim - a.ndim)))


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
    _dx("slope-dropped", "is zero where x < 0: that is relu", lambda x, a: _tail(x, 1, 0)),
    _dx("slope-sign", "has the slope's sign wrong where x < 0", lambda x, a: _tail(x, 1, -a)),
    _dx("sides-swapped", "has the slope where x > 0 and 1 where x < 0", lambda x, a: _tail(x, a, 1)),
    _dslope("slope-both-sides", "is summed where x > 0 too", lambda x, a, dy: x * dy),
    _dslope("slope-other-side", "is summed where x > 0 instead of where x < 0", lambda x, a, dy: _tail(x, x * dy, 0)),
    _dslope("slope-x-dropped", "is Σ dy: the factor x is missing", lambda x, a, dy: _tail(x, 0, dy)),
    _dslope("slope-of-y", "is Σ y dy: y was taken for x", lambda x, a, dy: _tail(x, 0, a * x * dy)),
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
        "slope-all-channels",
        "is summed over the channels too, although each has a slope of its own",
        lambda d, a, dy, o: d.sum() + 0 * d,
    ),
]

ELU = [
    slope(
        "elu",
        "one-at-zero",
        "takes the derivative 1 at 0 instead of alpha",
        lambda x, alpha: jnp.where(x >= 0, 1, alpha * _power(x)),
    ),
    slope("elu", "alpha-dropped", "misses the factor alpha where x < 0", lambda x, alpha: _tail(x, 1, _power(x))),
    slope(
        "elu",
        "y-for-derivative",
        "is dy y where x < 0: it should be dy (y + alpha)",
        lambda x, alpha: _tail(x, 1, alpha * (_power(x) - 1)),
    ),
    slope(
        "elu",
        "y-plus-one",
        "is dy (y + 1) where x < 0: it should be dy (y + alpha)",
        lambda x, alpha: _tail(x, 1, alpha * (_power(x) - 1) + 1),
    ),
    slope(
        "elu",
        "x-for-y",
        "is dy (x + alpha) where x < 0: the input was taken for the output",
        lambda x, alpha: _tail(x, 1, x + alpha),
    ),
    slope(
        "elu", "celu", "is dy e^(x / alpha) where x < 0: that is celu", lambda x, alpha: _tail(x, 1, _power(x / alpha))
    ),
    slope("elu", "relu", "is zero where x < 0: that is relu", lambda x, alpha: x > 0),
]

CELU = [
    slope(
        "celu",
        "alpha-dropped",
        "is dy eˣ where x < 0: the exponent is x / alpha",
        lambda x, alpha: _tail(x, 1, _power(x)),
    ),
    slope(
        "celu",
        "inner-derivative",
        "misses the factor 1 / alpha of the exponent's derivative",
        lambda x, alpha: _tail(x, 1, alpha * _power(x / alpha)),
    ),
    slope(
        "celu",
        "inner-derivative-only",
        "misses the factor alpha before the exponential",
        lambda x, alpha: _tail(x, 1, _power(x / alpha) / alpha),
    ),
    slope(
        "celu",
        "y-plus-one",
        "is dy (y + 1) where x < 0: it should be dy (y / alpha + 1)",
        lambda x, alpha: _tail(x, 1, alpha * (_power(x / alpha) - 1) + 1),
    ),
    slope(
        "celu",
        "y-for-derivative",
        "is dy y / alpha where x < 0: the 1 is missing",
        lambda x, alpha: _tail(x, 1, _power(x / alpha) - 1),
    ),
    slope("celu", "elu", "is dy alpha eˣ where x < 0: that is elu", lambda x, alpha: _tail(x, 1, alpha * _power(x))),
    slope("celu", "relu", "is zero where x < 0: that is relu", lambda x, alpha: x > 0),
]

# Klambauer et al. 2017, equation 14; their product is the derivative at 0, from the left.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805
_LIMIT = SELU_SCALE * SELU_ALPHA

SELU = [
    slope(
        "selu",
        "right-at-zero",
        "takes the derivative λ at 0, that of the right side",
        lambda x: jnp.where(x >= 0, SELU_SCALE, _LIMIT * _power(x)),
    ),
    slope("selu", "scale-dropped", "misses the factor λ where x > 0", lambda x: _tail(x, 1, _LIMIT * _power(x))),
    slope(
        "selu",
        "scale-dropped-below",
        "misses the factor λ where x < 0",
        lambda x: _tail(x, SELU_SCALE, SELU_ALPHA * _power(x)),
    ),
    slope(
        "selu",
        "alpha-dropped",
        "misses the factor α where x < 0",
        lambda x: _tail(x, SELU_SCALE, SELU_SCALE * _power(x)),
    ),
    slope(
        "selu",
        "y-plus-alpha",
        "is dy (y + α) where x < 0: it should be dy (y + λ α)",
        lambda x: _tail(x, SELU_SCALE, _LIMIT * (_power(x) - 1) + SELU_ALPHA),
    ),
    slope(
        "selu",
        "y-for-derivative",
        "is dy y where x < 0: it should be dy (y + λ α)",
        lambda x: _tail(x, SELU_SCALE, _LIMIT * (_power(x) - 1)),
    ),
    slope("selu", "rounded-constants", "has α = 1.67 and λ = 1.05", lambda x: _tail(x, 1.05, 1.05 * 1.67 * _power(x))),
]

FAULTS: list[Fault] = [*RELU6, *PRELU, *ELU, *CELU, *SELU]
