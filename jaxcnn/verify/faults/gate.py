"""Mistakes in the backward passes of softplus, softsign, mish, hard sigmoid and hard swish."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.verify.faults.activation import slope
from jaxcnn.verify.faults.fault import Fault


def _s(x: Any) -> Any:
    return jax.nn.sigmoid(x)


def _t(x: Any) -> Any:
    """tanh(softplus(x))."""
    return jnp.tanh(jax.nn.softplus(x))


def _within(x: Any) -> Any:
    """Where -3 < x < 3."""
    return jnp.abs(x) < 3


SOFTPLUS = [
    slope("softplus", "sign-of-x", "is dy σ(-x): the sign of x is wrong", lambda x: _s(-x)),
    slope(
        "softplus",
        "sigmoid-derivative",
        "is dy σ(x) (1 - σ(x)), the derivative of the sigmoid",
        lambda x: _s(x) * (1 - _s(x)),
    ),
    slope("softplus", "of-y", "is dy σ(y): the output was taken for the input", lambda x: _s(jax.nn.softplus(x))),
    slope("softplus", "relu", "is the derivative of relu, which softplus smooths", lambda x: x > 0),
    slope("softplus", "power-only", "is dy eˣ: the division by 1 + eˣ is missing", jnp.exp),
]

SOFTSIGN = [
    slope("softsign", "not-squared", "is dy / (1 + |x|): it should be squared", lambda x: 1 / (1 + jnp.abs(x))),
    slope("softsign", "sign-dropped", "is dy / (1 + x)²: the absolute value is missing", lambda x: 1 / (1 + x) ** 2),
    slope("softsign", "square-of-x", "is dy / (1 + x²), the derivative of the arctangent", lambda x: 1 / (1 + x * x)),
    slope(
        "softsign",
        "quotient-sign",
        "has the sign of the quotient rule's second term wrong",
        lambda x: (1 + 2 * jnp.abs(x)) / (1 + jnp.abs(x)) ** 2,
    ),
    slope("softsign", "of-y", "is dy (1 - y)²: it should be dy (1 - |y|)²", lambda x: (1 - x / (1 + jnp.abs(x))) ** 2),
    slope(
        "softsign",
        "odd",
        "has the sign of x: the derivative of an odd function is even",
        lambda x: jnp.sign(x) / (1 + jnp.abs(x)) ** 2,
    ),
]

MISH = [
    slope("mish", "product-rule", "is dy tanh(softplus(x)): the product rule's second term is missing", _t),
    slope(
        "mish",
        "second-term-only",
        "misses the product rule's first term, tanh(softplus(x))",
        lambda x: x * (1 - _t(x) ** 2) * _s(x),
    ),
    slope(
        "mish",
        "chain-rule",
        "misses the factor σ(x), the derivative of softplus",
        lambda x: _t(x) + x * (1 - _t(x) ** 2),
    ),
    slope("mish", "not-squared", "has 1 - t where 1 - t² belongs", lambda x: _t(x) + x * (1 - _t(x)) * _s(x)),
    slope("mish", "no-x", "misses the factor x of the second term", lambda x: _t(x) + (1 - _t(x) ** 2) * _s(x)),
    slope(
        "mish",
        "tanh-of-x",
        "has tanh(x) where tanh(softplus(x)) belongs",
        lambda x: jnp.tanh(x) + x * (1 - jnp.tanh(x) ** 2) * _s(x),
    ),
    slope("mish", "silu", "is the derivative of silu, x σ(x)", lambda x: _s(x) * (1 + x * (1 - _s(x)))),
]

HARD_SIGMOID = [
    slope("hard_sigmoid", "at-the-kinks", "takes the derivative 1/6 at -3 and 3 too", lambda x: (jnp.abs(x) <= 3) / 6),
    slope(
        "hard_sigmoid",
        "half-at-the-kinks",
        "takes the derivative 1/12 at -3 and 3, that of jnp.clip",
        lambda x: (jnp.sign(3 - jnp.abs(x)) + 1) / 12,
    ),
    slope("hard_sigmoid", "sixth-dropped", "misses the factor 1/6", _within),
    slope("hard_sigmoid", "not-held", "is dy / 6 where the output is held too", lambda x: jnp.ones_like(x) / 6),
    slope("hard_sigmoid", "fifth", "is dy / 5 where |x| < 2.5, another hard sigmoid", lambda x: (jnp.abs(x) < 2.5) / 5),
    slope(
        "hard_sigmoid",
        "of-relu6",
        "is dy / 6 where 0 < x < 6: the shift by 3 is missing",
        lambda x: ((x > 0) & (x < 6)) / 6,
    ),
    slope("hard_sigmoid", "sigmoid", "is the derivative of the sigmoid", lambda x: _s(x) * (1 - _s(x))),
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
    slope("hard_swish", "swish", "is the derivative of silu, x σ(x)", lambda x: _s(x) * (1 + x * (1 - _s(x)))),
]

FAULTS: list[Fault] = [*SOFTPLUS, *SOFTSIGN, *MISH, *HARD_SIGMOID, *HARD_SWISH]
