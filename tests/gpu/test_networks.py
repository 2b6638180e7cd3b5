"""A training step of each family of networks: on the GPU as on the CPU of this process."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.layers import summary
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step
from tests.models.test_models import ENDS_IN_PIXELS, ONE_OF_EACH, SMALL, smallest

BATCH = 8
HALVES = ["cifar_small", "resnet20"]


def step_of(name, precision="float32"):
    """(params before, a function of nothing that takes one step on JAX's default device)."""
    network, (shape, _) = smallest(name), SMALL[name]
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (BATCH, *shape), np.uint8)
    labels, loss = rng.integers(0, 10, BATCH), ops.softmax_cross_entropy
    if name in ENDS_IN_PIXELS:
        labels, loss = rng.standard_normal((BATCH, *summary(network, shape).rows[-1].shape), np.float32), ops.mse
    optimizer = optax.sgd(0.1)
    step = make_train_step(
        network, optimizer, loss, normalise=lambda x: x / 128 - 1.0, options=StepOptions(precision=precision)
    )
    with jax.default_device(jax.devices("cpu")[0]):
        described = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
        params, state = jax.tree.map(np.asarray, jax.jit(network.init, static_argnums=1)(jax.random.key(0), described))

    def take():
        arrays = jax.tree.map(jnp.asarray, (params, state))
        train = TrainState(*arrays, optimizer.init(arrays[0]), jnp.int32(0), jax.random.key(1))
        return step(train, images, labels)

    return params, take


def flat(tree):
    """All numbers in a row."""
    return np.concatenate([np.zeros(0), *(np.ravel(np.asarray(a, np.float64)) for a in jax.tree.leaves(tree))])


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_step_is_that_of_the_CPU(name, in_full):
    before, take = step_of(name)
    after, metrics = take()
    assert {leaf.device for leaf in jax.tree.leaves(after.params)} == {jax.devices()[0]}
    with jax.default_device(jax.devices("cpu")[0]):
        right, right_metrics = take()
    assert metrics.diverged_at == 0
    np.testing.assert_allclose(metrics.loss, right_metrics.loss, rtol=1e-4)
    step = flat(right.params) - flat(before)
    assert np.linalg.norm(flat(after.params) - flat(right.params)) < 1e-2 * np.linalg.norm(step)
    assert np.linalg.norm(flat(after.state) - flat(right.state)) <= 1e-4 * np.linalg.norm(flat(right.state))


@pytest.mark.parametrize("name", HALVES)
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "mixed"])
def test_a_step_in_fewer_digits_goes_the_same_way(name, precision):
    """float32 as a GPU multiplies it by itself, in TensorFloat-32."""
    before, take = step_of(name, precision)
    after, metrics = take()
    with jax.default_device(jax.devices("cpu")[0]), jax.default_matmul_precision("float32"):
        right, right_metrics = step_of(name)[1]()
    here, there = (flat(state.params) - flat(before) for state in (after, right))
    assert metrics.diverged_at == 0
    np.testing.assert_allclose(metrics.loss, right_metrics.loss, rtol=0.03)
    assert here @ there > 0.9 * np.linalg.norm(here) * np.linalg.norm(there)
