"""One step: what it computes, what it leaves, what it returns."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import kernels, ops
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Flatten, Layer, chain
from jaxcnn.train.freeze import frozen
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.step import StepOptions, make_eval_step, make_train_step

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
        MODEL,
        optimizer,
        ops.softmax_cross_entropy,
        normalise=normalise,
        augment=lambda key, x, labels: (x[:, ::-1], labels),
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
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise)
    step(before, *batch)
    assert before.params["head"]["kernel"].is_deleted()


def test_augmentation_gets_a_new_key_at_each_step(rng, batch):
    def noise(key, images, labels):
        return jax.random.randint(key, images.shape, 0, 256), labels

    optimizer = optax.sgd(0.0)
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise, augment=noise)
    train, first = step(state(rng, optimizer), *batch)
    _, second = step(train, *batch)
    assert first.loss != second.loss


def test_metrics_remember_the_first_step_that_diverged(rng, batch):
    optimizer = optax.sgd(float("inf"))
    step = make_train_step(MODEL, optimizer, ops.softmax_cross_entropy, normalise=normalise)
    train, metrics = state(rng, optimizer), Metrics.zero()
    for _ in range(4):
        train, part = step(train, *batch)
        metrics = metrics.plus(part)
    assert metrics.diverged_at == 2


@pytest.mark.parametrize("entry, diverged_at", [(1e15, 0), (1e25, 1), (np.inf, 1), (np.nan, 1)])
def test_a_gradient_is_finite_where_its_norm_is(rng, batch, entry, diverged_at):
    @jax.custom_vjp
    def loss(logits, labels):
        return jnp.zeros(len(logits))

    def backward(logits, d):
        return jnp.zeros_like(logits).at[0, 0].set(entry), None

    loss.defvjp(lambda logits, labels: (loss(logits, labels), logits), backward)
    optimizer = optax.sgd(0.0)
    _, metrics = make_train_step(MODEL, optimizer, loss, normalise=normalise)(state(rng, optimizer), *batch)
    assert metrics.diverged_at == diverged_at
    assert np.isfinite(metrics.gradient)


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
    metrics = Metrics(jnp.float32(6), jnp.float32(3), jnp.float32(4), jnp.int32(0), jnp.float32(8))
    assert metrics.means() == (1.5, 0.75)
    assert np.isnan(Metrics.zero().means()).all()


BLOCKS = chain(
    stem=chain(conv=Conv(4), bn=BatchNorm(), relu=Activation("relu")),
    body=chain(conv=Conv(4), bn=BatchNorm(), relu=Activation("relu")),
    flatten=Flatten(),
    head=Dense(3),
)
IMAGES = np.random.default_rng(1).integers(0, 256, (6, 4, 4, 2), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 2, 1, 0], np.int32)


def stepped(network, steps=1, optimizer=None, images=IMAGES, **options):
    """The states before each step and after the last, and the metrics of the last."""
    optimizer = optimizer or optax.sgd(0.1)
    image = jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32)
    params, running = network.init(jax.random.key(0), image)
    average = jax.tree.map(jnp.copy, (params, running)) if "ema" in options else ()
    train = TrainState(params, running, optimizer.init(params), jnp.int32(0), jax.random.key(1), average)
    if freeze := options.get("freeze"):
        network = frozen(network, params, freeze)
    step = make_train_step(
        network,
        optimizer,
        ops.softmax_cross_entropy,
        normalise=normalise,
        options=StepOptions(**options),
    )
    seen = [jax.device_get((train.params, train.state, train.average, train.step))]
    for _ in range(steps):
        train, metrics = step(train, images, LABELS)
        seen.append(jax.device_get((train.params, train.state, train.average, train.step)))
    return seen, metrics


def close(a, b, rtol=1e-6, atol=1e-6):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b)


def test_an_accumulated_step_is_that_of_the_whole_batch():
    network = chain(conv=Conv(4), relu=Activation("relu"), flatten=Flatten(), head=Dense(3))
    (_, whole), of_whole = stepped(network)
    (_, parts), of_parts = stepped(network, accumulate=3)
    close(whole, parts)
    close(of_whole, of_parts)
    (_, parts), _ = stepped(BLOCKS, accumulate=3)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(parts))  # batch norm: of each part


def test_the_average_of_the_weights_moves_by_its_share():
    seen, _ = stepped(BLOCKS, 4, ema=0.3)
    expected = seen[0][:2]
    for t, (params, running, average, _) in enumerate(seen[1:], 1):
        d = min(0.3, (1 + t) / (10 + t))
        expected = jax.tree.map(lambda a, p, d=d: d * a + (1 - d) * p, expected, (params, running))
        close(average, expected)
    assert abs(average[0]["head"]["kernel"] - params["head"]["kernel"]).max() > 1e-3


@pytest.mark.parametrize("precision", ["float32", "mixed"])
def test_a_frozen_part_stays_and_its_batch_norm_uses_what_it_knows(precision):
    (before, after), _ = stepped(BLOCKS, freeze="stem/*", precision=precision)
    close(before[0]["stem"], after[0]["stem"], 0, 0)
    close(before[1]["stem"], after[1]["stem"], 0, 0)
    for part in ("body", "head"):
        moved = jax.tree.map(lambda a, b: abs(a - b).max(), before[0][part], after[0][part])
        assert max(jax.tree.leaves(moved)) > 1e-4
    assert abs(before[1]["body"]["bn"]["mean"] - after[1]["body"]["bn"]["mean"]).max() > 1e-4


def test_below_what_is_trained_no_gradient_is_computed():
    def multiplications(freeze):
        network = chain(one=Conv(16), two=Conv(16), flatten=Flatten(), head=Dense(3))
        params, _ = network.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32))
        train = TrainState(params, {}, optax.sgd(0.1).init(params), jnp.int32(0), jax.random.key(1))
        step = make_train_step(
            frozen(network, params, freeze),
            optax.sgd(0.1),
            ops.softmax_cross_entropy,
            normalise=normalise,
            options=StepOptions(freeze=freeze),
        )
        with kernels.use("xla"):
            return step.lower(train, IMAGES, LABELS).as_text().count("stablehlo.convolution")

    # Forward 2; the gradients of two kernels and of one image, the first's not being wanted: 3 more.
    assert (multiplications(""), multiplications("one/*"), multiplications("one/*,two/*")) == (5, 3, 2)


def test_a_frozen_pattern_that_matches_nothing_or_all_is_refused():
    params, _ = BLOCKS.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32))
    with pytest.raises(ValueError, match=r"freeze is 'stem/\*,blok/\*'; 'blok/\*' matches no parameter.*body/bn/bias"):
        frozen(BLOCKS, params, "stem/*,blok/*")
    with pytest.raises(ValueError, match=r"freeze is '\*', which matches all 10 parameters; leave some to train"):
        frozen(BLOCKS, params, "*")


@pytest.mark.parametrize("precision", ["mixed", "bfloat16"])
def test_in_half_precision_what_is_kept_stays_float32(precision):
    seen = []

    @dataclass(frozen=True)
    class Spy(Layer):
        def apply(self, params, state, x, *, train=False, key=None):
            seen.append(x.dtype)
            return x, {}

    network = chain(stem=BLOCKS.parts[0][1], spy=Spy(), flatten=Flatten(), head=Dense(3))
    (before, after), metrics = stepped(network, precision=precision)
    assert set(seen[1:]) == {np.dtype(jnp.bfloat16)}  # the first was of init, in float32
    assert {leaf.dtype for leaf in jax.tree.leaves(after[:2])} == {np.dtype(np.float32)}
    (_, exact), of_exact = stepped(network)
    close(after[0], exact[0], 0.05, 0.02)
    assert float(metrics.loss) == pytest.approx(float(of_exact.loss), rel=0.02)
    assert metrics.loss != of_exact.loss
    assert metrics.loss.dtype == np.float32
    updates = jax.tree.map(lambda a, b: a - b, after[0], before[0])
    assert max(abs(leaf).max() for leaf in jax.tree.leaves(updates)) > 1e-3


def test_a_step_that_is_not_finite_is_left_out_where_that_is_wanted():
    def broken(images):
        return jnp.where(jnp.max(images) > 250, jnp.nan, images / 255)

    dark = np.minimum(IMAGES, 200)
    optimizer = optax.adam(0.1)
    params, running = BLOCKS.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32))
    train = TrainState(params, running, optimizer.init(params), jnp.int32(0), jax.random.key(1))
    step = make_train_step(
        BLOCKS,
        optimizer,
        ops.softmax_cross_entropy,
        normalise=broken,
        options=StepOptions(skip=True),
    )
    train, first = step(train, dark, LABELS)
    kept = jax.device_get((train.params, train.state, train.opt_state))
    bright = dark.copy()
    bright[0] = 255
    train, metrics = step(train, bright, LABELS)
    close(kept, (train.params, train.state, train.opt_state), 0, 0)
    assert (train.step, metrics.examples, metrics.diverged_at, first.examples) == (2, 0, 0, 6)
    train, _ = step(train, dark, LABELS)
    assert abs(kept[0]["head"]["kernel"] - train.params["head"]["kernel"]).max() > 1e-3
