"""Weights of another library in our networks, and back."""

import functools

import jax
import numpy as np
import pytest

from jaxcnn import models
from jaxcnn.interop.load import Mismatch, load, save
from jaxcnn.interop.tables import tables
from tests.interop import libraries

# What each network's arrays are called, and their shapes: a hash of what the libraries themselves say (torchvision
# 0.29.1, timm 1.0.31, transformers 5.24, Keras 3.15.1). `python -m tests.interop.libraries` prints it.
PUBLISHED = {
    ("torchvision", "resnet18"): "2bb53b15765c4651",
    ("torchvision", "resnet34"): "b945021fb00b779b",
    ("torchvision", "resnet50"): "cf11dad974eadeaa",
    ("torchvision", "resnet101"): "d916ed2068e1af5d",
    ("torchvision", "resnet152"): "2fe195791c8ffb5f",
    ("torchvision", "wide_resnet50_2"): "5b22ca8fa50e0423",
    ("torchvision", "resnext50_32x4d"): "f6c1ee50d9878439",
    ("torchvision", "vgg11"): "b11acd4f90d9643f",
    ("torchvision", "vgg13"): "79ca8fd7a1480aa7",
    ("torchvision", "vgg16"): "ba63c2556d912509",
    ("torchvision", "vgg19"): "393fac8b08b63fbe",
    ("torchvision", "vgg11_bn"): "eb52f2d89ad478d4",
    ("torchvision", "vgg16_bn"): "d8308b804a50efac",
    ("torchvision", "densenet121"): "222a58d1fd8d2818",
    ("torchvision", "densenet169"): "a9eb5c1c253d9342",
    ("torchvision", "densenet201"): "aaf6c59d276cc495",
    ("torchvision", "squeezenet1_1"): "3fbd2a746421cada",
    ("torchvision", "mobilenet_v2"): "d613ea65450d5318",
    ("torchvision", "mobilenet_v3_small"): "c5aae8a56256fe35",
    ("torchvision", "mobilenet_v3_large"): "2af4cb8a399e8d82",
    ("torchvision", "efficientnet_b0"): "b5ec7b4b5e4fedbb",
    ("torchvision", "efficientnet_b1"): "1f5cde5a1ed036f9",
    ("torchvision", "efficientnet_b2"): "0dbc4ac8a0f40c25",
    ("torchvision", "efficientnet_b3"): "a78a6fe55721a28c",
    ("torchvision", "efficientnet_b4"): "d5f2bdadab7f41bc",
    ("torchvision", "convnext_tiny"): "ddd0f74f783edf2b",
    ("torchvision", "convnext_small"): "6c5c4d12ec41e5f7",
    ("torchvision", "fcn_resnet50"): "589ef230b31c48a9",
    ("timm", "resnet18"): "2bb53b15765c4651",
    ("timm", "resnet50"): "cf11dad974eadeaa",
    ("timm", "vgg11_bn"): "7742e998dca092c7",
    ("timm", "densenet121"): "222a58d1fd8d2818",
    ("timm", "efficientnet_b0"): "f62a5c98a74c6670",
    ("timm", "efficientnet_b3"): "20981c52ac4dbfc0",
    ("timm", "convnext_tiny"): "b07384a3160b01d8",
    ("timm", "mobilenetv3_small_100"): "fefefaa6b0100de1",
    ("timm", "mobilenetv3_large_100"): "3dba8ad57b7701f1",
    ("timm", "tf_mobilenetv3_small_100"): "fefefaa6b0100de1",
    ("timm", "tf_mobilenetv3_large_100"): "3dba8ad57b7701f1",
    ("timm", "tf_efficientnet_b0"): "f62a5c98a74c6670",
    ("timm", "tf_efficientnet_b4"): "679b39921bba607b",
    ("timm", "mobilenet_v2"): "5a95ee06712e31e9",
    ("timm", "efficientnet_lite0"): "9e9d040635458c95",
    ("timm", "efficientnet_lite1"): "85f30215ecea7367",
    ("timm", "efficientnet_lite2"): "89a99274af6a9632",
    ("timm", "efficientnet_lite3"): "e1bd45460c6a9e30",
    ("timm", "efficientnet_lite4"): "175b131df5e0b714",
    ("Hugging Face", "resnet18"): "698c9d245bf952ed",
    ("Hugging Face", "resnet34"): "d670e60c390ce6a7",
    ("Hugging Face", "resnet50"): "12bbd21e80d77ac4",
    ("Hugging Face", "resnet101"): "e7ac0a7a2eace629",
    ("Hugging Face", "resnet152"): "8453ae82a084fd4e",
    ("Hugging Face", "convnext_tiny"): "a6c5f9ba77edd6cf",
    ("Hugging Face", "convnext_small"): "8d13af5e94366d0d",
    ("Hugging Face", "tf_mobilenet_v2"): "6bf6a57188972d9c",
    ("Hugging Face", "tf_efficientnet_b0"): "f028b784d49cfc94",
    ("Hugging Face", "tf_efficientnet_b1"): "4aa74d122bfa4a75",
    ("Hugging Face", "tf_efficientnet_b2"): "0da3984e710b567f",
    ("Hugging Face", "tf_efficientnet_b3"): "bac6fc8a0b4ddfaf",
    ("Hugging Face", "tf_efficientnet_b4"): "083e24d993256708",
    ("Keras", "vgg16"): "4cdcb84e41ee4301",
    ("Keras", "vgg19"): "439697ef70ca9e9b",
    ("Keras", "keras_resnet50"): "f27f6ed26188b24e",
    ("Keras", "keras_resnet101"): "f4508acf436b0e4b",
    ("Keras", "keras_resnet152"): "4a5a8b81f2ed91b3",
    ("Keras", "keras_densenet121"): "b8dce341e5ec380f",
    ("Keras", "keras_densenet169"): "51448cef97474525",
    ("Keras", "keras_densenet201"): "7700b25d2abde9fc",
    ("Keras", "tf_mobilenet_v2"): "d77f0e020ff1316b",
    ("Keras", "tf_mobilenetv3_small_100"): "11670645b4d98e3c",
    ("Keras", "tf_mobilenetv3_large_100"): "11ccfcfa2caa47d7",
    ("Keras", "tf_efficientnet_b0"): "f9d3e1e9490e08e4",
    ("Keras", "tf_efficientnet_b1"): "4a1d1b772d902026",
    ("Keras", "tf_efficientnet_b2"): "be2a34c9cd6c1c05",
    ("Keras", "tf_efficientnet_b3"): "a38836ac9be5fdd2",
    ("Keras", "tf_efficientnet_b4"): "9c40cb41d1552fda",
    ("Keras", "convnext_tiny"): "810fb9ab11bf43aa",
    ("Keras", "convnext_small"): "1410a18522863ee7",
}


@functools.cache
def shapes(name, classes=None):
    """The network with its params and state, as zeros that take no memory."""
    network = models.create(name, classes)
    image = models.ABOUT[name].image_shape if name in models.ABOUT else (224, 224, 3)
    tree = jax.eval_shape(lambda: network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, *image), np.float32)))
    return network, *jax.tree.map(lambda a: np.broadcast_to(np.float32(0), a.shape), tree)


def table_of(library, name):
    return next(table for known, table in tables(name).items() if library in known)


@pytest.mark.parametrize(("library", "name"), PUBLISHED)
def test_every_array_has_the_librarys_name_and_shape(library, name):
    written = save(*shapes(name), table_of(library, name))
    assert libraries.described(written) == PUBLISHED[library, name]


def random(name, classes=None):
    rng = np.random.default_rng(0)
    network, *trees = shapes(name, classes)
    return network, *jax.tree.map(lambda a: rng.random(a.shape, np.float32), trees)


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "efficientnet_b0"])
def test_what_is_written_for_a_library_is_read_again(name):
    network, params, state = random(name)
    for library, table in tables(name).items():
        loaded = load(network, *shapes(name)[1:], save(network, params, state, table), tables(name))
        assert loaded.library == library
        jax.tree.map(np.testing.assert_array_equal, (loaded.params, loaded.state), (params, state))


def mobilenet():
    network, params, state = random("mobilenet_v3_small")
    return network, params, state, save(network, params, state, table_of("torchvision", "mobilenet_v3_small"))


def test_what_does_not_fit_is_told_and_nothing_is_loaded():
    network, params, state, arrays = mobilenet()
    arrays["classifier.3.weight"] = arrays["classifier.3.weight"][:10]
    arrays["extra.weight"] = arrays.pop("features.1.block.1.fc1.weight")
    with pytest.raises(Mismatch) as error:
        load(network, params, state, arrays, tables("mobilenet_v3_small"))
    assert str(error.value) == (
        "by torchvision's names; it lacks features.1.block.1.fc1.weight (8, 16, 1, 1); it has beyond the network "
        "extra.weight (8, 16, 1, 1); what does not fit: classifier.3.weight is (10, 1024) for head/kernel (1024, 1000)"
    )


def test_a_head_for_other_classes_stays_as_it_is():
    network, params, state, arrays = mobilenet()
    fresh = params | {"head": {"kernel": np.ones((1024, 3), np.float32), "bias": np.ones(3, np.float32)}}
    zeros = jax.tree.map(np.zeros_like, fresh["hidden"])
    loaded = load(network, fresh | {"hidden": zeros}, state, arrays, tables("mobilenet_v3_small"), without="head")
    jax.tree.map(np.testing.assert_array_equal, loaded.params, fresh)


def test_counts_of_batches_older_names_and_half_precision_are_taken():
    network, params, state = random("densenet121")
    arrays = save(network, params, state, table_of("torchvision", "densenet121"))
    old = {key.replace("norm1", "norm.1").replace("conv2", "conv.2"): a.astype(np.float16) for key, a in arrays.items()}
    old = {key.replace("transition.1", "transition1"): a for key, a in old.items()}
    old["features.norm0.num_batches_tracked"] = np.int64(3)
    loaded = load(network, params, state, old, tables("densenet121"))
    assert {leaf.dtype for leaf in jax.tree.leaves(loaded.params)} == {np.dtype(np.float32)}
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3), loaded.params, params)


def test_a_network_without_a_like_is_refused():
    with pytest.raises(ValueError, match=r"model is 'lenet5'; no other library's names are known for it, only of fcn_"):
        tables("lenet5")
    with pytest.raises(KeyError, match="other"):
        tables("resnet18")["torchvision and timm"].modules(["conv", "other"])
