"""Mistakes in the backward pass of gelu."""

import math
from typing import Any

from jax.nn import sigmoid
from jax.scipy.stats import norm

from jaxcnn.verify.catalog.activation.faults.slope import slope
from jaxcnn.verify.catalog.fault import Arrays, Fault, Options, as_if


def _other_form(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    return arrays, dy, {"approximate": not options["approximate"]}


FAULTS: list[Fault] = [
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
        lambda x, approximate: sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - sigmoid(1.702 * x))),
    ),
]
