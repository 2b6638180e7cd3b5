"""Facts about activations that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import gelu, leaky_relu, log_softmax, relu, sigmoid, silu, softmax, tanh

ELEMENTWISE = {
    "relu": relu,
    "leaky_relu": leaky_relu,
    "sigmoid": sigmoid,
    "tanh": tanh,
    "gelu": gelu,
    "gelu-tanh": lambda x: gelu(x, approximate=True),
    "silu": silu,
}
# What x - 0 and x = +large and -large have for derivatives.
AT_THE_ENDS = dict.fromkeys(ELEMENTWISE, (0, 1)) | {"leaky_relu": (0.01, 1), "sigmoid": (0, 0), "tanh": (0, 0)}


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_far_from_zero_values_and_gradients_are_finite_and_right(name):
    f = ELEMENTWISE[name]
    x = jnp.array([-1e30, -1e4, 1e4, 1e30], jnp.float32)
    y, dx = f(x), jax.vmap(jax.grad(lambda x: f(x)))(x)
    assert np.isfinite(y).all()
    low, high = AT_THE_ENDS[name]
    np.testing.assert_allclose(dx, [low, low, high, high], atol=1e-30, rtol=1e-6)


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
