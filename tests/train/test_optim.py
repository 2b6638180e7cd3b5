"""Schedules against their formulas, optimizers against their update rules written out in NumPy."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn.layers import Conv
from jaxcnn.train.optim import make_optimizer, make_schedule
from jaxcnn.train.recipe import TrainConfig

NETWORK = Conv(1)
PEAK = 0.8
EPS = 1.2e-7  # of float32: where the cosine nears -1, 1 + cos keeps that absolute error


def rates(**options):
    """The rate at each of 10 epochs × 4 steps."""
    schedule = make_schedule(TrainConfig(epochs=10, learning_rate=PEAK, **options), 4)
    return np.array([schedule(step) for step in range(40)])


def test_constant():
    np.testing.assert_allclose(rates(schedule="constant"), PEAK, rtol=1e-6)


def test_step_divides_by_10_after_a_half_and_three_quarters():
    expected = np.repeat([PEAK, PEAK / 10, PEAK / 100], [20, 10, 10])
    np.testing.assert_allclose(rates(schedule="step"), expected, rtol=1e-6)


def test_cosine():
    expected = PEAK * (1 + np.cos(np.pi * np.arange(40) / 40)) / 2
    np.testing.assert_allclose(rates(schedule="cosine"), expected, rtol=1e-6, atol=EPS)


def test_one_cycle_rises_for_a_third_and_falls_to_nearly_0():
    seen = rates(schedule="onecycle")
    assert seen.argmax() == 12
    np.testing.assert_allclose([seen[0], seen[12]], [PEAK / 25, PEAK], rtol=1e-5)
    assert (np.diff(seen[:13]) > 0).all() and (np.diff(seen[12:]) < 0).all()
    assert seen[-1] < PEAK / 100


def test_warmup_is_linear_and_the_schedule_follows():
    seen = rates(schedule="cosine", warmup=2.5)
    np.testing.assert_allclose(seen[:10], PEAK * np.arange(1, 11) / 10, rtol=1e-6)
    np.testing.assert_allclose(seen[10:], PEAK * (1 + np.cos(np.pi * np.arange(30) / 30)) / 2, rtol=1e-6, atol=EPS)


@pytest.mark.parametrize(("steps", "expected"), [(1, [1]), (2, [1, 0.1]), (3, [1, 0.1, 0.01]), (4, [1, 1, 0.1, 0.01])])
def test_step_in_a_few_steps_drops_once_at_a_time_and_not_before_the_first(steps, expected):
    schedule = make_schedule(TrainConfig(epochs=steps, learning_rate=PEAK, schedule="step"), 1)
    np.testing.assert_allclose([schedule(step) for step in range(steps)], PEAK * np.array(expected), rtol=1e-6)


def test_warmup_of_one_step_trains():
    schedule = make_schedule(TrainConfig(epochs=1, learning_rate=PEAK, schedule="cosine", warmup=0.6), 1)
    assert float(schedule(0)) == pytest.approx(PEAK)


def updated(gradients, decay, **options):
    """Kernel and bias, both [[2.0]]-like, after a step with each of the gradients."""
    config = TrainConfig(weight_decay=decay, learning_rate=0.1, **options)
    optimizer = make_optimizer(config, optax.constant_schedule(0.1), NETWORK)
    params = {"kernel": jnp.full((1, 1), 2.0), "bias": jnp.full(1, 2.0)}
    state = optimizer.init(params)
    for g in gradients:
        updates, state = optimizer.update({"kernel": jnp.full((1, 1), g), "bias": jnp.full(1, g)}, state, params)
        params = optax.apply_updates(params, updates)
    return float(params["kernel"][0, 0]), float(params["bias"][0])


def written_out(name, gradients, decay):
    """The same by hand, for one parameter with this decay."""
    w, v, m, s = 2.0, 0.0, 0.0, 0.0
    for t, g in enumerate(gradients, 1):
        if name != "adamw":
            g = g + decay * w
        if name == "sgd":
            w -= 0.1 * g
        elif name in ("momentum", "nesterov"):
            v = 0.9 * v + g
            w -= 0.1 * (g + 0.9 * v if name == "nesterov" else v)
        else:
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
            step = m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
            w -= 0.1 * (step + (decay * w if name == "adamw" else 0))
    return w


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "adamw"])
def test_updates_and_decay_that_spares_biases(name):
    gradients = [0.5, -0.25, 0.125]
    kernel, bias = updated(gradients, 0.3, optimizer=name)
    assert kernel == pytest.approx(written_out(name, gradients, 0.3), rel=1e-5)
    assert bias == pytest.approx(written_out(name, gradients, 0.0), rel=1e-5)
