"""float16: values are verified, and its small range is nobody's fault."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.verify import check, check_backward

X = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


def square(x):
    return x * x


def off_in_float16(by):
    def backward(residuals, dy):
        (x,) = residuals
        return (2 * x * dy * (by if x.dtype == jnp.float16 else 1),)

    return backward


def test_a_wrong_value_in_float16_only_is_found_for_any_given_dtype():
    for x in (X, X.astype(np.float16)):
        report = check_backward(square, off_in_float16(1.1), (x,))
        assert "float16" in {f.check for f in report.failures} and not report.ok
        assert check_backward(square, off_in_float16(1), (x,)).ok


def softplus(x):
    return jnp.log1p(jnp.exp(x))


def decaying(x):
    return x / (1 + jnp.exp(x))


def decaying_slope(x):
    """0 times infinity for large x, as in JAX's."""
    return 1 / (1 + jnp.exp(x)) - x / (1 + jnp.exp(x)) ** 2 * jnp.exp(x)


RIGHT = {
    "y overflows": (square, lambda x: 2 * x, 300 * X),
    "dx overflows, y does not": (lambda x: x**5 / 1000, lambda x: x**4 / 200, 20 * X),
    "dx is subnormal": (square, lambda x: 2 * x, 1e-6 * X),
    "dx is 0": (lambda x: 1 + x**3, lambda x: 3 * x * x, 1e-3 * X),
    "overflow inside the reference alone": (softplus, jax.nn.sigmoid, 20 * X),
    "overflow inside both": (decaying, decaying_slope, 12 * X),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_leaves_the_range_is_no_fault(name):
    plain, slope, x = RIGHT[name]
    rule = jax.custom_vjp(plain)
    rule.defvjp(lambda x: (plain(x), x), lambda x, dy: ((dy * slope(x)).astype(x.dtype),))
    report = check(rule, (x,), reference=plain, checks=["autodiff", "float16"])
    assert report.ok, str(report)
    assert [c.status for c in report.checks] == ["ok"] * 3


def test_values_are_compared_without_a_reference_too():
    wrong = jax.custom_vjp(square)
    wrong.defvjp(lambda x: (x * x, (x,)), off_in_float16(1.1))
    report = check(wrong, (X,), checks=["float16"])
    assert {f.check for f in report.failures} == {"float16"}
    assert check(square, (X,), checks=["float16"]).ok
