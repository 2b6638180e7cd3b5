"""Steps in float16: their gradient, what an overflow leaves, the course of the scale, and runs that are resumed."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.layers import Activation, Conv, Dense, Flatten, chain
from jaxcnn.train.loop import train as run
from jaxcnn.train.loss_scale import GROWS_AFTER, LARGEST, LossScale
from jaxcnn.train.restore import restore
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import StepOptions, make_train_step
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.test_step import BLOCKS, IMAGES, LABELS, normalise
from tests.train.tiny import config

NETWORK = chain(conv=Conv(4), relu=Activation("relu"), flatten=Flatten(), head=Dense(3))
GIVEN = optax.trace(0.0)  # its state is the gradient that it was given


def started(factor=2.0**16, good=0, network=NETWORK, optimizer=None):
    params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, jnp.float32))
    opt_state = (optimizer or GIVEN).init(params)
    scale = LossScale(jnp.float32(factor), jnp.int32(good))
    return TrainState(params, state, opt_state, jnp.int32(0), jax.random.key(1), scale=scale)


def stepper(size=1.0, network=NETWORK, optimizer=None, precision="float16", **options):
    """A step whose loss, and so its gradient, is `size` times the usual one."""
    return make_train_step(
        network,
        optimizer or GIVEN,
        lambda logits, labels: size * ops.softmax_cross_entropy(logits, labels),
        normalise=normalise,
        options=StepOptions(precision=precision, **options),
    )


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("size", [1.0, 1e-6])
def test_the_gradient_is_that_of_float32_to_float16_s_rounding_however_small(size, accumulate):
    after, metrics = stepper(size, accumulate=accumulate)(started(), IMAGES, LABELS)
    exact, of_exact = stepper(size, precision="float32")(replace(started(), scale=()), IMAGES, LABELS)
    for found, expected in zip(*map(jax.tree.leaves, (after.opt_state, exact.opt_state)), strict=True):
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, atol=4e-3 * abs(expected).max())
    assert (metrics.diverged_at, after.scale.good, after.scale.factor) == (0, 1, 2.0**16)
    np.testing.assert_allclose(metrics.loss, of_exact.loss, rtol=2e-3)  # the scale is not in it


def test_without_a_scale_small_gradients_are_lost():
    lost, _ = stepper(1e-8)(started(factor=1.0), IMAGES, LABELS)
    kept, _ = stepper(1e-8)(started(), IMAGES, LABELS)
    assert not jnp.any(lost.opt_state.trace["conv"]["kernel"])
    assert jnp.any(kept.opt_state.trace["conv"]["kernel"])


@pytest.mark.parametrize("options", [{}, {"accumulate": 3}, {"skip": True}, {"ema": 0.9}])
def test_a_step_that_overflows_is_left_out_and_halves_the_scale_until_none_does(options):
    optimizer = optax.adam(1e-3)
    state = started(network=BLOCKS, optimizer=optimizer)
    if "ema" in options:
        state = replace(state, average=jax.tree.map(jnp.copy, (state.params, state.state)))
    step = stepper(1e4, BLOCKS, optimizer, **options)
    for number in range(1, 20):
        before = leaves((state.params, state.state, state.opt_state, state.average)), float(state.scale.factor)
        state, metrics = step(state, IMAGES, LABELS)
        after = leaves((state.params, state.state, state.opt_state, state.average)), float(state.scale.factor)
        assert (metrics.diverged_at, state.step, metrics.examples) == (0, number, len(LABELS))
        if after[1] == before[1]:
            break
        assert after == (before[0], before[1] / 2)
    assert after[0] != before[0]
    assert number > 5 and state.scale.good == 1
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(state.params))


def test_the_scale_doubles_after_2000_finite_steps_in_a_row_and_stays_in_its_bounds():
    def after(factor, good, finite):
        is_finite = jnp.bool_(finite)
        return tuple(map(float, LossScale(jnp.float32(factor), jnp.int32(good)).after(is_finite, ~is_finite)))

    assert GROWS_AFTER == 2000
    assert after(8, 1998, True) == (8, 1999) and after(8, 1999, True) == (16, 0)
    assert after(8, 1999, False) == (4, 0)
    assert after(LARGEST, 1999, True) == (LARGEST, 0) and after(1, 5, False) == (1, 0)
    state, _ = stepper()(started(good=1999), IMAGES, LABELS)
    assert (state.scale.factor, state.scale.good) == (2.0**17, 0)


def test_where_no_scale_helps_it_has_diverged():
    """A δ beyond float16 without any scale; a loss that is not finite, in which the scale has no part."""
    for size, factor in ((1e8, 1.0), (np.inf, 2.0**16)):
        state, metrics = stepper(size)(started(factor), IMAGES, LABELS)
        assert (metrics.diverged_at, state.scale.factor, state.step) == (1, factor, 1)
        assert leaves(state.params) == leaves(started().params)
    _, metrics = stepper(1e8)(started(2.0), IMAGES, LABELS)
    assert metrics.diverged_at == 0, "1 is yet to be tried"


def test_a_state_of_another_precision_is_refused():
    with pytest.raises(ValueError, match=r"precision is 'float16', .* scale=LossScale.initial\(\)"):
        stepper()(replace(started(), scale=()), IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"precision is 'mixed', .* none without"):
        stepper(precision="mixed")(started(), IMAGES, LABELS)


@pytest.mark.parametrize("options", [{}, {"accumulate": 2, "ema": 0.9}])
def test_a_run_trains_and_goes_on_in_the_same_bits(tmp_path, options):
    options = {"precision": "float16", "batch_size": 64} | options
    whole = run(config(tmp_path / "whole", **options))
    run(config(tmp_path / "run", **options), CtrlC(25))
    stopped = restore(tmp_path / "run").state
    assert stopped.scale.good == 25
    resumed = run(config(tmp_path / "run", resume=True, **options))
    assert leaves(resumed.state) == leaves(whole.state)
    assert whole.state.scale.good == whole.state.step
    assert whole.evaluation.accuracy > 0.2  # chance is 0.1
