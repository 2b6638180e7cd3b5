"""The check of a network's handwritten gradients: that it agrees, and that it would not if they were wrong."""

import re

import jax
import numpy as np
import pytest

from jaxcnn import ops
from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.train import gradients
from jaxcnn.train.gradients import check_gradients, check_on_hardest
from jaxcnn.train.state import TrainState


@pytest.fixture
def batch(trained):
    dataset = trained.experiment.dataset
    return trained.experiment.normalise(dataset.test_images[:8]), dataset.test_labels[:8]


def test_agrees_for_a_trained_network(trained):
    check = check_on_hardest(trained.experiment, trained.state, trained.evaluation, 8)
    assert [layer.path for layer in check.layers] == ["conv", "bn", "relu", "drop", "flatten", "head"]
    assert [layer.path for layer in check.layers if layer.gradient is None] == ["relu", "drop", "flatten"]
    assert check.agrees and check.largest < 1e-12
    assert (check.arrays, check.images) == (6, 8)
    start = "handwritten gradients agree with jax.grad: largest difference "
    assert re.fullmatch(start + r"\d\.\de-\d\d relative over 6 arrays \(float64, 8 images\)", str(check))


@pytest.mark.parametrize(("layer", "share"), [("conv", 0.01), ("head", 1e-9)])
def test_a_planted_fault_is_found_however_small(trained, batch, monkeypatch, layer, share):
    true = gradients.backprop

    def faulty(*arguments, **options):
        result = true(*arguments, **options)
        wrong = jax.tree.map(lambda g: (1 + share) * g, result.gradients[layer])
        return result._replace(gradients=result.gradients | {layer: wrong})

    monkeypatch.setattr(gradients, "backprop", faulty)
    check = check_gradients(trained.experiment.model, trained.experiment.loss, trained.state, *batch)
    assert not check.agrees and "DO NOT agree" in str(check)
    found = {row.path: row.difference for row in check.layers if row.difference is not None}
    assert found.pop(layer) == pytest.approx(share, rel=1e-5)
    assert max(found.values()) < 1e-12


def test_a_gradient_that_is_not_a_number_is_no_agreement(trained, batch, monkeypatch):
    true = gradients.backprop

    def faulty(*arguments, **options):
        result = true(*arguments, **options)
        return result._replace(gradients=jax.tree.map(lambda g: g * np.nan, result.gradients))

    monkeypatch.setattr(gradients, "backprop", faulty)
    check = check_gradients(trained.experiment.model, trained.experiment.loss, trained.state, *batch)
    assert not check.agrees


def test_norms_and_delta_of_a_linear_network_are_those_worked_out_by_hand():
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((5, 2, 2, 1)), np.array([0, 2, 1, 1, 0])
    kernel = rng.standard_normal((4, 3))
    model = chain(flatten=Flatten(), head=Dense(3))
    train = TrainState({"head": {"kernel": kernel, "bias": np.zeros(3)}}, {}, (), 0, None)
    flatten, head = check_gradients(model, ops.softmax_cross_entropy, train, x, labels).layers

    p = np.exp(x.reshape(5, 4) @ kernel)
    delta = (p / p.sum(1, keepdims=True) - np.eye(3)[labels]) / 5
    gradients = [x.reshape(5, 4).T @ delta, delta.sum(0)]
    assert head.delta == pytest.approx(np.linalg.norm(delta), rel=1e-12)
    assert head.gradient == pytest.approx(np.sqrt(sum(np.sum(g**2) for g in gradients)), rel=1e-12)
    assert flatten.delta == pytest.approx(np.linalg.norm(delta @ kernel.T), rel=1e-12)


@pytest.mark.parametrize("loss", [ops.softmax_cross_entropy, ops.sigmoid_cross_entropy])
@pytest.mark.parametrize("logit", [15.0, 30.0, 300.0])
def test_a_network_that_is_sure_of_all_images_agrees(loss, logit):
    model = chain(flatten=Flatten(), head=Dense(3))
    x, labels = np.eye(3)[:, None, :, None], np.arange(3)
    train = TrainState({"head": {"kernel": logit * (2 * np.eye(3) - 1), "bias": np.zeros(3)}}, {}, (), 0, None)
    check = check_gradients(model, loss, train, x, labels if loss is ops.softmax_cross_entropy else np.eye(3))
    assert check.agrees, str(check)
