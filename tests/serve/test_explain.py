"""/explain and /features show what `jaxcnn.explain` and `layers.intermediates` find."""

import base64
from io import BytesIO

import jax
import numpy as np
import pytest
from PIL import Image

from jaxcnn import explain
from jaxcnn.layers import intermediates
from jaxcnn.report.explained import METHODS, heat_maps
from tests.serve.conftest import photo, post, told

PICTURE = photo(1, 20, 13)


def loaded(answer):
    """The array of an answer in NumPy's format."""
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/x-npy"
    return np.load(BytesIO(answer.content), allow_pickle=False)


def as_png(content):
    return np.asarray(Image.open(BytesIO(content)))


@pytest.mark.parametrize("method", METHODS)
def test_a_map_is_the_methods_for_the_most_probable_class(client, model, method):
    pixels = model.pixels(BytesIO(PICTURE))
    expected = heat_maps(model, pixels[None], method)[0]
    said = post(client, "/explain", PICTURE, method=method).json()
    np.testing.assert_allclose(said["heat"], expected, atol=2e-5)
    best = np.asarray(model.probabilities([pixels]))[0].argmax()
    assert (said["method"], said["class"], said["layer"]) == (method, model.classes[best], None)
    drawn = as_png(base64.b64decode(said["overlay"])).astype(int)
    assert abs(drawn - explain.overlay(pixels, expected)).max() <= 1  # of 255, by rounding


def test_a_class_and_a_layer_can_be_chosen(client, model):
    pixels = model.pixels(BytesIO(PICTURE))
    maps = {}
    for name, layer in [("0", "conv"), ("7", "conv"), ("7", "bn")]:
        expected = heat_maps(model, pixels[None], "gradcam", classes=int(name), layer=layer)[0]
        options = {"class": name, "layer": layer}
        maps[name, layer] = loaded(post(client, "/explain", PICTURE, output="npy", **options))
        np.testing.assert_allclose(maps[name, layer], expected, atol=2e-5)
    assert abs(maps["0", "conv"] - maps["7", "conv"]).max() > 0.01


def test_an_overlay_is_a_picture(client):
    answer = post(client, "/explain", PICTURE, output="overlay")
    assert answer.headers["content-type"] == "image/png" and as_png(answer.content).shape == (8, 8, 3)


@pytest.mark.parametrize("layer", ["conv", "relu", "head"])
def test_features_are_the_layers_outputs(client, model, layer):
    x = model.preprocess(BytesIO(PICTURE))
    expected = np.asarray(
        jax.jit(lambda x: intermediates(model.network, model.params, model.state, x, [layer]))(x)[layer]
    )[0]
    np.testing.assert_allclose(
        loaded(post(client, "/features", PICTURE, layer=layer, output="npy")), expected, atol=1e-5
    )
    said = post(client, "/features", PICTURE, layer=layer).json()
    assert said["shape"] == list(expected.shape)
    channels = expected[None, :, None] if expected.ndim == 1 else expected
    assert [each["channel"] for each in said["maps"]] == list(range(channels.shape[-1]))
    for each, values in zip(said["maps"], np.moveaxis(channels, -1, 0), strict=True):
        np.testing.assert_allclose([each["least"], each["most"]], [values.min(), values.max()], atol=1e-5)
        drawn = as_png(base64.b64decode(each["png"])).astype(int)
        if values.max() > values.min():
            scaled = 255 * (values - values.min()) / (values.max() - values.min())
            assert drawn.shape == values.shape and abs(drawn - scaled).max() <= 1
        else:
            assert not drawn.any()


def test_so_many_channels_as_are_asked_for(client):
    assert len(post(client, "/features", PICTURE, layer="conv", channels=2).json()["maps"]) == 2


@pytest.mark.parametrize(
    ("path", "parameters", "message"),
    [
        ("/explain", {"method": "gradcan"}, "method is 'gradcan'. Did you mean 'gradcam'?"),
        ("/explain", {"layer": "conf"}, "layer is 'conf', which is no layer of the network. Did you mean 'conv'?"),
        ("/explain", {"layer": "head"}, "layer is 'head', whose output has shape (1, 10); expected one with places"),
        ("/explain", {"layer": "conv", "method": "saliency"}, "layer is 'conv', and saliency has none"),
        ("/explain", {"class": "ten"}, "class is 'ten', which the network does not know; it knows 0, 1, 2,"),
        ("/explain", {"output": "svg"}, "output is 'svg': "),
        ("/features", {}, "layer: Field required"),
        ("/features", {"layer": "con"}, "layer is 'con', which is no layer of the network. Did you mean 'conv'?"),
        ("/features", {"layer": "conv", "channels": 0}, "channels is '0': "),
    ],
)
def test_what_can_not_be_shown_is_told(client, path, parameters, message):
    assert message in told(post(client, path, PICTURE, **parameters), 422)


def test_one_picture_at_a_time(client):
    files = [("a", ("a.png", PICTURE)), ("a", ("b.png", PICTURE))]
    assert "has 2 pictures; expected one" in told(client.post("/explain", files=files), 400)
