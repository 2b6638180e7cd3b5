"""Facts about weight standardization that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops import weight_standardize

KERNEL = 3 + 2 * jax.random.normal(jax.random.key(0), (3, 3, 4, 5))


def test_every_output_channel_has_mean_0_and_variance_1_or_the_gains_square():
    y = np.asarray(weight_standardize(KERNEL))
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(y.var((0, 1, 2)), 1, rtol=1e-4)
    gain = jnp.arange(1.0, 6.0)
    np.testing.assert_allclose(np.asarray(weight_standardize(KERNEL, gain)).std((0, 1, 2)), gain, rtol=1e-4)


def test_a_shift_or_a_stretch_of_a_channel_changes_nothing_and_gets_no_gradient():
    factors, shifts = jnp.array([1.0, 2, 3, 4, 5]), jnp.array([0.0, 1, -1, 2, 5])
    np.testing.assert_allclose(weight_standardize(KERNEL * factors + shifts), weight_standardize(KERNEL), atol=1e-4)
    dy = jax.random.normal(jax.random.key(1), KERNEL.shape)
    dkernel = jax.grad(lambda kernel: jnp.vdot(weight_standardize(kernel), dy))(KERNEL)
    np.testing.assert_allclose(dkernel.sum((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose((dkernel * KERNEL).sum((0, 1, 2)), 0, atol=1e-3)


def test_a_dense_kernel_is_a_convolutions_without_a_window():
    np.testing.assert_allclose(
        weight_standardize(KERNEL.reshape(36, 5)).reshape(KERNEL.shape), weight_standardize(KERNEL), atol=1e-6
    )
