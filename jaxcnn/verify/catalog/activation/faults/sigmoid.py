"""Mistakes in the backward passes of sigmoid, hard sigmoid, tanh, softsign and softplus."""

from collections.abc import Callable
from typing import Any

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


def _ramp(x: Any, slope: float, offset: float, at_kinks: float = 0.0) -> Any:
    """The slope where slope x + offset lies between 0 and 1, that share of it where it is 0 or 1, else 0."""
    low, high = -offset / slope, (1 - offset) / slope
    return slope * jnp.where((low < x) & (x < high), 1, jnp.where((x == low) | (x == high), at_kinks, 0))


HARD_SIGMOID = [
    slope(
        "hard_sigmoid",
        "at-the-kinks",
        "takes the derivative of the slope at both kinks too",
        lambda x, slope, offset: _ramp(x, slope, offset, 1),
    ),
    slope(
        "hard_sigmoid",
        "half-at-the-kinks",
        "takes half the slope at both kinks, the derivative of jnp.clip",
        lambda x, slope, offset: _ramp(x, slope, offset, 1 / 2),
    ),
    slope(
        "hard_sigmoid",
        "slope-dropped",
        "misses the factor `slope`",
        lambda x, slope, offset: _ramp(x, slope, offset) / slope,
    ),
    slope(
        "hard_sigmoid",
        "not-held",
        "is dy slope where the output is held too",
        lambda x, slope, offset: jnp.full_like(x, slope),
    ),
    slope(
        "hard_sigmoid",
        "slope-default",
        "has the slope 1/6 whatever `slope` is",
        lambda x, slope, offset: _ramp(x, 1 / 6, offset),
    ),
    slope(
        "hard_sigmoid",
        "slope-default-between-the-kinks",
        "is dy / 6 between the right kinks, whatever `slope` is",
        lambda x, slope, offset: _ramp(x, slope, offset) / slope / 6,
    ),
    slope(
        "hard_sigmoid",
        "offset-default",
        "has the offset 1/2 whatever `offset` is",
        lambda x, slope, offset: _ramp(x, slope, 0.5),
    ),
    slope(
        "hard_sigmoid",
        "of-relu6",
        "is not 0 where 0 < slope x < 1: the offset is missing",
        lambda x, slope, offset: _ramp(x, slope, 0.0),
    ),
    slope(
        "hard_sigmoid",
        "sigmoid",
        "is the derivative of the sigmoid",
        lambda x, slope, offset: sigmoid(x) * (1 - sigmoid(x)),
    ),
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


def _above(x: Any, beta: float, threshold: float | None) -> Any:
    """Where beta x is above the threshold."""
    return jnp.zeros(x.shape, bool) if threshold is None else beta * x > threshold


def _softplus(name: str, cause: str, derivative: Callable[[Any, float], Any]) -> Fault:
    """dy derivative(x, beta), and dy above the threshold."""
    return slope(
        "softplus",
        name,
        cause,
        lambda x, beta, threshold: jnp.where(_above(x, beta, threshold), 1, derivative(x, beta)),
    )


SOFTPLUS = [
    _softplus("sign-of-x", "is dy σ(-β x): the sign of x is wrong", lambda x, beta: sigmoid(-beta * x)),
    _softplus(
        "sigmoid-derivative",
        "is dy σ(β x) (1 - σ(β x)), the derivative of the sigmoid",
        lambda x, beta: sigmoid(beta * x) * sigmoid(-beta * x),
    ),
    _softplus(
        "of-y",
        "is dy σ(β y): the output was taken for the input",
        lambda x, beta: sigmoid(jax.nn.softplus(beta * x)),
    ),
    _softplus("relu", "is the derivative of relu, which softplus smooths", lambda x, beta: x > 0),
    _softplus("power-only", "is dy e^(β x): the division by 1 + e^(β x) is missing", lambda x, beta: jnp.exp(beta * x)),
    _softplus("beta-dropped", "is dy σ(x), whatever `beta` is", lambda x, beta: sigmoid(x)),
    _softplus("beta-kept", "has beta as a factor too: 1/β cancels it", lambda x, beta: beta * sigmoid(beta * x)),
    _softplus(
        "over-beta", "is divided by beta: the inner derivative cancels that", lambda x, beta: sigmoid(beta * x) / beta
    ),
    slope(
        "softplus",
        "threshold-ignored",
        "is dy σ(β x) above the threshold too, where y is x",
        lambda x, beta, threshold: sigmoid(beta * x),
    ),
    slope(
        "softplus",
        "threshold-of-x",
        "compares x with the threshold, where β x belongs",
        lambda x, beta, threshold: jnp.where(_above(x, 1, threshold), 1, sigmoid(beta * x)),
    ),
    slope(
        "softplus",
        "constant-above",
        "is 0 above the threshold, as if y were held there",
        lambda x, beta, threshold: jnp.where(_above(x, beta, threshold), 0, sigmoid(beta * x)),
    ),
]

FAULTS: list[Fault] = [*SIGMOID, *HARD_SIGMOID, *TANH, *SOFTSIGN, *SOFTPLUS]
