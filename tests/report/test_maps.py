"""Feature maps computed by hand, and Grad-CAM, read off their pictures."""

from dataclasses import dataclass

import numpy as np
import pytest

from jaxcnn import explain
from jaxcnn.layers import (
    Activation,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    chain,
    residual,
)
from jaxcnn.layers.base import Function
from jaxcnn.report import explained
from jaxcnn.report.page import activity
from jaxcnn.report.page import maps as module
from jaxcnn.report.page.maps import maps
from tests.report.subjects import content, decoded, html, images, missing, normalised, trained

KERNEL = np.array([1.0, -1.0, 0.5], np.float32)
NETWORK = chain(
    conv=Conv(3, 1), relu=Activation("relu"), drop=Dropout(0.5), pool=MaxPool(2), mean=GlobalAvgPool(), head=Dense(3)
)


@pytest.fixture
def subject():
    pixels = images(12, 6, 4)
    params = {
        "conv": {"kernel": KERNEL.reshape(1, 1, 1, 3), "bias": np.array([0.1, 0.2, 0.3], np.float32)},
        "head": {"kernel": np.eye(3, dtype=np.float32), "bias": np.zeros(3, np.float32)},
    }
    return trained(NETWORK, pixels, np.arange(12) % 3, params=params)


def tile(drawn, place, height, width):
    """A map as it stands on the sheet of its layer, enlarged to 16 pixels or a little less."""
    times = 16 // max(height, width)
    down, right = divmod(place, drawn.columns)
    top, left = down * (height * times + 1), right * (width * times + 1)
    large = decoded(drawn.uri)[top : top + height * times, left : left + width * times, 0]
    small = large[::times, ::times]
    np.testing.assert_array_equal(large, np.kron(small, np.ones((times, times), np.uint8)))
    return small


def test_maps_are_what_the_layers_compute(subject):
    shown = content(maps, subject)
    assert [layer.path for layer in shown.pictures[0].layers] == ["conv", "relu", "pool", "mean", "head"]
    for picture in shown.pictures:
        x = normalised(subject.tested.images[picture.image])
        conv = x * KERNEL + [0.1, 0.2, 0.3]
        relu = np.maximum(conv, 0)
        pool = relu.reshape(3, 2, 2, 2, 3).max((1, 3))
        mean = pool.mean((0, 1))
        for layer, expected in zip(picture.layers, (conv, relu, pool, mean, mean), strict=True):
            assert layer.shape == expected.shape
            assert (layer.low, layer.high) == pytest.approx((expected.min(), expected.max()), abs=1e-6)
            shades = 255 * (expected - expected.min()) / (expected.max() - expected.min())
            if expected.ndim == 1:
                np.testing.assert_allclose(decoded(layer.uri)[0, :: module.UNIT + 1, 0], shades, atol=1)
                continue
            for place, channel in enumerate(layer.channels):
                found = tile(layer, place, *expected.shape[:2])
                np.testing.assert_allclose(found, shades[..., channel], atol=1)


def test_the_most_active_channels_are_shown(subject, monkeypatch):
    monkeypatch.setattr(activity, "CHANNELS", 2)
    x = normalised(subject.tested.images[subject.tested.some()])
    power = np.square(x * KERNEL + [0.1, 0.2, 0.3]).mean((0, 1, 2))
    shown = content(maps, subject)
    assert shown.pictures[0].layers[0].channels == tuple(np.argsort(-power)[:2])
    assert shown.pictures[0].layers[0].shape == (6, 4, 3)


def test_pictures_are_right_and_wrong_ones_of_several_classes(subject):
    shown, tested = content(maps, subject), subject.tested
    assert len({picture.image for picture in shown.pictures}) == len(shown.pictures) == 8
    assert {picture.right for picture in shown.pictures} == {True, False}
    assert len({picture.true for picture in shown.pictures}) == 3
    for picture in shown.pictures:
        p = tested.probabilities[picture.image]
        assert picture.true == f"class {tested.labels[picture.image]}" and picture.said == f"class {p.argmax()}"
        assert [name for name, _ in picture.top] == [f"class {k}" for k in np.argsort(-p)]
        for uri in (picture.uri, picture.thumb):
            np.testing.assert_array_equal(decoded(uri), tested.images[picture.image])


def test_grad_cam_is_of_what_was_said_and_of_the_truth(subject):
    shown = content(maps, subject)
    assert shown.layer == "drop"  # the last one before the pooling
    for picture in shown.pictures:
        names = [picture.said] if picture.right else [picture.said, picture.true]
        assert [heat.name for heat in picture.heats] == names
        pixels = subject.tested.images[[picture.image]]
        for heat in picture.heats:
            expected = explained.heat_maps(subject.model, pixels, "gradcam", classes=int(heat.name.split()[1]))
            over = explain.overlay(pixels[0], expected[0])
            np.testing.assert_allclose(decoded(heat.uri).astype(int), over, atol=2)


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (8, ["a", "b", "c/d", "c/e", "flat/act", "head"]),  # blocks as one
        (5, ["a", "b", "c", "flat", "head"]),  # and chains
        (4, ["a", "b", "flat", "head"]),  # and of these some
    ],
)
def test_a_large_network_is_shown_by_its_blocks(monkeypatch, most, expected):
    monkeypatch.setattr(activity, "LAYERS", most)
    block = residual(chain(conv=Conv(2), relu=Activation("relu")))
    network = chain(
        a=block,
        b=block,
        c=chain(d=block, e=block),
        flat=chain(flatten=Flatten(), act=Activation("tanh")),
        head=Dense(2),
    )
    shown = content(maps, trained(network, images(3, channels=2), np.zeros(3)))
    assert [layer.path for layer in shown.pictures[0].layers] == expected
    assert shown.pictures[0].layers[0].kind == "residual"


def test_units_fill_rows_of_one_length(subject, monkeypatch):
    """And what is left of the last row is no black unit."""
    monkeypatch.setattr(module, "IN_A_ROW", 2)
    drawn = content(maps, subject).pictures[0].layers[-1]
    assert drawn.columns == 2 and decoded(drawn.uri).shape == (2 * 6 + 1, 2 * 6 + 1, 4)
    opacity = decoded(drawn.uri)[:: module.UNIT + 1, :: module.UNIT + 1, 3]
    np.testing.assert_array_equal(opacity, [[255, 255], [255, 0]])


def test_large_maps_are_made_smaller(subject, monkeypatch):
    monkeypatch.setattr(module, "VALUES", 0)
    monkeypatch.setattr(module, "SIDES", (4, 2))
    drawn = content(maps, subject).pictures[0].layers[0]
    x = normalised(subject.tested.images[subject.tested.some()[0]])
    conv = x * KERNEL + [0.1, 0.2, 0.3]
    assert decoded(drawn.uri).shape == (16, 3 * 8 + 2, 4)  # three maps of 2 × 1, enlarged, and the gaps between
    shades = 255 * (conv - conv.min()) / np.ptp(conv)
    means = shades.reshape(2, 3, 4, 3).mean((1, 2))
    np.testing.assert_allclose(tile(drawn, 0, 2, 1)[:, 0], means[:, drawn.channels[0]], atol=2)


@dataclass(frozen=True)
class Tokens(Function):
    """Places in a row: (n, h, w, c) to (n, h w, c), which is no image any more."""

    def forward(self, params, x):
        return x.reshape(len(x), -1, x.shape[-1])


def test_what_is_neither_an_image_nor_a_row_of_units_is_left_out():
    network = chain(conv=Conv(2), tokens=Tokens(), relu=Activation("relu"), mean=GlobalAvgPool())
    shown = content(maps, trained(network, images(3), np.zeros(3)))
    assert [layer.path for layer in shown.pictures[0].layers] == ["conv", "mean"] and shown.layer == "conv"


def test_without_places_there_is_no_grad_cam():
    network = chain(flatten=Flatten(), dense=Dense(4), tanh=Activation("tanh"), head=Dense(2))
    shown = content(maps, trained(network, images(1), [0]))
    assert shown.layer is None and not shown.pictures[0].heats
    assert [layer.path for layer in shown.pictures[0].layers] == ["dense", "tanh", "head"]
    assert "the network has none" in html(trained(network, images(1), [0]), maps)


def test_a_network_of_one_layer_has_nothing_within():
    subject = trained(GlobalAvgPool(), images(3, channels=2), np.zeros(3))
    assert missing(maps, subject).startswith("The network is a single layer")
