"""Sizes, strides and rates are numbers of Python's, NumPy's or JAX's, as long as their value is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops

X = np.random.default_rng(0).standard_normal((2, 6, 6, 4)).astype(np.float32)
KERNEL = np.ones((3, 3, 4, 2), np.float32)


@pytest.mark.parametrize("two", [np.array([2, 2]), jnp.array([2, 2]), np.int32(2), jnp.int32(2), np.array(2)], ids=repr)
def test_a_stride_and_a_size(two):
    np.testing.assert_array_equal(ops.conv(X, KERNEL, stride=two), ops.conv(X, KERNEL, stride=2))
    np.testing.assert_array_equal(ops.max_pool(X, two), ops.max_pool(X, 2))
    pads = np.array([[1, 0], [0, 2]])
    np.testing.assert_array_equal(ops.avg_pool(X, 3, padding=pads), ops.avg_pool(X, 3, padding=((1, 0), (0, 2))))


@pytest.mark.parametrize("two", [np.int32(2), jnp.int32(2), np.array(2)], ids=repr)
def test_groups(two):
    halves = KERNEL[:, :, :2]
    np.testing.assert_array_equal(ops.conv(X, halves, groups=two), ops.conv(X, halves, groups=2))
    ones, zeros = np.ones(4, np.float32), np.zeros(4, np.float32)
    np.testing.assert_array_equal(ops.group_norm(X, ones, zeros, groups=two), ops.group_norm(X, ones, zeros, groups=2))


@pytest.mark.parametrize("half", [np.float32(0.5), jnp.float32(0.5), np.array(0.5)], ids=repr)
def test_a_rate_and_a_slope(half):
    key = jax.random.key(0)
    np.testing.assert_array_equal(ops.dropout(X, key, rate=half), ops.dropout(X, key, rate=0.5))
    np.testing.assert_array_equal(ops.leaky_relu(X, slope=half), ops.leaky_relu(X, slope=0.5))
    np.testing.assert_array_equal(ops.elu(X, alpha=half), ops.elu(X, alpha=0.5))


def test_what_is_not_known_or_no_number_is_refused():
    with pytest.raises(ValueError, match=r"leaky_relu: slope is .*expected a number"):
        jax.jit(lambda slope: ops.leaky_relu(X, slope=slope))(0.5)
    with pytest.raises(ValueError, match=r"conv: stride is .*expected positive ints"):
        jax.jit(lambda stride: ops.conv(X, KERNEL, stride=stride))(2)
    with pytest.raises(ValueError, match=r"leaky_relu: slope is .*expected a number"):
        ops.leaky_relu(X, slope=np.array([0.5]))
    with pytest.raises(ValueError, match=r"max_pool: size is .*expected positive ints"):
        ops.max_pool(X, np.array([1.5, 2]))
