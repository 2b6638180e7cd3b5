"""Mistakes in the backward passes of activations: mostly a wrong derivative."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.stats import norm

from jaxcnn.verify.faults.fault import Arrays, Fault, Options, as_if, changed


def slope(rule: str, name: str, cause: str, derivative: Callable[..., Any]) -> Fault:
    """dx = dy derivative(x, **options)."""
    return changed(rule, 0, name, cause, lambda d, arrays, dy, options: dy * derivative(arrays[0], **options))


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


def _s(x: Any) -> Any:
    return jax.nn.sigmoid(x)


SIGMOID = [
    slope("sigmoid", "one-minus-dropped", "is dy y: the factor 1 - y is missing", _s),
    slope("sigmoid", "y-dropped", "is dy (1 - y): the factor y is missing", lambda x: 1 - _s(x)),
    slope("sigmoid", "x-for-y", "is dy x (1 - x): the input was taken for the output", lambda x: x * (1 - x)),
    slope(
        "sigmoid",
        "applied-twice",
        "has the sigmoid of the output in place of the output",
        lambda x: _s(_s(x)) * (1 - _s(_s(x))),
    ),
    slope("sigmoid", "tanh", "is dy (1 - y²), which is right for tanh", lambda x: 1 - _s(x) ** 2),
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


def _other_form(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, {"approximate": not options["approximate"]}


GELU = [
    as_if("gelu", 0, "other-form", "is the derivative of the other form: tanh for erf, or erf for tanh", _other_form),
    slope(
        "gelu",
        "product-rule",
        "is dy Φ(x): the product rule's term x φ(x) is missing",
        lambda x, approximate: norm.cdf(x),
    ),
    slope(
        "gelu",
        "density-only",
        "is dy x φ(x): the product rule's term Φ(x) is missing",
        lambda x, approximate: x * norm.pdf(x),
    ),
    slope(
        "gelu",
        "no-x",
        "is dy (Φ(x) + φ(x)): the x before φ is missing",
        lambda x, approximate: norm.cdf(x) + norm.pdf(x),
    ),
    slope(
        "gelu",
        "not-normalised",
        "misses the 1/√(2π) of the normal density",
        lambda x, approximate: norm.cdf(x) + x * norm.pdf(x) * math.sqrt(2 * math.pi),
    ),
    slope(
        "gelu",
        "quick",
        "is the derivative of x σ(1.702 x), another approximation of gelu",
        lambda x, approximate: _s(1.702 * x) * (1 + 1.702 * x * (1 - _s(1.702 * x))),
    ),
]

SILU = [
    slope("silu", "product-rule", "is dy σ(x): the product rule's term x σ'(x) is missing", _s),
    slope(
        "silu",
        "sigmoid-derivative",
        "is dy σ(x) (1 - σ(x)), the derivative of the sigmoid",
        lambda x: _s(x) * (1 - _s(x)),
    ),
    slope("silu", "no-x", "is dy (σ + σ (1 - σ)): the x before σ' is missing", lambda x: _s(x) * (2 - _s(x))),
    slope("silu", "one-minus-dropped", "is dy σ (1 + x): the factor 1 - σ is missing", lambda x: _s(x) * (1 + x)),
    slope(
        "silu",
        "sign-of-second-term",
        "is dy σ (1 - x (1 - σ)): the sign of the second term is wrong",
        lambda x: _s(x) * (1 - x * (1 - _s(x))),
    ),
]


def _softmax(arrays: Arrays, options: Options) -> Any:
    return jax.nn.softmax(arrays[0], options["axis"])


def _other_axis(arrays: Arrays, options: Options) -> int:
    """The axis before the right one, counted round."""
    return (options["axis"] - 1) % arrays[0].ndim


def _summed_over_all(d: Any, arrays: Arrays, dy: Any, options: Options) -> Any:
    y = _softmax(arrays, options)
    return y * (dy - (dy * y).sum())


SOFTMAX = [
    changed(
        "softmax", 0, "sum-dropped", "is dy y: the term - y Σ dy y is missing", lambda d, a, dy, o: dy * _softmax(a, o)
    ),
    changed(
        "softmax",
        0,
        "diagonal",
        "is dy y (1 - y): the outputs are taken to depend on their own input only",
        lambda d, a, dy, o: dy * _softmax(a, o) * (1 - _softmax(a, o)),
    ),
    changed("softmax", 0, "summed-over-all", "sums dy y over all axes instead of the softmax's own", _summed_over_all),
    changed(
        "softmax",
        0,
        "sum-without-y",
        "has Σ dy where Σ dy y belongs",
        lambda d, a, dy, o: _softmax(a, o) * (dy - dy.sum(o["axis"], keepdims=True)),
    ),
    as_if(
        "softmax",
        0,
        "other-axis",
        "is the derivative along another axis",
        lambda a, dy, o: (a, dy, {"axis": _other_axis(a, o)}),
    ),
]

LOG_SOFTMAX = [
    changed("log_softmax", 0, "sum-dropped", "is dy: the term - softmax Σ dy is missing", lambda d, a, dy, o: dy),
    changed(
        "log_softmax",
        0,
        "softmax-dropped",
        "is dy - Σ dy: the factor softmax is missing",
        lambda d, a, dy, o: dy - dy.sum(o["axis"], keepdims=True),
    ),
    changed(
        "log_softmax",
        0,
        "diagonal",
        "is dy (1 - softmax): the outputs are taken to depend on their own input only",
        lambda d, a, dy, o: dy * (1 - _softmax(a, o)),
    ),
    changed(
        "log_softmax",
        0,
        "exponential-dropped",
        "has the log-probability where the probability belongs",
        lambda d, a, dy, o: dy - jnp.log(_softmax(a, o)) * dy.sum(o["axis"], keepdims=True),
    ),
    changed(
        "log_softmax",
        0,
        "mean",
        "has the mean of dy where its sum belongs",
        lambda d, a, dy, o: dy - _softmax(a, o) * dy.mean(o["axis"], keepdims=True),
    ),
    as_if(
        "log_softmax",
        0,
        "other-axis",
        "is the derivative along another axis",
        lambda a, dy, o: (a, dy, {"axis": _other_axis(a, o)}),
    ),
]

FAULTS: list[Fault] = [*RELU, *LEAKY_RELU, *SIGMOID, *TANH, *GELU, *SILU, *SOFTMAX, *LOG_SOFTMAX]
