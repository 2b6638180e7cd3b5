"""The pictures of the first layer's filters, read back."""

import numpy as np
import pytest

from jaxcnn.layers import (
    Activation,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Flatten,
    GlobalAvgPool,
    SpectralNorm,
    chain,
    concat,
)
from jaxcnn.report.page import filters as module
from jaxcnn.report.page.filters import filters
from tests.report.subjects import content, decoded, html, images, missing, trained


def subject(*layers, channels=1, n=2, **params):
    network = chain(*layers, mean=GlobalAvgPool(), head=Dense(2)) if layers[-1] != Flatten() else chain(*layers)
    return trained(network, images(n, channels=channels), np.zeros(n), **params)


def tiles(shown):
    """The filters as they stand on the sheet (n, h, w, c), without opacity; what is beside them is transparent."""
    sheet = decoded(shown.uri)
    assert sheet.shape[:2] == (shown.sheet_height, shown.sheet_width)
    width = shown.width * (1 if shown.channels == 3 else shown.channels_shown)
    times = max(1, module.LEAST // max(shown.height, width))  # small ones are enlarged
    height, width = shown.height * times, width * times
    found, seen = [], np.zeros(sheet.shape[:2], bool)
    for place in range(shown.shown):
        down, right = divmod(place, shown.columns)
        top, left = down * (height + 1), right * (width + 1)
        found.append(sheet[top : top + height : times, left : left + width : times, :3])
        seen[top : top + height, left : left + width] = True
    np.testing.assert_array_equal(sheet[..., 3], np.where(seen, 255, 0))
    return np.stack(found)


def shades(kernel):
    """Filters (n, h, w, c) from minus to plus their largest weight, in bytes."""
    largest = np.abs(kernel).max((1, 2, 3), keepdims=True)
    return np.round(255 * (kernel / largest + 1) / 2)


@pytest.mark.parametrize("channels", [1, 2, 3, 6])
def test_each_filter_has_its_own_scale(channels):
    given = subject(BatchNorm(), Conv(7, (3, 4)), channels=channels)
    kernel = np.moveaxis(np.asarray(given.model.params["Conv_0"]["kernel"]), -1, 0)
    shown = content(filters, given)
    assert (shown.path, shown.kind, shown.count, shown.shown) == ("Conv_0", "convolution", 7, 7)
    assert (shown.height, shown.width, shown.channels) == (3, 4, channels)
    expected = shades(kernel)
    if channels != 3:
        expected = np.concatenate([expected[..., c : c + 1] for c in range(min(4, channels))], axis=2).repeat(3, -1)
    np.testing.assert_allclose(tiles(shown), expected, atol=1)


def test_a_filter_of_zeros_is_grey():
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    given = subject(Conv(2))
    given.model.params["Conv_0"]["kernel"] = kernel
    assert np.unique(tiles(content(filters, given))) == 128


def test_of_many_the_first_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 5)
    shown = content(filters, subject(Conv(8)))
    assert (shown.count, shown.shown, len(tiles(shown))) == (8, 5, 5)
    assert "of which the first 5 are drawn" in html(subject(Conv(8)), filters)


def test_a_dense_layer_on_pixels_has_rows_like_images():
    given = trained(chain(flatten=Flatten(), head=Dense(4)), images(2, channels=3), np.zeros(2))
    shown = content(filters, given)
    kernel = np.asarray(given.model.params["head"]["kernel"]).reshape(6, 5, 3, 4)
    np.testing.assert_allclose(tiles(shown), shades(np.moveaxis(kernel, -1, 0)), atol=1)
    assert shown.kind == "dense"


def test_what_is_wrapped_and_what_is_depthwise_is_drawn():
    assert content(filters, subject(SpectralNorm(Conv(3)))).count == 3
    assert content(filters, subject(DepthwiseConv(multiplier=2), channels=2)).count == 4


@pytest.mark.parametrize(
    ("network", "why"),
    [
        (chain(up=ConvTranspose(2), mean=GlobalAvgPool(), head=Dense(2)), "up, is a ConvTranspose with one of shape"),
        (
            chain(mean=GlobalAvgPool(), head=Dense(2)),
            "head, is a Dense with one of shape (1, 2)",
        ),
        (chain(twice=concat(x=chain(), y=chain()), deep=Conv(2), mean=GlobalAvgPool()), "deep, is a Conv with one"),
        (chain(relu=Activation("relu"), mean=GlobalAvgPool()), "No layer of the network has a kernel."),
    ],
)
def test_other_first_layers_have_no_picture(network, why):
    assert why in missing(filters, trained(network, images(2), np.zeros(2)))
