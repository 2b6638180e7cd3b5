"""Normalisation layers: what they learn, and that they are their operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers import (
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    RMSNorm,
    WeightStandardizedConv,
    chain,
    summary,
)

KEY = jax.random.key(0)
X = 2 + 3 * jax.random.normal(jax.random.key(1), (3, 4, 5, 6))
SCALE, BIAS = jnp.arange(6.0) - 2, jnp.arange(6.0)

# layer, the operation on (x, scale, bias), and the names of what it learns.
NORMS = [
    (LayerNorm(0.1), lambda x, s, b: ops.layer_norm(x, s, b, epsilon=0.1), {"scale", "bias"}),
    (GroupNorm(3, 0.1), lambda x, s, b: ops.group_norm(x, s, b, groups=3, epsilon=0.1), {"scale", "bias"}),
    (InstanceNorm(0.1), lambda x, s, b: ops.instance_norm(x, s, b, epsilon=0.1), {"scale", "bias"}),
    (RMSNorm(0.1), lambda x, s, b: ops.rms_norm(x, s, epsilon=0.1), {"scale"}),
    (
        LocalResponseNorm(3, alpha=0.5, beta=0.6, k=2.0),
        lambda x, s, b: ops.local_response_norm(x, 3, alpha=0.5, beta=0.6, k=2.0),
        set(),
    ),
]


@pytest.mark.parametrize(("layer", "operation", "learned"), NORMS, ids=lambda v: type(v).__name__)
def test_a_norm_is_its_operation_in_training_and_in_evaluation(layer, operation, learned):
    params, state = layer.init(KEY, ShapeDtypeStruct(X.shape, X.dtype))
    assert set(params) == learned and state == {}
    fresh = layer.apply(params, state, X)[0]
    np.testing.assert_array_equal(fresh, operation(X, jnp.ones(6), jnp.zeros(6)))
    other = {name: {"scale": SCALE, "bias": BIAS}[name] for name in learned}
    for train in (False, True):
        y, new = layer.apply(other, state, X, train=train)
        np.testing.assert_array_equal(y, operation(X, SCALE, BIAS))
        assert new == {}


@pytest.mark.parametrize(
    ("layer", "operation"),
    [
        (LayerNorm(), ops.layer_norm),
        (GroupNorm(), ops.group_norm),
        (InstanceNorm(), ops.instance_norm),
        (RMSNorm(), ops.rms_norm),
        (LocalResponseNorm(), ops.local_response_norm),
    ],
    ids=lambda v: type(v).__name__,
)
def test_the_defaults_are_those_of_the_operation(layer, operation):
    x = 100 * jax.random.normal(KEY, (2, 3, 3, 32))
    params, state = layer.init(KEY, ShapeDtypeStruct(x.shape, x.dtype))
    arrays = [params[name] for name in ("scale", "bias") if name in params]
    for scale in (1, 1e-5):  # so small that epsilon decides
        np.testing.assert_array_equal(layer.apply(params, state, scale * x)[0], operation(scale * x, *arrays))


@pytest.mark.parametrize(("layer", "operation", "learned"), NORMS, ids=lambda v: type(v).__name__)
def test_the_summary_counts_a_value_for_each_channel(layer, operation, learned):
    (row,) = summary(chain(norm=layer), (4, 5, 6)).rows
    assert (row.kind, row.shape) == (type(layer).__name__, (4, 5, 6))
    assert (row.trainable, row.fixed, row.multiply_adds) == (6 * len(learned), 0, 0)
    assert str(row.field) == "1×1"


def test_weight_standardized_conv_convolves_with_standardized_kernels():
    layer = WeightStandardizedConv(4, (3, 2), stride=2, padding="VALID", groups=2, epsilon=0.01)
    params, state = layer.init(KEY, ShapeDtypeStruct(X.shape, X.dtype))
    assert {name: p.shape for name, p in params.items()} == {"kernel": (3, 2, 3, 4), "bias": (4,)}
    kernel = ops.weight_standardize(params["kernel"], epsilon=0.01)
    expected = ops.conv(X, kernel, params["bias"], stride=2, padding="VALID", groups=2)
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], expected)
    (row,) = summary(chain(conv=layer), (4, 5, 6)).rows
    assert (row.kind, row.trainable, row.multiply_adds) == ("WeightStandardizedConv", 76, 1 * 2 * 4 * 6 * 3)
    assert repr(layer).startswith("WeightStandardizedConv(features=4, size=(3, 2), stride=2")


def test_groups_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match=r"group_norm: groups is 4; .* divides the 6 channels"):
        GroupNorm(4).apply({"scale": SCALE, "bias": BIAS}, {}, X)
