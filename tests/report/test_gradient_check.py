"""The gradient check as a table."""

import dataclasses

import numpy as np
import pytest

from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.report.page.gradient_check import gradient_check
from jaxcnn.report.page.trained import of_run
from jaxcnn.train.gradients import GradientCheck, LayerGradient, check_on_hardest
from tests.report.pages import Page
from tests.report.subjects import html, images, missing, trained

SUBJECT = trained(chain(flatten=Flatten(), head=Dense(2)), images(3), np.zeros(3))
LAYERS = (LayerGradient("flatten", None, 2.5, None), LayerGradient("head", 0.125, 3e-7, 4e-12))


def text(check):
    page = Page(html(dataclasses.replace(SUBJECT, gradients=check), gradient_check))
    return " ".join(" ".join(page.text).split())


def test_it_tells_every_layer_and_the_verdict():
    told = text(GradientCheck(LAYERS, 2, 8))
    assert "The handwritten gradients agree with jax.grad : over 2 arrays, in float64, on the 8 test images" in told
    assert "the largest relative difference is 4.0e-12; 1e-10 is allowed" in told
    assert "flatten 2.50e+00 head 1.25e-01 3.00e-07 4.00e-12" in told


def test_a_wrong_gradient_is_said_to_be_wrong():
    wrong = dataclasses.replace(LAYERS[1], difference=0.5)
    assert "The handwritten gradients do not agree with jax.grad" in text(GradientCheck((wrong,), 2, 8))


def test_it_may_not_have_been_made():
    assert "were not compared" in missing(gradient_check, SUBJECT)


def test_a_run_on_disk_is_checked_unless_it_is_large(trained, monkeypatch):
    """On the images that it finds hardest, as at the end of training."""
    found = of_run(trained.run).gradients
    expected = check_on_hardest(trained.experiment, trained.state, trained.evaluation)
    assert found.agrees and (found.images, found.arrays) == (8, expected.arrays)
    for layer, other in zip(found.layers, expected.layers, strict=True):
        assert layer.path == other.path and layer.delta == pytest.approx(other.delta, rel=1e-5)
    monkeypatch.setattr("jaxcnn.train.gradients.LARGE", 1000)
    assert of_run(trained.run).gradients is None
