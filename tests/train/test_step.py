"""One step: what it computes, what it leaves, what it returns."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.step import make_eval_step, make_train_step

MODEL = chain(flatten=Flatten(), head=Dense(3))


def normalise(images):
    return images / 255


def state(rng, optimizer):
    params = {"head": {"kernel": jnp.array(rng.standard_normal((4, 3)), jnp.float32), "bias": jnp.zeros(3)}}
    return TrainState(params, {}, optimizer.init(params), jnp.int32(0), jax.random.key(1))


@pytest.fixture
def batch(rng):
    return rng.integers(0, 256, (5, 2, 2, 1), dtype=np.uint8), np.array([0, 2, 1, 1, 0], np.int32)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_train_step_is_gradient_descent_on_the_mean_loss(rng, batch):
    optimizer = optax.sgd(0.5)
    before = state(rng, optimizer)
    kernel = np.array(before.params["head"]["kernel"], np.float64)
    step = make_train_step(
        MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise, augment=lambda key, x: x[:, ::-1]
    )
    after, metrics = step(before, *batch)

    images, labels = batch
    x = images[:, ::-1].reshape(5, 4) / 255
    p = np.exp(x @ kernel)
    p /= p.sum(1, keepdims=True)
    delta = (p - np.eye(3)[labels]) / 5
    np.testing.assert_allclose(after.params["head"]["kernel"], kernel - 0.5 * x.T @ delta, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(after.params["head"]["bias"], -0.5 * delta.sum(0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(metrics.loss, -np.log(p[range(5), labels]).sum(), rtol=1e-5)
    assert metrics.correct == (p.argmax(1) == labels).sum()
    assert (metrics.examples, metrics.diverged_at, after.step) == (5, 0, 1)


def test_train_step_donates_the_old_state(rng, batch):
    optimizer = optax.adam(0.1)
    before = state(rng, optimizer)
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise, augment=lambda key, x: x)
    step(before, *batch)
    assert before.params["head"]["kernel"].is_deleted()


def test_augmentation_gets_a_new_key_at_each_step(rng, batch):
    def noise(key, images):
        return jax.random.randint(key, images.shape, 0, 256)

    optimizer = optax.sgd(0.0)
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise, augment=noise)
    train, first = step(state(rng, optimizer), *batch)
    _, second = step(train, *batch)
    assert first.loss != second.loss


def test_metrics_remember_the_first_step_that_diverged(rng, batch):
    optimizer = optax.sgd(float("inf"))
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise, augment=lambda key, x: x)
    train, metrics = state(rng, optimizer), Metrics.zero()
    for _ in range(4):
        train, part = step(train, *batch)
        metrics = metrics.plus(part)
    assert metrics.diverged_at == 2


def test_eval_step_gives_padding_no_weight(rng, batch):
    images, labels = batch
    step = make_eval_step(MODEL, ops.softmax_cross_entropy, normalise=normalise, probabilities=jax.nn.softmax)
    train = state(rng, optax.sgd(0.1))
    alone, p = step(train.params, {}, images[:3], labels[:3], np.ones(3, np.float32))
    padded, q = step(train.params, {}, images, labels, np.array([1, 1, 1, 0, 0], np.float32))
    np.testing.assert_allclose(alone, padded, rtol=1e-6)
    np.testing.assert_allclose(p, q[:3], rtol=1e-6)
    np.testing.assert_allclose(q.sum(1), 1, rtol=1e-6)


def test_an_infinite_loss_of_padding_does_not_count(rng, batch):
    images, _ = batch
    step = make_eval_step(
        MODEL,
        lambda logits, labels: jnp.where(labels == 2, jnp.inf, 1.5),
        normalise=normalise,
        probabilities=jax.nn.softmax,
    )
    params = state(rng, optax.sgd(0.1)).params
    metrics, _ = step(params, {}, images[:3], np.array([0, 1, 2]), np.array([1, 1, 0], np.float32))
    assert (metrics.loss, metrics.examples) == (3, 2)


def test_means_are_per_example():
    metrics = Metrics(jnp.float32(6), jnp.float32(3), jnp.float32(4), jnp.int32(0))
    assert metrics.means() == (1.5, 0.75)
    assert np.isnan(Metrics.zero().means()).all()
