"""`jaxcnn export`: a trained network as a file that others read."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from jaxcnn import load_model, load_pretrained, models
from jaxcnn.cli import export
from jaxcnn.interop import safetensors
from jaxcnn.train import model_folder
from tests.models.weights import random_weights

SAID = {"crop": 1.0, "resample": "bilinear", "activation": "softmax", "temperature": 1.0, "image_shape": [8, 8, 1]}


@pytest.fixture
def run_folder(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(trained.run.path, tmp_path / "run")


def check_said(said, model, layout):
    assert said["layout"] == layout and said["network"] == "tiny"
    assert said | SAID == said
    assert tuple(said["classes"]) == model.classes
    assert (tuple(said["mean"]), tuple(said["std"])) == (model.card.mean, model.card.std)


def test_safetensors_hold_the_weights_and_say_what_pictures_become(jaxcnn, run_folder):
    code, out, err = jaxcnn("export", run_folder, "--to", "safetensors")
    assert (code, out, err) == (0, "run.safetensors: 0.0 MB\n", "")
    model = load_model(run_folder)
    arrays = load_file("run.safetensors")
    assert arrays.keys() == safetensors.by_path({"params": model.params, "state": model.state}).keys()
    np.testing.assert_array_equal(arrays["params/head/kernel"], model.params["head"]["kernel"])
    with safe_open("run.safetensors", "np") as file:
        check_said({name: json.loads(value) for name, value in file.metadata().items()}, model, "NHWC")


def test_of_a_networks_checkpoints_the_best_or_the_last(jaxcnn, run_folder):
    for checkpoint in ("best", "last"):
        assert jaxcnn("export", run_folder, "--to", "safetensors", "--checkpoint", checkpoint, "--overwrite")[0] == 0
        kernel = load_model(run_folder, checkpoint).params["head"]["kernel"]
        np.testing.assert_array_equal(load_file("run.safetensors")["params/head/kernel"], kernel)


ALONE = """
import json, sys
sys.modules["jaxcnn"] = None  # an import would fail
import jax, numpy as np
said = json.load(open(sys.argv[2]))
network = jax.export.deserialize(bytearray(open(sys.argv[1], "rb").read()))
assert network.platforms == ("cpu", "cuda", "tpu")
pixels = np.load("pixels.npy")
x = (pixels / np.float32(255) - np.float32(said["mean"])) / np.float32(said["std"])
np.save("logits.npy", np.concatenate([network.call(x[:1]), network.call(x[1:])]))
print(json.dumps(said))
"""


@pytest.mark.parametrize("options", [(), ("--fold",), ("--int8",)], ids=str)
def test_stablehlo_runs_in_a_process_without_jaxcnn(jaxcnn, run_folder, trained, options):
    code, out, _ = jaxcnn("export", run_folder, "--to", "stablehlo", "--out", "net.stablehlo", *options)
    assert code == 0 and out.endswith('takes "images" float32 (n, 8, 8, 1)\n')
    pixels = trained.experiment.dataset.test_images[:4]
    np.save("pixels.npy", pixels)
    command = [sys.executable, "-c", ALONE, "net.stablehlo", "net.stablehlo.json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    model = load_model(run_folder)
    check_said(said, model, "NHWC")
    expected = model.logits(model.preprocess(pixels))
    close = 0.02 if options == ("--int8",) else 1e-5
    difference = np.abs(np.load("logits.npy") - expected).max() / np.abs(expected).max()
    assert difference < close and (difference > 1e-5) == (options == ("--int8",))


def test_onnx_runs_without_jax(jaxcnn, run_folder, trained):
    onnxruntime = pytest.importorskip("onnxruntime")
    for options in ((), ("--fold",), ("--fold", "--int8")):
        code, out, err = jaxcnn("export", run_folder, "--to", "onnx", "--overwrite", *options)
        assert (code, err) == (0, "") and out.endswith('takes "images" float32 (n, 1, 8, 8)\n')
        session = onnxruntime.InferenceSession("run.onnx")
        model = load_model(run_folder)
        said = session.get_modelmeta().custom_metadata_map
        check_said({name: json.loads(value) for name, value in said.items()}, model, "NCHW")
        x = model.preprocess(trained.experiment.dataset.test_images[:4])
        logits = session.run(None, {"images": np.moveaxis(np.asarray(x), -1, 1)})[0]
        expected = model.logits(x)
        close = 0.02 if "--int8" in options else 1e-5
        np.testing.assert_allclose(logits, expected, rtol=0, atol=close * np.abs(expected).max())
        assert (b"BatchNormalization" in Path("run.onnx").read_bytes()) == (not options)


def facts_of(card):
    """What `model_folder.write` takes; the rest it finds out."""
    facts = dataclasses.asdict(card)
    for name in ("source", "pixels_divided_by", "jaxcnn", "jax", "files"):
        del facts[name]
    return facts


@pytest.fixture
def mobilenet(trained, tmp_path):
    """A model folder of the zoo's network, random."""
    params, state = random_weights(models.create("mobilenet_v3_small"), (224, 224, 3))
    facts = facts_of(load_model(trained.run.path).card) | {
        "network": "mobilenet_v3_small",
        "options": {"classes": 1000},
        "classes": tuple(map(str, range(1000))),
        "image_shape": (224, 224, 3),
        "crop": 0.875,
        "resample": "bicubic",
        "mean": (0.4, 0.5, 0.6),
        "std": (0.2, 0.2, 0.2),
        "temperature": 1.5,
    }
    model_folder.write(tmp_path / "mobilenet", {"params": params, "state": state}, None, **facts)
    return tmp_path / "mobilenet", params, state


def test_weights_by_another_librarys_names(jaxcnn, mobilenet, tmp_path):
    folder, params, state = mobilenet
    file = tmp_path / "net.safetensors"
    code, _, err = jaxcnn("export", folder, "--to", "safetensors", "--layout", "TorchVision", "--out", file)
    assert (code, err) == (0, "")
    loaded = load_pretrained("mobilenet_v3_small", file)
    assert loaded.library == "torchvision"
    jax.tree.map(np.testing.assert_array_equal, (loaded.params, loaded.state), (params, state))
    with safe_open(file, "np") as opened:
        said = opened.metadata()
    assert said["format"] == "pt" and json.loads(said["crop"]) == 0.875 and json.loads(said["temperature"]) == 1.5


@pytest.mark.parametrize("layout", ["jaxcnn", "torchvision"])
def test_what_it_says_is_what_import_takes(jaxcnn, mobilenet, tmp_path, layout):
    folder, params, state = mobilenet
    facts = {"classes": tuple(f"bird {n}" for n in range(1000)), "loss": "sigmoid", "image_shape": (64, 64, 3)}
    model = load_model(folder)
    model_folder.write(tmp_path / "birds", {"params": params, "state": state}, None, **facts_of(model.card) | facts)
    file, out = tmp_path / "net.safetensors", tmp_path / "again"
    assert jaxcnn("export", tmp_path / "birds", "--to", "safetensors", "--layout", layout, "--out", file)[0] == 0
    assert jaxcnn("import", "mobilenet_v3_small", file, "--out", out)[::2] == (0, "")
    before, after = load_model(tmp_path / "birds"), load_model(out)
    jax.tree.map(np.testing.assert_array_equal, (after.params, after.state), (params, state))
    for name in ("classes", "image_shape", "crop", "resample", "mean", "std", "loss", "temperature"):
        assert getattr(after.card, name) == getattr(before.card, name)
    assert after.card.imported["library"] == layout
    with pytest.raises(
        ValueError, match=r"net\.safetensors holds the weights of mobilenet_v3_small, not of resnet18\."
    ):
        load_pretrained("resnet18", file)
    new = load_pretrained("mobilenet_v3_small", file, classes=3)
    assert (new.classes, new.loss, new.temperature, new.mean) == (None, "softmax", 1.0, (0.4, 0.5, 0.6))
    assert load_pretrained("mobilenet_v3_small", file, classes=0).params.keys() == params.keys() - {"head"}


def test_a_network_that_no_library_has_is_imported_by_our_names(jaxcnn, run_folder):
    assert jaxcnn("export", run_folder, "--to", "safetensors", "--out", "net.safetensors")[0] == 0
    assert jaxcnn("import", "tiny", "net.safetensors", "--out", "again")[::2] == (0, "")
    before, after = load_model(run_folder), load_model("again")
    jax.tree.map(np.testing.assert_array_equal, (after.params, after.state), (before.params, before.state))
    assert (after.classes, after.card.mean, after.card.std) == (before.classes, before.card.mean, before.card.std)
    shutil.copy(run_folder / "model" / "best" / "weights.safetensors", "weights.safetensors")
    code, _, err = jaxcnn("import", "tiny", "weights.safetensors", "--out", "third")
    assert code == 2 and "not how pictures become what they take: it is a model folder's. Take the folder" in err


def test_what_is_wrong_is_named(jaxcnn, mobilenet, run_folder, tmp_path, monkeypatch):
    folder, *_ = mobilenet

    def error(*arguments):
        code, out, err = jaxcnn("export", *arguments)
        assert (code, out) == (2, "")
        return err

    assert "invalid choice 'tflite'" in error(run_folder, "--to", "tflite")
    assert "--to" in error(run_folder)
    (tmp_path / "run.onnx").write_text("mine")
    assert error(run_folder, "--to", "onnx") == (
        "error: run.onnx exists; choose another --out, or write over it with --overwrite.\n"
    )
    assert (tmp_path / "run.onnx").read_text() == "mine"
    (tmp_path / "run.stablehlo.json").write_text("mine")
    assert error(run_folder, "--to", "stablehlo").startswith("error: run.stablehlo.json exists;")
    assert not (tmp_path / "run.stablehlo").exists()
    assert error(run_folder, "--to", "safetensors", "--int8").startswith("error: --int8 is for --to onnx and stablehlo")
    assert error(run_folder, "--to", "onnx", "--layout", "timm").startswith("error: --layout is 'timm', which is for")
    assert "no other library's names are known for it" in error(
        run_folder, "--to", "safetensors", "--layout", "torchvision"
    )
    assert error(folder, "--to", "safetensors", "--layout", "timm") == (
        "error: 'timm' has no names for mobilenet_v3_small; known are those of torchvision.\n"
    )
    assert "is not a run folder" in error(tmp_path, "--to", "onnx")
    missing = tmp_path / "missing" / "net.safetensors"
    assert error(run_folder, "--to", "safetensors", "--out", missing) == (
        f"error: {missing} can't be written (No such file or directory); choose another --out.\n"
    )
    below = tmp_path / "run.onnx" / "net.safetensors"
    assert error(run_folder, "--to", "safetensors", "--out", below) == (
        f"error: {below} can't be written (Not a directory); choose another --out.\n"
    )
    monkeypatch.setitem(sys.modules, "onnx", None)  # as if it were not installed
    assert error(run_folder, "--to", "onnx", "--overwrite") == (
        'error: an ONNX file needs the package onnx; install it with: pip install "jaxcnn[onnx]".\n'
    )


def test_a_link_stays_one_and_what_is_no_file_is_refused(jaxcnn, run_folder, tmp_path):
    command = ("export", run_folder, "--to", "safetensors", "--overwrite", "--out")
    (tmp_path / "far").mkdir()
    for name in ("there", "not_yet"):
        link, target = tmp_path / name, tmp_path / "far" / name
        link.symlink_to(target)
        if name == "there":
            target.write_text("mine")
            assert jaxcnn("export", run_folder, "--to", "safetensors", "--out", link)[0] == 2
            assert target.read_text() == "mine"
        assert jaxcnn(*command, link)[0] == 0
        assert link.is_symlink() and "params/head/kernel" in load_file(target)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "to_pipe").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "to_pipe", "far"):
        out = tmp_path / name
        assert jaxcnn(*command, out) == (2, "", f"error: {out} is there and no regular file; choose another --out.\n")
    assert (tmp_path / "pipe").is_fifo() and sorted(path.name for path in (tmp_path / "far").iterdir()) == [
        "not_yet",
        "there",
    ]


def test_keras_reads_no_safetensors():
    model = SimpleNamespace(card=SimpleNamespace(network="vgg11", source=None), params={}, state={})
    with pytest.raises(ValueError, match="--layout is 'keras', and keras reads no safetensors; take a library for Py"):
        export._weights(model, "keras")
