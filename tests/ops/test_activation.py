"""Facts about activations that the table of cases does not say."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import gelu, leaky_relu, log_softmax, relu, silu, softmax
from jaxcnn.ops.rule import RULES, backward

ACTIVATIONS = {name for name, rule in RULES.items() if rule.plain.__module__.startswith("jaxcnn.ops.activation")}
OF_SEVERAL = {"softmax", "log_softmax", "glu", "prelu"}  # entries or arrays
ELEMENTWISE = {name: RULES[name] for name in sorted(ACTIVATIONS - OF_SEVERAL)} | {
    "gelu-tanh": partial(gelu, approximate=True)
}
# Limits of the value and of the derivative at -infinity and at infinity.
RISING, S_SHAPED, EXPONENTIAL = (0, np.inf, 0, 1), (0, 1, 0, 0), (-1, np.inf, 0, 1)
SELU = 1.0507009873554805
LIMITS = dict.fromkeys(("relu", "softplus", "silu", "gelu", "gelu-tanh", "mish", "hard_swish"), RISING)
LIMITS |= {"sigmoid": S_SHAPED, "hard_sigmoid": S_SHAPED, "elu": EXPONENTIAL, "celu": EXPONENTIAL}
LIMITS |= {"tanh": (-1, 1, 0, 0), "softsign": (-1, 1, 0, 0), "relu6": (0, 6, 0, 0)}
LIMITS |= {"leaky_relu": (-np.inf, np.inf, 0.01, 1), "selu": (-SELU * 1.6732632423543772, np.inf, 0, SELU)}


@pytest.mark.parametrize("mode", ["handwritten", "autodiff"])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16, jnp.float16], ids=lambda d: d.__name__)
def test_far_from_zero_and_at_infinity_values_and_derivatives_are_their_limits(dtype, mode):
    """The value's, of what is infinite; the derivative's in both modes, and 0 for the second derivative."""
    most = float(jnp.finfo(dtype).max)
    x = jnp.array([-jnp.inf, jnp.inf, -1e4, 1e4, -most, most], dtype)

    @jax.jit
    def of_all(x):
        def derivatives(f):
            second = jax.vmap(jax.grad(jax.grad(f)))(x)
            return f(x), jax.vmap(jax.grad(f))(x), jax.jvp(f, (x,), (jnp.ones_like(x),))[1], second

        return {name: derivatives(f) for name, f in ELEMENTWISE.items()}

    with backward(mode):
        results = of_all(x)
    for name, (y, reverse, forward, second) in results.items():
        low, high, slope_low, slope_high = LIMITS[name]
        eps = float(jnp.finfo(dtype).eps)
        np.testing.assert_allclose(np.float64(y)[:2], [low, high], rtol=eps, err_msg=name)
        slopes = np.where(np.float64(x) < 0, slope_low, slope_high)
        far = slice(2) if name == "softsign" else slice(None)  # it comes slowly: 1e4 is not far
        for d in (reverse, forward):  # selu's is worked out from y, which is rounded
            np.testing.assert_allclose(np.float64(d)[far], slopes[far], rtol=eps, atol=2 * eps, err_msg=name)
        np.testing.assert_allclose(np.float64(second)[far], 0, atol=2 * eps, err_msg=name)


@pytest.mark.parametrize("f", [softmax, log_softmax], ids=["softmax", "log_softmax"])
def test_softmax_of_large_scores_is_finite(f):
    x = jnp.array([[1e4, -1e4, 0], [-1e4, -1e4, -1e4]], jnp.float32)
    y, pull = jax.vjp(f, x)
    assert np.isfinite(y).all()
    assert np.isfinite(pull(jnp.ones_like(y))[0]).all()
    np.testing.assert_allclose(jnp.exp(y).sum(-1) if f is log_softmax else y.sum(-1), 1, rtol=1e-6)


def test_the_derivative_of_relu_at_0_is_0_and_of_leaky_relu_its_slope():
    assert jax.grad(relu)(0.0) == 0
    assert jax.grad(leaky_relu)(0.0) == np.float32(0.01)
    assert jax.grad(lambda x: leaky_relu(x, slope=0.25))(0.0) == 0.25


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_nan_is_not_hidden(name):
    assert jnp.isnan(ELEMENTWISE[name](jnp.nan))


def test_gelu_keeps_its_digits_where_it_is_all_but_zero():
    """As many as x² has left, in float32: 1 + erf(x/√2) would have none below -5.5."""
    x = np.linspace(-12, 12, 4801).astype(np.float32)
    wide = x.astype(np.float64)
    phi = np.vectorize(math.erfc)(-wide / math.sqrt(2)) / 2
    density = np.exp(-wide * wide / 2) / math.sqrt(2 * math.pi)
    units = (8 + wide * wide) * 2.0**-24
    assert np.all(abs(jax.jit(gelu)(x) - wide * phi) <= units * abs(wide * phi))
    slope = jax.grad(lambda x: gelu(x).sum())
    assert np.all(abs(jax.jit(slope)(x) - (phi + wide * density)) <= units * (phi + abs(wide) * density))
    bend = jax.jit(jax.grad(lambda x: slope(x).sum()))(x)
    assert np.all(abs(bend - (2 - wide * wide) * density) <= units * (2 + wide * wide) * density)


def test_gelu_is_exact_unless_told():
    assert abs(float(gelu(1.0)) - 0.8413447) < 1e-6
    assert abs(float(gelu(1.0, approximate=True)) - 0.8411920) < 1e-6


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="counts the arrays that XLA keeps on a CPU")
@pytest.mark.parametrize("op", [gelu, silu], ids=lambda op: op.name)
def test_nothing_but_x_is_kept_for_the_backward(op):
    """Between two matrix products XLA keeps x and y, and at times dy, but no exponential or quotient beside them."""
    x, w = jnp.ones((512, 256)), jnp.ones((256, 256))

    def loss(x, w):
        return jnp.square(op(x @ w) @ w).sum()

    memory = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(x, w).compile().memory_analysis()
    assert memory.temp_size_in_bytes < 3.5 * x.nbytes
