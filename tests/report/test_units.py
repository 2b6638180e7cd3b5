"""Dead and saturated units, planted."""

import numpy as np
import pytest

from jaxcnn.layers import Activation, Conv, Dense, Flatten, GlobalAvgPool, PReLU, chain
from jaxcnn.report.page import activity
from jaxcnn.report.page.units import units
from tests.report.subjects import content, html, images, missing, trained


def net(kind, n=20, bias=(), weights=1.0):
    """Four 1×1 filters on grey images, x from -2 to 2: what comes out of each is weights · x + bias."""
    network = chain(conv=Conv(4, 1), act=kind, mean=GlobalAvgPool(), head=Dense(2))
    params = {
        "conv": {"kernel": np.full((1, 1, 1, 4), weights, np.float32), "bias": np.array(bias, np.float32)},
        "head": {"kernel": np.ones((4, 2), np.float32), "bias": np.zeros(2, np.float32)},
    }
    if isinstance(kind, PReLU):
        params["act"] = {"slope": np.zeros(4, np.float32)}
    return trained(network, images(n), np.arange(n) % 2, params=params)


@pytest.mark.parametrize("kind", [Activation("relu"), PReLU()])
def test_a_unit_that_is_0_everywhere_is_dead(kind):
    shown = content(units, net(kind, bias=[0.0, -3.0, 1.0, -2.5]))
    (layer,) = shown.layers
    assert (layer.path, layer.units, layer.zero, layer.dead, layer.share) == ("act", 4, (1, 3), (1, 3), 0.5)
    assert (shown.units, shown.dead, shown.images, layer.saturated) == (4, 2, 20, None)


def test_one_that_always_has_another_value_is_dead_too():
    (layer,) = content(units, net(Activation("relu6"), bias=[0.0, 9.0, 1.0, -9.0])).layers
    assert (layer.zero, layer.constant, layer.dead) == ((3,), (1,), (1, 3))


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "hard_sigmoid"])
def test_one_that_is_far_out_everywhere_is_saturated(name):
    shown = content(units, net(Activation(name), bias=[0.0, 8.0, -8.0, 2.0]))
    assert shown.layers[0].saturated == (1, 2) and shown.saturated == 2
    assert "saturated" in html(net(Activation(name), bias=[0.0, 8.0, -8.0, 2.0]), units)


def test_one_that_is_far_out_on_both_sides_is_saturated(monkeypatch):
    given = net(Activation("tanh"), bias=[1.0, 0.0, 0.0, 0.0], weights=1e4)
    (layer,) = content(units, given).layers
    assert layer.saturated == (0, 1, 2, 3) and layer.dead == ()


def test_all_batches_are_looked_at(monkeypatch):
    """A unit that lives on the last of the images alone is not dead."""
    monkeypatch.setattr(activity, "BATCH", 8)
    given = net(Activation("relu"), n=21, bias=[-1.9] * 4)
    given.tested.images[:] = 100
    assert content(units, given).layers[0].dead == (0, 1, 2, 3)
    again = net(Activation("relu"), n=21, bias=[-1.9] * 4)
    again.tested.images[:] = 100
    again.tested.images[20] = 255
    assert content(units, again).layers[0].dead == ()


def test_a_single_image_tells_zeros_alone():
    network = chain(flatten=Flatten(), dense=Dense(3), act=Activation("tanh"), head=Dense(2))
    (layer,) = content(units, trained(network, images(1), [0])).layers
    assert layer.constant == () and layer.dead == ()


def test_a_network_without_activations_has_none():
    network = chain(flatten=Flatten(), head=Dense(2), softmax=Activation("softmax"))
    assert missing(units, trained(network, images(3), [0, 1, 0])).startswith("The network has no activation layers")
