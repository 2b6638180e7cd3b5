"""With the weights of another library's network ours gives its logits, and its gradients of the loss."""

import importlib.util

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops
from jaxcnn.interop.load import load
from jaxcnn.interop.tables import tables
from tests.interop import libraries
from tests.interop.test_load import shapes

SIDE = 64
# One of each kind of layer and of each table.
PYTORCH = [
    *(("torchvision", name) for name in ("resnet18", "resnext50_32x4d", "squeezenet1_1", "mobilenet_v2")),
    *(("torchvision", name) for name in ("mobilenet_v3_small", "efficientnet_b0", "convnext_tiny", "fcn_resnet50")),
    *(("torchvision", "densenet121"), ("torchvision", "vgg11_bn")),
    *(("timm", name) for name in ("efficientnet_lite0", "tf_mobilenetv3_small_100")),
    *(("Hugging Face", name) for name in ("tf_efficientnet_b0", "tf_mobilenet_v2")),
]
KERAS = [
    *("vgg16", "keras_resnet50", "keras_densenet121", "tf_mobilenet_v2", "tf_mobilenetv3_small_100"),
    *("tf_efficientnet_b0", "convnext_tiny"),
]
SMOOTH = ("tf_efficientnet_b0", "convnext_tiny")
TRAINING = [("torchvision", "resnet18"), ("torchvision", "densenet121")]  # they drop nothing


def images(name):
    """VGG's dense layers are for one size."""
    return libraries.images(224, count=2) if name.startswith("vgg") else libraries.images(SIDE)


def labels(shape):
    return np.random.default_rng(1).integers(0, shape[-1], shape[:-1])


def close(found, expected, relative, least=0.0):
    np.testing.assert_allclose(found, expected, rtol=0, atol=relative * np.abs(expected).max() + least)


def compare(name, arrays, slopes, x, logits, *, train=False):
    """Ours with these arrays, with the logits and gradients of the other library, by its names and in float64.

    In float32 the logits alone: whether rounding puts a value on this side of relu's 0 or on that changes gradients.
    """
    network, params, state = shapes(name)
    loaded = load(network, params, state, arrays, tables(name))
    expected = load(network, params, state, slopes, tables(name)).params
    assert np.ptp(logits, axis=0).max() > 0.02 * np.abs(logits).max()  # the images make a difference
    if not train:
        close(jax.jit(network)(loaded.params, loaded.state, x.astype(np.float32)), logits, 1e-4)

    @jax.jit
    def ours(params, state, x):
        def loss(params):
            y, _ = network.apply(params, state, x, train=train, key=jax.random.key(0))
            return ops.softmax_cross_entropy(y.reshape(-1, y.shape[-1]), labels(y.shape).reshape(-1)).mean(), y

        return jax.grad(loss, has_aux=True)(params)

    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: np.asarray(a, np.float64), (loaded.params, loaded.state))
        gradients, y = ours(*wide, x.astype(np.float64))
    close(y, logits, 1e-9)
    largest = max(np.abs(a).max() for a in jax.tree.leaves(expected))
    jax.tree.map(lambda found, known: close(found, known, 1e-6, 1e-9 * largest), gradients, expected)


def pytorch(library, name, train):
    torch = pytest.importorskip("torch")
    package = {"Hugging Face": "transformers"}.get(library, library)
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"no {package} here")
    x = images(name)
    nchw = torch.from_numpy(x).permute(0, 3, 1, 2).contiguous()
    network = libraries.settle(libraries.network(library, name), nchw).train(train)
    arrays = {key: a.numpy().copy() for key, a in network.state_dict().items()}
    out = network.double()(nchw.double())
    logits = out["out"] if isinstance(out, dict) and "out" in out else getattr(out, "logits", out)
    last = logits.movedim(1, -1)
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels(last.shape))).backward()
    slopes = arrays | {key: p.grad.numpy() for key, p in network.named_parameters() if p.grad is not None}
    compare(name, arrays, slopes, x, last.detach().numpy(), train=train)


@pytest.mark.parametrize(("library", "name"), PYTORCH)
def test_logits_and_gradients_are_the_librarys(library, name):
    pytorch(library, name, train=False)


@pytest.mark.parametrize(("library", "name"), TRAINING)
def test_in_training_they_are_too(library, name):
    pytorch(library, name, train=True)


@pytest.mark.parametrize("name", KERAS)
def test_logits_and_gradients_are_those_of_keras(name):
    """In float32, as Keras's batch norm always computes; gradients of networks without kinks, see `compare`."""
    pytest.importorskip("h5py")
    pytest.importorskip("keras")
    pixels = np.round((images(name) + 1) * 127.5)
    seen = keras_preprocessed(name, pixels)
    network = libraries.settle_keras(libraries.keras_network(name, pixels.shape[1]), seen)
    arrays, table = libraries.keras_arrays(network), tables(name)["Keras"]
    mean, std = table.pixels(arrays) or (table.mean, table.std)
    x = (pixels / 255 - np.float32(mean)) / np.float32(std)
    ours, params, state = shapes(name)
    loaded = load(ours, params, state, arrays, tables(name))
    groups = [[v.value for v in group] for group in (network.trainable_variables, network.non_trainable_variables)]

    def loss(logits):
        chosen = jnp.take_along_axis(jax.nn.log_softmax(logits), jnp.asarray(labels(logits.shape))[:, None], 1)
        return -chosen.mean(), logits

    def theirs(trainable):
        return loss(network.stateless_call(trainable, groups[1], seen)[0])

    def found(params):
        return loss(ours(params, loaded.state, x))

    _, logits = jax.jit(theirs)(groups[0])
    assert np.ptp(logits, axis=0).max() > 0.02 * np.abs(logits).max()  # the images make a difference
    close(jax.jit(found)(loaded.params)[1], logits, 1e-4)
    if name not in SMOOTH:
        return
    slopes, _ = jax.jit(jax.grad(theirs, has_aux=True))(groups[0])
    gradients, _ = jax.jit(jax.grad(found, has_aux=True))(loaded.params)
    for variable, value in zip(network.trainable_variables, slopes, strict=True):
        variable.assign(value)
    expected = load(ours, params, state, libraries.keras_arrays(network), tables(name)).params
    largest = max(np.abs(a).max() for a in jax.tree.leaves(expected))
    jax.tree.map(lambda found, known: close(found, known, 1e-4, 1e-6 * largest), gradients, expected)


def keras_preprocessed(name, pixels):
    """As keras.applications does it; the newer networks do it themselves."""
    from keras.applications import densenet, mobilenet_v2, resnet, vgg16

    for kind, module in {"vgg": vgg16, "keras_r": resnet, "keras_d": densenet, "tf_mobilenet_": mobilenet_v2}.items():
        if name.startswith(kind):
            return module.preprocess_input(pixels.copy())
    return pixels
