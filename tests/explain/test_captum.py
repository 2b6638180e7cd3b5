"""What Captum makes of PyTorch's networks with the same weights.

In float64, since rounding decides at kinks: a baseline of one colour is full of them. Captum knows ReLU as a module
alone, and takes each module once; what it explains is made so.
"""

import functools
import importlib.util

import jax
import numpy as np
import pytest

from jaxcnn import explain, models
from jaxcnn.interop.load import load
from jaxcnn.interop.tables import tables
from tests.interop import libraries

torch = pytest.importorskip("torch")
if importlib.util.find_spec("torchvision") is None:
    pytest.skip("no torchvision here", allow_module_level=True)
attr = pytest.importorskip("captum.attr")

# Of each network theirs the module whose output ours has under the path.
LAYERS = {
    "resnet18": {"relu4_2": "layer4", "block3_1/body/conv2": "layer3.0.conv2"},
    "squeezenet1_1": {"head/relu": "classifier.2", "fire5": "features.7"},
    "mobilenet_v2": {"act_last": "features.18"},
}
CLASSES = [3, 977]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


class Once(torch.nn.Module):
    """A residual block of torchvision's whose two ReLUs are two modules."""

    def __init__(self, block):
        super().__init__()
        self.block, self.last = block, torch.nn.ReLU()

    def forward(self, x):
        b = self.block
        y = b.bn2(b.conv2(b.relu(b.bn1(b.conv1(x)))))
        return self.last(y + (x if b.downsample is None else b.downsample(x)))


@functools.cache
def both(name):
    """The network with its params and state, and PyTorch's; two pictures for each."""
    theirs = libraries.network("torchvision", name).double()
    network = models.create(name)
    x = np.random.default_rng(0).standard_normal((2, 48, 48, 3))
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), jax.ShapeDtypeStruct(x.shape, x.dtype)))
    zeros = jax.tree.map(lambda a: np.broadcast_to(np.float64(0), a.shape), shapes)
    loaded = load(network, *zeros, {key: a.numpy() for key, a in theirs.state_dict().items()}, tables(name))
    for module in theirs.modules():
        if isinstance(module, torch.nn.ReLU | torch.nn.ReLU6):
            module.inplace = False
    if name == "resnet18":
        for stage in (theirs.layer1, theirs.layer2, theirs.layer3, theirs.layer4):
            for i, block in enumerate(stage):
                stage[i] = Once(block)
    return (network, loaded.params, loaded.state, x), theirs, torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()


def agree(found, expected):
    """To the digits of float32, to which Captum rounds some of its own numbers."""
    expected = expected.detach().numpy()
    expected = expected.transpose(0, 2, 3, 1) if expected.ndim == 4 else expected
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name, layers in LAYERS.items() for layer in layers])
def test_grad_cam(name, layer):
    ours, theirs, x = both(name)
    module = theirs.get_submodule(LAYERS[name][layer].replace("0.conv2", "0.block.conv2"))
    expected = attr.LayerGradCam(theirs, module).attribute(x, target=CLASSES, relu_attributions=True)
    agree(explain.grad_cam(*ours, CLASSES, layer=layer), expected[:, 0])
    if layer == next(iter(LAYERS[name])):
        np.testing.assert_array_equal(explain.grad_cam(*ours, CLASSES), explain.grad_cam(*ours, CLASSES, layer=layer))


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1"])
@pytest.mark.parametrize("method", ["saliency", "guided_backprop", "deconvnet"])
def test_gradients(method, name):
    ours, theirs, x = both(name)
    captum = {"saliency": attr.Saliency, "guided_backprop": attr.GuidedBackprop, "deconvnet": attr.Deconvolution}
    expected = captum[method](theirs).attribute(x.clone().requires_grad_(), target=CLASSES)
    agree(getattr(explain, method)(*ours, CLASSES), expected)


def test_integrated_gradients():
    ours, theirs, x = both("squeezenet1_1")
    expected, delta = attr.IntegratedGradients(theirs).attribute(
        x, baselines=0.25, target=CLASSES, n_steps=8, return_convergence_delta=True
    )
    found = explain.integrated_gradients(*ours, CLASSES, baseline=0.25, steps=8)
    agree(found.attributions, expected)
    scale = np.abs(np.asarray(found.attributions)).sum((1, 2, 3)).max()
    np.testing.assert_allclose(found.convergence_delta, delta, rtol=0, atol=1e-6 * scale)


def test_smooth_grad_is_the_mean_over_the_noise():
    ours, theirs, x = both("squeezenet1_1")
    key, samples, noise = jax.random.key(5), 3, 0.2
    found = explain.smooth_grad(*ours, CLASSES, key=key, samples=samples, noise=noise)
    spread = noise * (x.amax((1, 2, 3), keepdim=True) - x.amin((1, 2, 3), keepdim=True))
    total = 0
    for i in range(samples):
        draw = np.array(jax.random.normal(jax.random.fold_in(key, i), ours[3].shape))
        noisy = x + spread * torch.from_numpy(draw).permute(0, 3, 1, 2)
        total = total + attr.Saliency(theirs).attribute(noisy.requires_grad_(), target=CLASSES, abs=False)
    agree(found, total / samples)


def test_occlusion():
    ours, theirs, x = both("squeezenet1_1")
    expected = attr.Occlusion(theirs).attribute(
        x, sliding_window_shapes=(3, 20, 16), strides=(3, 13, 9), baselines=0.5, target=CLASSES
    )
    found = explain.occlusion(*ours, CLASSES, size=(20, 16), stride=(13, 9), baseline=0.5)
    agree(found, expected[:, 0])
