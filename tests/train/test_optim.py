"""Schedules against their formulas, optimizers against their update rules written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn.layers import Conv, Dense, Flatten, chain
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


def test_steps_say_the_same_as_epochs():
    epochs = rates(schedule="cosine", warmup=2.5)
    np.testing.assert_array_equal(rates(schedule="cosine", warmup_steps=10), epochs)
    np.testing.assert_array_equal(rates(schedule="cosine", warmup=2.5, max_steps=40), epochs)
    longer = rates(schedule="cosine", warmup_steps=10, max_steps=70)
    np.testing.assert_allclose(longer[10:], PEAK * (1 + np.cos(np.pi * np.arange(30) / 60)) / 2, rtol=1e-6)


def test_more_warmup_than_training_is_refused():
    with pytest.raises(ValueError, match=r"warmup_steps is 41; expected no more than all .* which has 40 steps"):
        rates(schedule="cosine", warmup_steps=41)


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


def test_lion_moves_by_the_sign_and_decays_kernels():
    kernel, bias = updated([0.5], 0.3, optimizer="lion")
    assert (kernel, bias) == (pytest.approx(2 - 0.1 * (1 + 0.3 * 2)), pytest.approx(2 - 0.1))


def test_lars_and_lamb_move_a_kernel_in_proportion_to_its_size():
    """You, Gitman & Ginsburg 2017 and You et al. 2020: a step's length is a share of the weights' length."""
    for name, trust in (("lars", 0.001), ("lamb", 1.0)):
        for size in (1.0, 100.0):
            optimizer = make_optimizer(
                TrainConfig(optimizer=name, weight_decay=0.0), optax.constant_schedule(0.1), NETWORK
            )
            params = {"kernel": jnp.full((3, 3), size), "bias": jnp.ones(3)}
            gradients = {"kernel": jnp.ones((3, 3)), "bias": jnp.ones(3)}
            updates, _ = optimizer.update(gradients, optimizer.init(params), params)
            moved = np.linalg.norm(updates["kernel"]) / np.linalg.norm(params["kernel"])
            assert moved == pytest.approx(0.1 * trust, rel=1e-4)


def test_muon_moves_a_kernel_by_a_matrix_whose_directions_are_of_one_size():
    params = {"kernel": jnp.zeros((3, 3, 2, 4)), "bias": jnp.zeros(4)}
    optimizer = make_optimizer(TrainConfig(optimizer="muon", weight_decay=0.0), optax.constant_schedule(0.1), NETWORK)
    rng = np.random.default_rng(0)
    gradients = {"kernel": jnp.asarray(rng.standard_normal((3, 3, 2, 4)) * [1, 10, 100, 1000]), "bias": jnp.ones(4)}
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    sizes = np.linalg.svd(np.reshape(updates["kernel"], (18, 4)), compute_uv=False)
    assert sizes.max() / sizes.min() < 2  # five Newton-Schulz steps: 0.7 .. 1.2; those given were 1000 apart
    as_adam, _ = (nadam := optax.nadam(0.1)).update(params["bias"] + 1, nadam.init(params["bias"]))
    np.testing.assert_allclose(updates["bias"], as_adam, rtol=1e-5)


def test_gradients_are_clipped_by_the_norm_of_all_together():
    config = TrainConfig(optimizer="sgd", weight_decay=0.0, clip_norm=1.0)
    optimizer = make_optimizer(config, optax.constant_schedule(1.0), NETWORK)
    params = {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)}
    for length, factor in ((0.1, 1), (10.0, 0.1)):
        gradients = {"kernel": jnp.full((1, 1), 0.6 * length), "bias": jnp.full(1, 0.8 * length)}
        updates, _ = optimizer.update(gradients, optimizer.init(params), params)
        assert updates["kernel"][0, 0] == pytest.approx(-0.6 * length * factor)
        assert updates["bias"][0] == pytest.approx(-0.8 * length * factor)


def test_layer_decay_counts_back_from_the_head_in_the_order_of_the_network():
    network = chain(z=Conv(1), pool=Flatten(), m=Dense(1), a=Dense(1))  # not that of the alphabet
    params = {name: {"kernel": jnp.zeros((1, 1)), "bias": jnp.zeros(1)} for name in "zma"}
    config = TrainConfig(optimizer="sgd", weight_decay=0.0, layer_decay=0.5)
    optimizer = make_optimizer(config, optax.constant_schedule(1.0), network)
    updates, _ = optimizer.update(jax.tree.map(jnp.ones_like, params), optimizer.init(params), params)
    assert [float(updates[name]["kernel"][0, 0]) for name in "zma"] == [-0.25, -0.5, -1.0]
    assert [float(updates[name]["bias"][0]) for name in "zma"] == [-0.25, -0.5, -1.0]


def test_what_is_frozen_has_no_update_and_no_part_in_the_norm():
    config = TrainConfig(optimizer="adamw", weight_decay=0.5, freeze="a/*", clip_norm=1.0)
    optimizer = make_optimizer(config, optax.constant_schedule(1.0), NETWORK)
    params = {name: {"kernel": jnp.ones((1, 1))} for name in "ab"}
    gradients = {"a": {"kernel": jnp.full((1, 1), 1e30)}, "b": {"kernel": jnp.full((1, 1), 0.5)}}
    updates, _ = optimizer.update(gradients, optimizer.init(params), params)
    assert updates["a"]["kernel"][0, 0] == 0
    assert updates["b"]["kernel"][0, 0] == pytest.approx(-1.5, rel=1e-4)
