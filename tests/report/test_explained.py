"""A model's maps, and the pictures of them."""

import dataclasses
from contextlib import nullcontext
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

from jaxcnn import explain
from jaxcnn.layers import Activation, Conv, Dense, GlobalAvgPool, chain
from jaxcnn.report import explained
from jaxcnn.train.model import Model

NETWORK = chain(conv=Conv(4), relu=Activation("relu"), mean=GlobalAvgPool(), head=Dense(3))
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 1), np.uint8)


@pytest.fixture(scope="module")
def model():
    params, state = NETWORK.init(jax.random.key(0), jax.ShapeDtypeStruct(IMAGES.shape, np.float32))
    card = SimpleNamespace(image_shape=IMAGES.shape[1:], mean=(0.4,), std=(0.2,))
    return Model(card, NETWORK, params, state)


@pytest.mark.parametrize("method", explained.METHODS)
def test_every_method_gives_heat_of_the_pictures_size(model, method):
    heat = explained.heat_maps(model, IMAGES, method, classes=[0, 1, 2])
    assert heat.shape == IMAGES.shape[:3] and heat.dtype == np.float32
    assert heat.min() >= 0 and heat.max() == 1


def test_it_is_the_methods_map_of_normalised_pixels(model):
    x = (IMAGES / 255 - 0.4) / 0.2
    expected = explain.grad_cam(NETWORK, model.params, model.state, x.astype(np.float32), 2, layer="conv")
    found = explained.heat_maps(model, IMAGES, "gradcam", classes=2, layer="conv")
    np.testing.assert_allclose(found, explain.heat(expected, (8, 6)), atol=1e-5)
    top = np.asarray(model.logits(model.preprocess(IMAGES))).argmax(1)
    by_top = explained.heat_maps(model, IMAGES, "saliency", classes=top)
    np.testing.assert_array_equal(explained.heat_maps(model, IMAGES, "saliency"), by_top)


def test_the_noise_is_the_seeds(model):
    first, again, other = (explained.heat_maps(model, IMAGES, "smoothgrad", seed=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("method", explained.METHODS)
def test_a_method_is_checked_without_pictures(model, method):
    explained.check(model, method)
    for layer in ("conv", "none"):
        wrong = layer == "none" or method not in explained.AT_A_LAYER
        with pytest.raises(ValueError, match="layer is") if wrong else nullcontext():
            explained.check(model, method, layer=layer)


def test_what_is_wrong_is_named(model):
    with pytest.raises(ValueError, match=r"method is 'grad-cam'. Did you mean 'gradcam'\? Expected one of 'gradcam'"):
        explained.heat_maps(model, IMAGES, "grad-cam")
    with pytest.raises(ValueError, match=r"layer is 'conv', and saliency has none; gradcam and gradcam\+\+ have"):
        explained.heat_maps(model, IMAGES, "saliency", layer="conv")
    silent = dataclasses.replace(model, network=chain(**dict(NETWORK.parts) | {"relu": Activation("silu")}))
    with pytest.raises(ValueError, match="guided_backprop: the network has no relu or relu6"):
        explained.heat_maps(silent, IMAGES, "guided")
    with pytest.raises(ValueError, match="guided_backprop: the network has no relu or relu6"):
        explained.check(silent, "guided")


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_is_written_and_a_small_one_enlarged(tmp_path, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (8, 6, channels), np.uint8)
    heat = np.linspace(0, 1, 48, dtype=np.float32).reshape(8, 6)
    explained.write_overlay(tmp_path / "a.png", pixels, heat)
    written = np.asarray(Image.open(tmp_path / "a.png"))
    assert written.shape == (8 * 38, 6 * 38, 3)
    np.testing.assert_array_equal(written[::38, ::38], explain.overlay(pixels, heat))
    large = np.zeros((230, 300, channels), np.uint8)
    explained.write_overlay(tmp_path / "b.png", large, np.zeros((230, 300)))
    assert Image.open(tmp_path / "b.png").size == (300, 230)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_has_each_picture_and_beside_it_its_overlay(tmp_path, channels, monkeypatch):
    drawn = []
    monkeypatch.setattr(explained.grid, "save", lambda *given, title: drawn.append((*given, title)))
    pictures = np.random.default_rng(1).integers(0, 256, (21, 8, 6, channels), np.uint8)
    heats = np.random.default_rng(2).random((21, 8, 6), np.float32)
    explained.write_grid(tmp_path / "g.png", pictures, heats, [f"p{i}" for i in range(21)], title="all")
    ((images, words, path, title),) = drawn
    assert images.shape == (40, 8, 6, 3) and path == tmp_path / "g.png" and title == "all"
    for i in (0, 19):
        np.testing.assert_array_equal(images[2 * i], np.broadcast_to(pictures[i], (8, 6, 3)))
        np.testing.assert_array_equal(images[2 * i + 1], explain.overlay(pictures[i], heats[i]))
    assert [text for text, _ in words][:40] == [text for i in range(20) for text in (f"p{i}", "")]
    monkeypatch.undo()
    explained.write_grid(tmp_path / "g.png", pictures[:3], heats[:3], ["a", "b", "c"], title="three")
    assert np.asarray(Image.open(tmp_path / "g.png").convert("L"), float).std() > 20
