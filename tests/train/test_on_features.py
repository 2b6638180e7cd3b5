"""A frozen backbone: its features are computed once where that changes nothing, and only there."""

from dataclasses import replace

import jax
import numpy as np
import pytest

from jaxcnn.layers import BatchNorm, Conv, Dense, Dropout, GlobalAvgPool, StochasticDepth, chain, residual
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.fit import fit
from jaxcnn.train.loop import train
from jaxcnn.train.on_features import OnFeatures, kept, on_features
from jaxcnn.train.recipe import OptimizationRecipe
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config

BLOCK = chain(conv=Conv(4), bn=BatchNorm(), drop=StochasticDepth(0.5))
NETWORK = chain(
    stem=Conv(4, stride=2),
    bn=BatchNorm(),
    block=residual(BLOCK),
    pool=GlobalAvgPool(),
    drop=Dropout(0.3),
    head=Dense(10),
)
RECIPE = OptimizationRecipe(augment="none", freeze="backbone", epochs=2, batch_size=128, learning_rate=0.02)


@pytest.fixture(scope="module")
def digits(trained):
    """With a validation part."""
    whole = trained.experiment.dataset
    return replace(whole, valid_images=whole.test_images[:100], valid_labels=whole.test_labels[:100])


def steps(experiment, count=5):
    state, metrics = experiment.initial_state(), []
    for _, (images, labels) in zip(range(count), experiment.batches(), strict=False):
        state, of_batch = experiment.train_step(state, images, labels)
        metrics.append(of_batch)
    return state, metrics


@pytest.mark.parametrize("changes", [{}, {"accumulate": 2, "ema": 0.9, "remat": True}])
def test_they_end_in_the_same_weights(digits, changes):
    experiment = experiment_of(replace(RECIPE, **changes), digits, NETWORK)
    quick = on_features(experiment, experiment.initial_state())
    assert isinstance(quick, OnFeatures)
    assert {part: features.shape for part, features in quick.features.items()} == {
        "train": (1437, 4),
        "valid": (100, 4),
    }
    (slow_state, slow_metrics), (state, metrics) = steps(experiment), steps(quick)

    close = {"rtol": 1e-5, "atol": 1e-6}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **close), metrics, slow_metrics)
    for found, expected in ((state.params, slow_state.params), (state.average, slow_state.average)):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, **close), found, expected)
    assert leaves(state.state) == leaves(experiment.initial_state().state)
    found, expected = quick.evaluate(state, "valid"), experiment.evaluate(slow_state, "valid")
    np.testing.assert_allclose(found.probabilities, expected.probabilities, **close)


def test_all_but_the_head_keeps_its_bits_and_fit_takes_the_features(digits, monkeypatch):
    seen = []
    monkeypatch.setattr("jaxcnn.train.epochs.on_features", lambda *args: seen.append(on_features(*args)) or seen[-1])
    fitted = fit(NETWORK, digits, RECIPE)
    assert isinstance(seen[0], OnFeatures) and not isinstance(fitted.experiment, OnFeatures)
    began = fitted.experiment.initial_state()
    for part in ("stem", "bn", "block"):
        assert leaves(fitted.state.params[part]) == leaves(began.params[part])
    assert leaves(fitted.state.state) == leaves(began.state)
    assert leaves(fitted.state.params["head"]) != leaves(began.params["head"])
    whole = fitted.experiment.evaluate(fitted.state, "valid")
    assert fitted.epochs[-1]["eval_accuracy"] == whole.accuracy


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["stem", "bn", "block", "pool"]),  # dropout draws anew at each step
        ({"freeze": "stem/*,bn/*"}, ["stem", "bn"]),
        ({"freeze": "stem/*"}, ["stem"]),
        ({"freeze": "stem/kernel"}, []),  # its bias is trained
        ({"freeze": "bn/*"}, []),
        ({"freeze": ""}, []),
        ({"augment": "flip"}, []),
        ({"freeze": "stem/*", "unfreeze_epochs": 1}, []),
    ],
)
def test_what_is_kept_ends_before_what_is_trained_or_draws(digits, changes, names):
    experiment = experiment_of(replace(RECIPE, **changes), digits, NETWORK)
    assert [name for name, _ in kept(experiment).parts] == names
    if not names:
        assert on_features(experiment, experiment.initial_state()) is experiment


def test_a_run_that_is_stopped_goes_on_in_the_same_bits(tmp_path):
    options = {"freeze": "backbone", "augment": "none"}
    whole = train(config(tmp_path / "whole", **options))
    train(config(tmp_path / "run", **options), CtrlC(STEPS + 3))
    resumed = train(config(tmp_path / "run", resume=True, **options))
    assert leaves(resumed.state) == leaves(whole.state)
    assert resumed.evaluation.accuracy == whole.evaluation.accuracy


def test_features_that_take_too_much_memory_are_not_kept(digits, monkeypatch):
    experiment = experiment_of(RECIPE, digits, NETWORK)
    needed = (1437 + 100) * 4 * 4  # float32
    monkeypatch.setattr("jaxcnn.train.on_features.memory", lambda: 4 * needed)
    assert kept(experiment).parts
    monkeypatch.setattr("jaxcnn.train.on_features.memory", lambda: 4 * needed - 1)
    assert not kept(experiment).parts


def test_a_frozen_block_draws_nothing(digits):
    model = experiment_of(RECIPE, digits, NETWORK).trained_model
    params, state = model.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), np.float32))
    x = jax.random.normal(jax.random.key(1), (64, 8, 8, 1))
    without_dropout = chain(**{name: part for name, part in model.parts if name != "drop"})
    y, after = without_dropout.apply(params, state, x, train=True)  # no key is needed
    np.testing.assert_array_equal(y, NETWORK(params, state, x))
    assert leaves(after) == leaves(state)


def test_a_network_without_a_head_has_no_backbone(digits):
    network = chain(stem=Conv(4), pool=GlobalAvgPool(), last=Dense(10))
    with pytest.raises(ValueError, match=r"freeze is 'backbone', and the network has no part called 'head'.*stem/bias"):
        experiment_of(RECIPE, digits, network)
