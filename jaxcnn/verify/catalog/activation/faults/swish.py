"""Mistakes in the backward passes of silu (swish), hard swish and mish."""

from typing import Any

import jax
import jax.numpy as jnp
from jax.nn import sigmoid

from jaxcnn.verify.catalog.activation.faults.slope import slope
from jaxcnn.verify.catalog.fault import Fault


def _t(x: Any) -> Any:
    """tanh(softplus(x))."""
    return jnp.tanh(jax.nn.softplus(x))


def _within(x: Any) -> Any:
    """Where -3 < x < 3."""
    return jnp.abs(x) < 3


SILU = [
    slope("silu", "product-rule", "is dy σ(x): the product rule's term x σ'(x) is missing", sigmoid),
    slope(
        "silu",
        "sigmoid-derivative",
        "is dy σ(x) (1 - σ(x)), the derivative of the sigmoid",
        lambda x: sigmoid(x) * (1 - sigmoid(x)),
    ),
    slope("silu", "no-x", "is dy (σ + σ (1 - σ)): the x before σ' is missing", lambda x: sigmoid(x) * (2 - sigmoid(x))),
    slope("silu", "one-minus-dropped", "is dy σ (1 + x): the factor 1 - σ is missing", lambda x: sigmoid(x) * (1 + x)),
    slope(
        "silu",
        "sign-of-second-term",
        "is dy σ (1 - x (1 - σ)): the sign of the second term is wrong",
        lambda x: sigmoid(x) * (1 - x * (1 - sigmoid(x))),
    ),
]

HARD_SWISH = [
    slope(
        "hard_swish",
        "inner-at-the-kinks",
        "takes the derivatives from inside at -3 and 3, -1/2 and 3/2",
        lambda x: jnp.where(jnp.abs(x) <= 3, (2 * x + 3) / 6, x > 0),
    ),
    slope(
        "hard_swish",
        "product-rule",
        "is dy (x + 3) / 6: the product rule's second term is missing",
        lambda x: jnp.where(_within(x), (x + 3) / 6, x > 0),
    ),
    slope(
        "hard_swish",
        "gate-constant",
        "is dy x / 6: the product rule's first term is missing",
        lambda x: jnp.where(_within(x), x / 6, x > 0),
    ),
    slope(
        "hard_swish",
        "sixth-dropped",
        "misses the factor 1/6 of the second term",
        lambda x: jnp.where(_within(x), (x + 3) / 6 + x, x > 0),
    ),
    slope(
        "hard_swish",
        "zero-above",
        "is zero where x >= 3, where the output is x",
        lambda x: jnp.where(_within(x), (2 * x + 3) / 6, 0),
    ),
    slope("hard_swish", "not-held", "is dy (2 x + 3) / 6 below -3 and above 3 too", lambda x: (2 * x + 3) / 6),
    slope(
        "hard_swish", "swish", "is the derivative of silu, x σ(x)", lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))
    ),
]

MISH = [
    slope("mish", "product-rule", "is dy tanh(softplus(x)): the product rule's second term is missing", _t),
    slope(
        "mish",
        "second-term-only",
        "misses the product rule's first term, tanh(softplus(x))",
        lambda x: x * (1 - _t(x) ** 2) * sigmoid(x),
    ),
    slope(
        "mish",
        "chain-rule",
        "misses the factor σ(x), the derivative of softplus",
        lambda x: _t(x) + x * (1 - _t(x) ** 2),
    ),
    slope("mish", "not-squared", "has 1 - t where 1 - t² belongs", lambda x: _t(x) + x * (1 - _t(x)) * sigmoid(x)),
    slope("mish", "no-x", "misses the factor x of the second term", lambda x: _t(x) + (1 - _t(x) ** 2) * sigmoid(x)),
    slope(
        "mish",
        "tanh-of-x",
        "has tanh(x) where tanh(softplus(x)) belongs",
        lambda x: jnp.tanh(x) + x * (1 - jnp.tanh(x) ** 2) * sigmoid(x),
    ),
    slope("mish", "silu", "is the derivative of silu, x σ(x)", lambda x: sigmoid(x) * (1 + x * (1 - sigmoid(x)))),
]

FAULTS: list[Fault] = [*SILU, *HARD_SWISH, *MISH]
