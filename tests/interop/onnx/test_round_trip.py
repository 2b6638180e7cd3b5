"""A network that is written as an ONNX file, and read again."""

import jax
import numpy as np
import pytest

import jaxcnn
from jaxcnn.layers import BatchNorm, dequantise, fold_batch_norm, quantise
from jaxcnn.layers.walk import leaves
from tests.models.test_models import SMALL, smallest
from tests.models.weights import random_weights

pytest.importorskip("onnx")
from jaxcnn.interop.onnx.write import dump


@pytest.mark.parametrize(
    "name",
    [
        *("lenet5", "vgg11_bn", "resnext50_32x4d", "densenet121", "squeezenet1_1", "mobilenet_v3_small"),
        *("efficientnet_b0", "convnext_tiny", "unet", "fcn_resnet50"),
    ],
)
def test_logits_are_those_of_before(name, tmp_path):
    network, (shape, _) = smallest(name), SMALL[name]
    params, state = random_weights(network, shape)
    file = tmp_path / "net.onnx"
    file.write_bytes(dump(network, params, state, shape, metadata={"classes": '["cat", "dog"]'}))
    read = jaxcnn.load_onnx(file)
    assert read.image_shape == shape and read.metadata == {"classes": '["cat", "dog"]'}
    assert "head" in read.params
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    expected = np.asarray(jax.jit(network)(params, state, x))
    found = jax.jit(read.network)(read.params, read.state, x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


def test_a_folded_network_comes_back_without_batch_norms(tmp_path):
    network, (shape, _) = smallest("resnet18"), SMALL["resnet18"]
    folded, params, state = fold_batch_norm(network, *random_weights(network, shape))
    (tmp_path / "net.onnx").write_bytes(dump(folded, params, state, shape))
    read = jaxcnn.load_onnx(tmp_path / "net.onnx")
    assert not any(isinstance(layer, BatchNorm) for _, layer in leaves(read.network)) and read.state == {}
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    found, expected = jax.jit(lambda x: (read.network(read.params, {}, x), folded(params, {}, x)))(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(np.asarray(expected)).max())


def test_kernels_in_8_bits_come_back_as_floats(tmp_path):
    network, (shape, _) = smallest("mobilenet_v2"), SMALL["mobilenet_v2"]
    params, state = random_weights(network, shape)
    kept = quantise(network, params)
    (tmp_path / "net.onnx").write_bytes(dump(network, kept, state, shape))
    read = jaxcnn.load_onnx(tmp_path / "net.onnx")
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    found = jax.jit(read.network)(read.params, read.state, x)
    expected = np.asarray(jax.jit(network)(dequantise(kept), state, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
