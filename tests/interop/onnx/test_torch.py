"""Networks that PyTorch exported, with random weights."""

import warnings
from importlib.util import find_spec

import jax
import numpy as np
import pytest

import jaxcnn
from tests.interop import libraries

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytestmark = pytest.mark.skipif(find_spec("torchvision") is None, reason="no torchvision here")

SIZE = 64


def exported(network, file, **options):
    """A file with an open batch, and x."""
    x = torch.randn(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (x,), file, **options)
    return x


def alike(network, file, x):
    with torch.no_grad():
        expected = network(x).numpy()
    net = jaxcnn.load_onnx(file)
    assert net.image_shape == (SIZE, SIZE, 3)
    found = np.asarray(jax.jit(net.network)(net.params, net.state, x.numpy().transpose(0, 2, 3, 1)))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    return net


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "mobilenet_v3_small", "densenet121", "convnext_tiny"])
def test_logits_are_pytorchs(name, tmp_path):
    """By its older exporter, which folds batch norms only where they are told to be in evaluation."""
    network, file = libraries.network("torchvision", name), tmp_path / "net.onnx"
    kept = {"training": torch.onnx.TrainingMode.PRESERVE}
    x = exported(network, file, dynamo=False, opset_version=17, input_names=["x"], dynamic_axes={"x": {0: "n"}}, **kept)
    net = alike(network, file, x)
    if name == "resnet18":  # it has all the arrays of our own
        own, example = jaxcnn.models.create(name), jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), np.float32)
        arrays = jax.tree.leaves(jax.eval_shape(lambda: own.init(jax.random.key(0), example)))
        found = jax.tree.leaves((net.params, net.state))
        assert sorted(a.shape for a in found) == sorted(a.shape for a in arrays)


def test_the_newer_exporter(tmp_path):
    """Which puts weights into a file beside."""
    pytest.importorskip("onnxscript")
    network, file = libraries.network("torchvision", "mobilenet_v3_small"), tmp_path / "net.onnx"
    x = exported(network, file, dynamo=True, verbose=False)
    assert (tmp_path / "net.onnx.data").is_file()
    alike(network, file, x)
