"""Mistakes in the backward passes of sigmoid, hard sigmoid, tanh, softsign and softplus."""

import jax
import jax.numpy as jnp
from jax.nn import sigmoid

from jaxcnn.verify.catalog.activation.faults.slope import slope
from jaxcnn.verify.catalog.fault import Fault

SIGMOID = [
    slope("sigmoid", "one-minus-dropped", "is dy y: the factor 1 - y is missing", sigmoid),
    slope("sigmoid", "y-dropped", "is dy (1 - y): the factor y is missing", lambda x: 1 - sigmoid(x)),
    slope("sigmoid", "x-for-y", "is dy x (1 - x): the input was taken for the output", lambda x: x * (1 - x)),
    slope(
        "sigmoid",
        "applied-twice",
        "has the sigmoid of the output in place of the output",
        lambda x: sigmoid(sigmoid(x)) * (1 - sigmoid(sigmoid(x))),
    ),
    slope("sigmoid", "tanh", "is dy (1 - y²), which is right for tanh", lambda x: 1 - sigmoid(x) ** 2),
]

HARD_SIGMOID = [
    slope("hard_sigmoid", "at-the-kinks", "takes the derivative 1/6 at -3 and 3 too", lambda x: (jnp.abs(x) <= 3) / 6),
    slope(
        "hard_sigmoid",
        "half-at-the-kinks",
        "takes the derivative 1/12 at -3 and 3, that of jnp.clip",
        lambda x: (jnp.sign(3 - jnp.abs(x)) + 1) / 12,
    ),
    slope("hard_sigmoid", "sixth-dropped", "misses the factor 1/6", lambda x: jnp.abs(x) < 3),
    slope("hard_sigmoid", "not-held", "is dy / 6 where the output is held too", lambda x: jnp.ones_like(x) / 6),
    slope("hard_sigmoid", "fifth", "is dy / 5 where |x| < 2.5, another hard sigmoid", lambda x: (jnp.abs(x) < 2.5) / 5),
    slope(
        "hard_sigmoid",
        "of-relu6",
        "is dy / 6 where 0 < x < 6: the shift by 3 is missing",
        lambda x: ((x > 0) & (x < 6)) / 6,
    ),
    slope("hard_sigmoid", "sigmoid", "is the derivative of the sigmoid", lambda x: sigmoid(x) * (1 - sigmoid(x))),
]

TANH = [
    slope("tanh", "not-squared", "is dy (1 - y): y should be squared", lambda x: 1 - jnp.tanh(x)),
    slope("tanh", "square-of-difference", "is dy (1 - y)², which should be 1 - y²", lambda x: (1 - jnp.tanh(x)) ** 2),
    slope("tanh", "x-for-y", "is dy (1 - x²): the input was taken for the output", lambda x: 1 - x * x),
    slope(
        "tanh", "sigmoid", "is dy y (1 - y), which is right for the sigmoid", lambda x: jnp.tanh(x) * (1 - jnp.tanh(x))
    ),
    slope("tanh", "plus", "is dy (1 + y²): the sign of y² is wrong", lambda x: 1 + jnp.tanh(x) ** 2),
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

SOFTPLUS = [
    slope("softplus", "sign-of-x", "is dy σ(-x): the sign of x is wrong", lambda x: sigmoid(-x)),
    slope(
        "softplus",
        "sigmoid-derivative",
        "is dy σ(x) (1 - σ(x)), the derivative of the sigmoid",
        lambda x: sigmoid(x) * (1 - sigmoid(x)),
    ),
    slope("softplus", "of-y", "is dy σ(y): the output was taken for the input", lambda x: sigmoid(jax.nn.softplus(x))),
    slope("softplus", "relu", "is the derivative of relu, which softplus smooths", lambda x: x > 0),
    slope("softplus", "power-only", "is dy eˣ: the division by 1 + eˣ is missing", jnp.exp),
]

FAULTS: list[Fault] = [*SIGMOID, *HARD_SIGMOID, *TANH, *SOFTSIGN, *SOFTPLUS]
