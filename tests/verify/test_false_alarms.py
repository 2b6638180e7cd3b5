"""A right backward is not blamed for what its function can not do; a wrong one of such a function still is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxcnn.verify import check, check_backward

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5)).astype(np.float32)
KERNEL = RNG.standard_normal((5, 3)).astype(np.float32)
POSITIVE = abs(X) + 0.5
SOME_ZEROS = np.where(POSITIVE > 1, POSITIVE, 0)
A_ROW_OF_ZEROS = X * np.array([[1], [0], [1], [1]], np.float32)


def ruled(forward, backward):
    """A custom rule: backward(args, dy) -> cotangents."""
    rule = jax.custom_vjp(forward)
    rule.defvjp(lambda *args: (forward(*args), args), backward)
    return rule


def straight_through(step, slope=lambda x: 1.0):
    return ruled(step, lambda args, dy: (dy * slope(*args),))


def quantized(x, scale):
    return scale * jnp.clip(jnp.round(x / scale), -4, 4)


def quantized_back(args, dy):
    """Learned step size quantization: Esser et al. 2020."""
    x, scale = args
    inside, q = abs(x / scale) <= 4, jnp.round(x / scale)
    dscale = jnp.where(inside, q - x / scale, jnp.clip(q, -4, 4))
    return dy * inside, (dy * dscale).sum()


def power_back(args, dy):
    x, p = args
    return dy * p * x ** (p - 1), (dy * x**p * jnp.log(jnp.where(x == 0, 1, x))).sum()


def norm_back(args, dy):
    (x,) = args
    return (dy[:, None] * x / jnp.linalg.norm(x, axis=-1, keepdims=True),)


def in_float32(f):
    return lambda x: f(x.astype(jnp.float32)).astype(x.dtype)


def in_halves(x, kernel):
    return (x.astype(jnp.bfloat16) @ kernel.astype(jnp.bfloat16)).astype(x.dtype)


def in_halves_back(args, dy):
    x, kernel, dy_ = (a.astype(jnp.bfloat16) for a in (*args, dy))
    return (dy_ @ kernel.T).astype(dy.dtype), (x.T @ dy_).astype(dy.dtype)


def standardized(x):
    """Statistics in float32, as in mixed precision."""
    wide = x.astype(jnp.float32)
    return ((wide - wide.mean(-1, keepdims=True)) * lax.rsqrt(wide.var(-1, keepdims=True) + 1e-5)).astype(x.dtype)


round_ = straight_through(lambda x: jnp.round(x))
spike = straight_through(lambda x: (x > 0).astype(x.dtype), lambda x: 1 / (1 + x * x))

RIGHT = {
    "float32 inside": (in_float32(jnp.tanh), (X,)),
    "float32 inside, by hand": (
        ruled(in_float32(jnp.tanh), lambda args, dy: (dy * in_float32(lambda x: 1 - jnp.tanh(x) ** 2)(args[0]),)),
        (X,),
    ),
    "float32 in a part": (lambda x: x * jax.nn.softmax(x.astype(jnp.float32)).astype(x.dtype), (X,)),
    "float32 statistics": (standardized, (X,)),
    "bfloat16 inside, by hand": (ruled(in_halves, in_halves_back), (X, KERNEL)),
    "float16 inside": (lambda x: jnp.exp(x.astype(jnp.float16)).astype(x.dtype), (X,)),
    "reduce_precision": (lambda x: jnp.sin(lax.reduce_precision(x, 8, 7)), (X,)),
    "complex inside": (lambda x: jnp.abs(jnp.fft.fft(x.astype(jnp.float32))).astype(x.dtype), (X,)),
    "stop_gradient": (lambda x, kernel: lax.stop_gradient(x) @ kernel + kernel.sum() * x[:, :3], (X, KERNEL)),
    "stop_gradient, by hand": (
        ruled(lambda x: x * lax.stop_gradient(x), lambda args, dy: (dy * lax.stop_gradient(args[0]),)),
        (X,),
    ),
    "stop_gradient in a loop": (lambda x: lax.fori_loop(0, 2, lambda i, y: y * lax.stop_gradient(x), x), (X,)),
    "an implicit derivative": (lambda x: jnp.linalg.inv(x @ x.T + jnp.eye(4, dtype=x.dtype)), (X,)),
    "straight through by stop_gradient": (lambda x: x * (x + lax.stop_gradient(jnp.round(x) - x)), (X,)),
    "straight through by a rule": (lambda x: x * round_(x), (X,)),
    "a surrogate gradient": (lambda x: x * spike(x), (X,)),
    "a learned step": (ruled(quantized, quantized_back), (X, np.float32(0.3))),
    "round": (jnp.round, (X,)),
    "floor": (lambda x: x - jnp.floor(x), (X,)),
    "an entry by argmax": (lambda x: jnp.take_along_axis(x, x.argmax(-1)[:, None], -1), (X,)),
    "sqrt": (jnp.sqrt, (SOME_ZEROS,)),
    "sqrt by hand": (ruled(jnp.sqrt, lambda args, dy: (dy / (2 * jnp.sqrt(args[0])),)), (SOME_ZEROS,)),
    "x log x by hand": (
        ruled(jax.scipy.special.xlogy, lambda args, dy: (dy * jnp.log(args[1]), dy * args[0] / args[1])),
        (POSITIVE, POSITIVE[::-1].copy()),
    ),
    "norm": (lambda x: jnp.linalg.norm(x, axis=-1), (A_ROW_OF_ZEROS,)),
    "power": (jnp.power, (SOME_ZEROS, np.float32(2.5))),
    "root": (jnp.power, (SOME_ZEROS, np.float32(0.5))),
    "power of less than 0": (jnp.power, (X, np.float32(3))),
    "power by hand": (ruled(jnp.power, power_back), (SOME_ZEROS, np.float32(2.5))),
    "angle": (jnp.arctan2, (X, X[::-1].copy())),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_function_passes_with_a_reference_and_without(name):
    function, args = RIGHT[name]
    for reference in (function, None):
        report = check(function, args, reference=reference)
        assert report.ok, str(report)


def softmax_back(args, dy):
    y = jax.nn.softmax(args[0])
    return (y * (dy - (dy * y).sum()),)  # over the batch, too


WRONG = {
    "float32 inside": (
        in_float32(jnp.tanh),
        lambda args, dy: (1.002 * dy * in_float32(lambda x: 1 - jnp.tanh(x) ** 2)(args[0]),),
    ),
    "a reference's stop_gradient overlooked": (
        lambda x: x * lax.stop_gradient(x),
        lambda args, dy: (2 * args[0] * dy,),
    ),
    "a stop_gradient that changes nothing": (lambda x: jax.nn.softmax(x), softmax_back),
    "a mask as a factor": (lambda x: x * (x > 0), lambda args, dy: (dy * (args[0] > -1),)),
    "floor": (lambda x: x - jnp.floor(x), lambda args, dy: (dy * 0.9,)),
    "round in a part": (lambda x: x + 0 * jnp.round(x), lambda args, dy: (1.1 * dy,)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_one_of_that_kind_is_found_with_a_reference(name):
    plain, backward = WRONG[name]
    report = check(ruled(plain, backward), (X,), reference=plain)
    assert "autodiff" in {f.check for f in report.failures}, str(report)


@pytest.mark.parametrize("name", [name for name in WRONG if "reference" not in name])
def test_a_wrong_one_of_that_kind_is_found_without(name):
    """By its slopes; in float32 they have three digits."""
    plain, backward = WRONG[name]
    worse = backward if "float32" not in name else lambda args, dy: (1.1 * backward(args, dy)[0],)
    report = check(ruled(plain, worse), (X,))
    assert "differences" in {f.check for f in report.failures}, str(report)


def test_nan_where_the_slope_is_finite_is_found_without_a_reference():
    """|x| has slopes on both sides of 0; x / |x| has none there."""
    report = check(ruled(jnp.abs, lambda args, dy: (dy * args[0] / abs(args[0]),)), (X,))
    assert {f.check for f in report.failures} == {"zero", "finite"}


def note(report, name):
    (found,) = (c for c in report.checks if c.name == name)
    return found.status, found.note


@pytest.mark.parametrize(
    ("name", "with_reference", "without"),
    [
        ("reduce_precision", "the reference computes in bfloat16", "the function computes in bfloat16"),
        ("straight through by a rule", "JAX's derivative of it decides", "give a reference"),
        ("stop_gradient in a loop", "in a loop or branch, where it can't be held", "give a reference"),
    ],
)
def test_what_slopes_can_not_judge_is_named(name, with_reference, without):
    function, args = RIGHT[name]
    for reference, reason in ((function, with_reference), (None, without)):
        report = check(function, args, reference=reference, checks=["differences"])
        status, why = note(report, "differences")
        assert status == "skipped" and reason in why


def test_a_reference_without_forward_mode_is_judged_by_the_other_checks():
    twice = jax.custom_vjp(lambda x: 2 * x)
    twice.defvjp(lambda x: (2 * x, None), lambda _, dy: (2 * dy,))
    report = check(lambda x: twice(x) * x, (X,), reference=lambda x: twice(x) * x)
    assert report.ok, str(report)
    status, why = note(report, "transpose")
    assert status == "skipped" and "custom_vjp" in why


def test_what_has_no_half_precision_is_not_asked_for_it():
    def solved(x):
        return jnp.linalg.solve(x @ x.T + jnp.eye(4, dtype=x.dtype), x)

    report = check(solved, (X,), reference=solved)
    assert report.ok, str(report)
    assert note(report, "bfloat16")[0] == "skipped"


def test_a_forward_that_casts_where_the_reference_does_not_is_told():
    report = check_backward(
        jnp.sin, lambda x, dy: (dy * jnp.cos(x),), (X,), forward=lambda x: (in_float32(jnp.sin)(x), x)
    )
    assert "forward" in {f.check for f in report.failures}
