"""Networks of ours as ONNX files, read again."""

import jax
import numpy as np
import pytest

import jaxcnn
from jaxcnn.models import create
from jaxcnn.models.resnet import resnet_cifar
from jaxcnn.models.segmentation import unet

pytest.importorskip("onnx")
write = pytest.importorskip("jaxcnn.interop.onnx.write")


NETWORKS = {
    "lenet5": (create("lenet5"), (28, 28, 1)),
    "resnet8": (resnet_cifar(8, width=4), (16, 16, 3)),
    "unet": (unet(3, width=4, depth=2), (16, 16, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_logits(name, tmp_path):
    network, image_shape = NETWORKS[name]
    rng, x = np.random.default_rng(0), jax.ShapeDtypeStruct((1, *image_shape), np.float32)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), x))
    params, state = jax.tree.map(lambda a: rng.uniform(0.05, 0.5, a.shape).astype(np.float32), shapes)
    file = tmp_path / "net.onnx"
    file.write_bytes(write.dump(network, params, state, image_shape, metadata={"classes": '["a", "b"]'}))
    net = jaxcnn.load_onnx(file)
    assert net.image_shape == image_shape and net.metadata["classes"] == '["a", "b"]'
    assert "head" in net.params
    x = np.random.default_rng(1).random((2, *image_shape), np.float32)
    expected = np.asarray(jax.jit(network)(params, state, x))
    found = np.asarray(jax.jit(net.network)(net.params, net.state, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
