"""Facts about batch normalisation that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops import batch_norm, batch_norm_eval

X = 5 + 3 * np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype(np.float32)
ONES, ZEROS = jnp.ones(3), jnp.zeros(3)


def test_every_channel_gets_mean_0_and_deviation_1():
    y, mean, var = batch_norm(X, ONES, ZEROS)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(mean, X.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(var, X.var((0, 1, 2)), rtol=1e-5)  # divided by m, not m - 1


def test_evaluation_with_the_batchs_own_statistics_is_training():
    scale, bias = jnp.array([1.0, 2.0, -1.0]), jnp.array([0.0, 3.0, 1.0])
    y, mean, var = batch_norm(X, scale, bias)
    np.testing.assert_allclose(batch_norm_eval(X, scale, bias, mean, var), y, atol=1e-6)


def test_the_gradient_does_not_see_a_shift_or_a_stretch_of_the_channel():
    """y does not change when all of a channel is moved or scaled, so dx is orthogonal to both."""
    dy = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    dx = jax.grad(lambda x: jnp.vdot(batch_norm(x, ONES, ZEROS)[0], dy))(X)
    np.testing.assert_allclose(dx.sum((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose((dx * X).sum((0, 1, 2)), 0, atol=1e-3)


def test_a_large_mean_does_not_drown_the_variance():
    _, _, var = batch_norm(X + 1e4, ONES, ZEROS)
    np.testing.assert_allclose(var, X.var((0, 1, 2)), rtol=1e-2)


def test_half_precision_x_with_float32_vectors():
    x = X.astype(jnp.bfloat16)
    (y, mean, var), pull = jax.vjp(batch_norm, x, ONES, ZEROS)
    dtypes = [a.dtype for a in (y, mean, var, *pull((y, mean, var)))]
    assert dtypes == [jnp.bfloat16, np.float32, np.float32, jnp.bfloat16, np.float32, np.float32]
    np.testing.assert_allclose(mean, np.asarray(x, np.float32).mean((0, 1, 2)), rtol=1e-5)
    y, pull = jax.vjp(batch_norm_eval, x, ONES, ZEROS, mean, var)
    assert [a.dtype for a in (y, *pull(y))] == [jnp.bfloat16, jnp.bfloat16] + [np.float32] * 4
