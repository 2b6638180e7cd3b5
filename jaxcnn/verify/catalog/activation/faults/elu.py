"""Mistakes in the backward passes of elu, celu and selu: at the kink and in the tail."""

from typing import Any

import jax.numpy as jnp

from jaxcnn.verify.catalog.activation.faults.slope import sides, slope
from jaxcnn.verify.catalog.fault import Fault


def _power(x: Any) -> Any:
    """eˣ where x <= 0, else 1."""
    return jnp.exp(jnp.minimum(x, 0))


ELU = [
    slope(
        "elu",
        "one-at-zero",
        "takes the derivative 1 at 0 instead of alpha",
        lambda x, alpha: jnp.where(x >= 0, 1, alpha * _power(x)),
    ),
    slope("elu", "alpha-dropped", "misses the factor alpha where x < 0", lambda x, alpha: sides(x, 1, _power(x))),
    slope(
        "elu",
        "y-for-derivative",
        "is dy y where x < 0: it should be dy (y + alpha)",
        lambda x, alpha: sides(x, 1, alpha * (_power(x) - 1)),
    ),
    slope(
        "elu",
        "y-plus-one",
        "is dy (y + 1) where x < 0: it should be dy (y + alpha)",
        lambda x, alpha: sides(x, 1, alpha * (_power(x) - 1) + 1),
    ),
    slope(
        "elu",
        "x-for-y",
        "is dy (x + alpha) where x < 0: the input was taken for the output",
        lambda x, alpha: sides(x, 1, x + alpha),
    ),
    slope(
        "elu", "celu", "is dy e^(x / alpha) where x < 0: that is celu", lambda x, alpha: sides(x, 1, _power(x / alpha))
    ),
    slope("elu", "relu", "is zero where x < 0: that is relu", lambda x, alpha: x > 0),
]

CELU = [
    slope(
        "celu",
        "alpha-dropped",
        "is dy eˣ where x < 0: the exponent is x / alpha",
        lambda x, alpha: sides(x, 1, _power(x)),
    ),
    slope(
        "celu",
        "inner-derivative",
        "misses the factor 1 / alpha of the exponent's derivative",
        lambda x, alpha: sides(x, 1, alpha * _power(x / alpha)),
    ),
    slope(
        "celu",
        "inner-derivative-only",
        "misses the factor alpha before the exponential",
        lambda x, alpha: sides(x, 1, _power(x / alpha) / alpha),
    ),
    slope(
        "celu",
        "y-plus-one",
        "is dy (y + 1) where x < 0: it should be dy (y / alpha + 1)",
        lambda x, alpha: sides(x, 1, alpha * (_power(x / alpha) - 1) + 1),
    ),
    slope(
        "celu",
        "y-for-derivative",
        "is dy y / alpha where x < 0: the 1 is missing",
        lambda x, alpha: sides(x, 1, _power(x / alpha) - 1),
    ),
    slope("celu", "elu", "is dy alpha eˣ where x < 0: that is elu", lambda x, alpha: sides(x, 1, alpha * _power(x))),
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
    slope("selu", "scale-dropped", "misses the factor λ where x > 0", lambda x: sides(x, 1, _LIMIT * _power(x))),
    slope(
        "selu",
        "scale-dropped-below",
        "misses the factor λ where x < 0",
        lambda x: sides(x, SELU_SCALE, SELU_ALPHA * _power(x)),
    ),
    slope(
        "selu",
        "alpha-dropped",
        "misses the factor α where x < 0",
        lambda x: sides(x, SELU_SCALE, SELU_SCALE * _power(x)),
    ),
    slope(
        "selu",
        "y-plus-alpha",
        "is dy (y + α) where x < 0: it should be dy (y + λ α)",
        lambda x: sides(x, SELU_SCALE, _LIMIT * (_power(x) - 1) + SELU_ALPHA),
    ),
    slope(
        "selu",
        "y-for-derivative",
        "is dy y where x < 0: it should be dy (y + λ α)",
        lambda x: sides(x, SELU_SCALE, _LIMIT * (_power(x) - 1)),
    ),
    slope("selu", "rounded-constants", "has α = 1.67 and λ = 1.05", lambda x: sides(x, 1.05, 1.05 * 1.67 * _power(x))),
]

FAULTS: list[Fault] = [*ELU, *CELU, *SELU]
