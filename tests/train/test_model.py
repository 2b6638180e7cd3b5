"""A model folder stands alone: it is read without the data, whole or not at all, and pictures become what it takes."""

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxcnn
from jaxcnn import data, layers
from jaxcnn.interop import safetensors
from jaxcnn.train import model_folder, records
from jaxcnn.train.checkpoint import Damaged
from jaxcnn.train.keeper import save_model
from jaxcnn.train.loop import train
from jaxcnn.train.model_folder import read, write
from jaxcnn.train.restore import restore
from jaxcnn.train.run_folder import open_run
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config, tiny

NET = """
from jaxcnn.layers import Dense, Flatten, chain


def net(classes):
    return chain(flatten=Flatten(), head=Dense(classes))
"""


@pytest.fixture
def copy(trained, tmp_path):
    """A run that may be changed."""
    return shutil.copytree(trained.run.path, tmp_path / "run")


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


FACTS = {
    "network": "tiny",
    "options": {"classes": 2},
    "classes": ("a", "b"),
    "crop": 1.0,
    "resample": "bilinear",
    "mean": (0.3,),
    "std": (0.2,),
    "loss": "softmax",
    "temperature": 1.0,
    "label_smoothing": 0.1,
    "dataset": "made",
    "checkpoint": "last",
    "epoch": 1,
    "eval_accuracy": None,
    "imported": {},
}


def made(folder, *, step=0, shape=(8, 8, 1), ema=False, **facts):
    """A model folder of `tiny`, the biases of whose head are `step`, in the average `step` + 0.5."""
    params, state = tiny(2).init(jax.random.key(0), jax.ShapeDtypeStruct((1, *shape), jnp.float32))
    tree = {"params": params | {"head": params["head"] | {"bias": jnp.full(2, float(step))}}, "state": state}
    if ema:
        tree["ema"] = {"params": params | {"head": params["head"] | {"bias": jnp.full(2, step + 0.5)}}, "state": state}
    channels = {"mean": (0.3,) * shape[-1], "std": (0.2,) * shape[-1]}
    write(folder, tree, None, **FACTS | {"step": step, "image_shape": shape} | channels | facts)
    return folder


def test_a_finished_run_leaves_its_model(trained):
    for name in ("best", "last"):
        folder = trained.run.path / "model" / name
        assert {path.name for path in folder.iterdir()} == {"model.json", "weights.safetensors"}
    model = jaxcnn.load_model(trained.run.path, "last")
    dataset, evaluation = trained.experiment.dataset, trained.evaluation
    assert leaves((model.params, model.state)) == leaves(trained.state.evaluated)
    assert (model.network, model.classes, model.image_shape) == (tiny(), dataset.classes, (8, 8, 1))
    assert (model.card.step, model.card.epoch) == (2 * STEPS, 2)
    assert model.card.eval_accuracy == evaluation.accuracy
    np.testing.assert_allclose(model.probabilities(dataset.test_images), evaluation.probabilities, rtol=1e-5, atol=1e-6)


def test_best_and_last_are_the_checkpoints_of_that_name(tmp_path, monkeypatch):
    from jaxcnn.train import experiment

    accuracies = iter([0.7, 0.5])
    evaluate = experiment.Experiment.evaluate
    monkeypatch.setattr(
        experiment.Experiment, "evaluate", lambda self, *of: evaluate(self, *of)._replace(accuracy=next(accuracies))
    )
    train(config(tmp_path))
    for name, step, accuracy in (("best", STEPS, 0.7), ("last", 2 * STEPS, 0.5)):
        model = jaxcnn.load_model(tmp_path, name)
        assert (model.card.checkpoint, model.card.step, model.card.eval_accuracy) == (name, step, accuracy)
        assert leaves(model.params) == leaves(restore(tmp_path, name).state.params)


def test_a_run_that_is_stopped_within_an_epoch_has_a_last_one(tmp_path):
    train(config(tmp_path), CtrlC(2))
    card = jaxcnn.load_model(tmp_path, "last").card
    assert (card.step, card.epoch, card.eval_accuracy) == (2, 0, None)
    with pytest.raises(FileNotFoundError, match=r"best/model\.json is missing; take the other one, --checkpoint last"):
        jaxcnn.load_model(tmp_path, "best")
    assert jaxcnn.load_model(tmp_path).card == card


def test_the_average_of_the_weights_is_what_is_used_and_both_are_kept(tmp_path):
    result = train(config(tmp_path, ema=0.9, loss="sigmoid"))
    model = jaxcnn.load_model(tmp_path)
    assert leaves((model.params, model.state)) == leaves(result.state.average)
    arrays = safetensors.load((tmp_path / "model/last/weights.safetensors").read_bytes())
    for prefix, tree in (("", result.state.params), ("ema/", result.state.average[0])):
        np.testing.assert_array_equal(arrays[f"{prefix}params/conv/kernel"], tree["conv"]["kernel"])
    assert {path.split("/")[0] for path in arrays} == {"params", "state", "ema"}
    images = result.experiment.dataset.test_images
    np.testing.assert_allclose(model.probabilities(images), result.evaluation.probabilities, rtol=1e-5, atol=1e-6)
    assert np.asarray(model.probabilities(images)).sum(1).std() > 0.01  # sigmoid: each class its own


def test_a_process_that_never_saw_the_data_uses_the_model(tmp_path):
    """From a copy of the model folder alone: no data, no file of the network's, no run."""
    for name in ("cat", "dog"):
        for i in range(10):
            (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels(i, 9, 12, 3)).save(tmp_path / f"pets/{name}/{i}.png")
    (tmp_path / "nets.py").write_text(NET)
    options = {"data": str(tmp_path / "pets"), "model": f"{tmp_path}/nets.py:net", "batch_size": 4, "image_size": 8}
    result = train(config(tmp_path / "run", **options))
    picture = tmp_path / "pets/cat/0.png"
    expected = result.experiment.evaluate(result.state).probabilities[0]  # every fifth is for testing, the first of all
    shutil.copytree(tmp_path / "run/model/last", tmp_path / "alone/model")
    picture.rename(tmp_path / "picture.png")
    for gone in ("pets", "run"):
        shutil.rmtree(tmp_path / gone)
    (tmp_path / "nets.py").unlink()
    program = (
        "import sys, jaxcnn\n"
        "model = jaxcnn.load_model('alone/model')\n"
        "p = model.probabilities('picture.png')\n"
        "heavy = ['optax', 'orbax', 'tensorflow_datasets', 'tensorflow', 'sklearn', 'grain', 'pickle5', 'matplotlib']\n"
        "print([name for name in heavy if name in sys.modules], model.classes, p.shape)\n"
        "print(*map(float, p[0]))\n"
    )
    path = str(Path(__file__).parents[2])
    out = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    first, second = out.stdout.splitlines() or [out.stderr, ""]
    assert first == "[] ('cat', 'dog') (1, 2)"
    np.testing.assert_allclose([float(word) for word in second.split()], expected, rtol=1e-5)


def harms(folder):
    """(file, what happens to it) for each file of a model folder, in several ways."""
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        yield file, file.unlink
        yield file, lambda file=file: (file.unlink(), file.mkdir())
        for cut in (0, len(content) // 2, len(content) - 2):
            yield file, lambda file=file, content=content, cut=cut: file.write_bytes(content[:cut])
        for at in (0, 9, len(content) // 2, len(content) - 3):
            flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
            yield file, lambda file=file, flipped=flipped: file.write_bytes(flipped)


def test_any_damage_is_found_and_the_file_named(tmp_path):
    (tmp_path / "nets.py").write_text(NET)
    run = tmp_path / "run"
    train(config(run, epochs=1, model=f"{tmp_path}/nets.py:net"))
    number = len(list(harms(run / "model/best")))
    assert number == 27
    shutil.copytree(run / "model/best", tmp_path / "whole")
    for i in range(number):
        shutil.rmtree(run / "model/best")
        shutil.copytree(tmp_path / "whole", run / "model/best")
        file, harm = list(harms(run / "model/best"))[i]
        harm()
        with pytest.raises((Damaged, FileNotFoundError)) as caught:
            jaxcnn.load_model(run, "best")
        message = str(caught.value)
        assert message.startswith(str(file)) and "\n" not in message
        way = (
            f"; take the other one, --checkpoint last, or have it written from the checkpoint.* by jaxcnn train .*{run}"
        )
        assert re.search(way + " --resume.$", message)
        with pytest.raises(
            (Damaged, FileNotFoundError), match=r"; copy the folder again from the run|is not a run folder"
        ):
            jaxcnn.load_model(run / "model/best")
    assert jaxcnn.load_model(run, "last").card.step == STEPS


def test_a_resumed_run_writes_what_is_damaged_or_missing_again(copy, trained):
    (copy / "model/last/weights.safetensors").write_text("")
    shutil.rmtree(copy / "model/best")
    train(config(copy, resume=True))
    for name in ("last", "best"):
        before, after = (run / "model" / name / "model.json" for run in (trained.run.path, copy))
        assert after.read_text() == before.read_text()
    shutil.rmtree(copy / "model")  # as of an earlier version
    with pytest.raises(
        FileNotFoundError, match=r"model\.json is missing; have it written from the checkpoint, or after"
    ):
        jaxcnn.load_model(copy)
    train(config(copy, resume=True))
    assert leaves(jaxcnn.load_model(copy, "last").params) == leaves(trained.state.params)


def test_overwrite_leaves_no_model_of_the_earlier_run(copy):
    train(config(copy, overwrite=True), CtrlC(2))
    assert {path.name for path in (copy / "model").iterdir()} == {"last"}


def test_what_is_no_run_is_told(tmp_path):
    for folder in (tmp_path, tmp_path / "none", tmp_path / "none/deeper"):
        with pytest.raises(
            FileNotFoundError, match=r"is not a run folder: it holds no model\. Make one with jaxcnn train"
        ):
            jaxcnn.load_model(folder)
    with pytest.raises(ValueError, match="checkpoint is 'first'; expected best or last"):
        jaxcnn.load_model(tmp_path, "first")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"network": "lenet6"}, r"model\.json is of the network 'lenet6', which this jaxcnn does not have"),
        (
            {"network": "lenet5"},
            r"weights\.safetensors does not fit the network lenet5: params/bn/bias: it has the shape",
        ),
        (
            {"image_shape": [4, 4, 1]},
            r"does not fit the network tiny: params/head/kernel: it has the shape \(64, 2\), and",
        ),
        ({"pixels_divided_by": 127}, "'pixels_divided_by' holds 127, expected Literal"),
        ({"std": [0.0]}, r"damaged: mean is \(0\.3,\) and std \(0\.0,\); expected"),
        ({"loss": "hinge"}, "'loss' holds 'hinge', expected Literal"),
        ({"step": "7"}, "'step' holds '7', expected int"),
        ({"more": 1}, "'more' is no field that is known"),
    ],
)
def test_a_model_json_is_read_strictly(tmp_path, change, message):
    file = made(tmp_path / "m") / "model.json"
    written = json.loads(file.read_text())
    file.write_text(json.dumps(written | change))
    with pytest.raises(Damaged, match=r"not as it was written, by its sha256 \(remove that line"):
        jaxcnn.load_model(tmp_path / "m")
    del written["sha256"]
    file.write_text(json.dumps(written | change))
    with pytest.raises(ValueError, match=message):
        jaxcnn.load_model(tmp_path / "m")


class Killed(BaseException):
    pass


def test_killed_at_any_moment_of_writing_it_leaves_the_old_or_the_new(tmp_path, monkeypatch):
    """Before each change of the disk in turn; and the next write goes through."""
    seen = set()
    for moment in range(100):
        folder = made(tmp_path / str(moment) / "last", step=1)
        left = iter(range(moment))

        def dying(change, left=left):
            def harm(*arguments, **options):
                if next(left, None) is None:
                    raise Killed
                return change(*arguments, **options)

            return harm

        with monkeypatch.context() as patch:
            for name in ("mkdir", "write_bytes", "write_text", "rename"):
                patch.setattr(Path, name, dying(getattr(Path, name)))
            patch.setattr(model_folder, "remove", dying(model_folder.remove))
            try:
                made(folder, step=2)
                finished = True
            except Killed:
                finished = False
        step = read(folder).card.step
        assert step == read(folder).params["head"]["bias"][0]
        seen.add(step)
        made(folder, step=3)
        assert read(folder).card.step == 3 and [path.name for path in folder.parent.iterdir()] == ["last"]
        if finished:
            break
    assert seen == {1, 2} and moment == 8


def test_it_is_read_while_it_is_written(tmp_path):
    folder, errors = made(tmp_path / "last"), []

    def reading():
        try:
            while not done.is_set():
                model = read(folder)
                assert model.card.step == model.params["head"]["bias"][0]
        except Exception as error:
            errors.append(error)

    done = threading.Event()
    reader = threading.Thread(target=reading)
    reader.start()
    for step in range(60):
        made(folder, step=step)
    done.set()
    reader.join()
    assert errors == []


def test_it_is_read_from_a_folder_that_can_not_be_written(tmp_path):
    folder = made(tmp_path / "m", step=4, ema=True)
    folder.rename(tmp_path / "m.old")  # what a process that was killed in between leaves
    before = sorted(tmp_path.rglob("*"))
    assert read(folder).params["head"]["bias"][0] == 4.5
    assert sorted(tmp_path.rglob("*")) == before


def x_of(images, channels=1):
    """By the definition."""
    return (images.astype(np.float64) / 255 - 0.3) / 0.2


def test_pixels_are_scaled_and_normalised(tmp_path):
    model = read(made(tmp_path / "m"))
    images = pixels(0, 3, 8, 8, 1)
    x = model.preprocess(images)
    assert x.dtype == jnp.float32
    np.testing.assert_allclose(x, x_of(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(jax.jit(model.preprocess)(images), x, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(model.logits(x), model.network(model.params, model.state, x), rtol=1e-5, atol=1e-6)
    each = jax.vmap(lambda image: model.probabilities(image[None])[0])(images)
    np.testing.assert_allclose(each, model.probabilities(images), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(each.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("colour", [True, False])
def test_pictures_are_read_as_a_folder_of_them_is(tmp_path, colour):
    """Other sizes, turned by EXIF, with a palette: as `data.load` gives them."""
    shape = (8, 8, 3 if colour else 1)
    model = read(made(tmp_path / "m", shape=shape))
    sizes = [(8, 8), (20, 11), (11, 30), (5, 7)]
    files = [tmp_path / f"pets/{name}/{i}.png" for name in ("cat", "dog") for i in range(len(sizes))]
    for i, file in enumerate(files):
        file.parent.mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(pixels(i, *sizes[i % 4], *shape[2:] * colour))
        exif = Image.Exif()
        exif[0x0112] = 1 + i
        picture = picture.quantize() if i == 5 and colour else picture
        picture.save(file, exif=exif)
    dataset = data.load(tmp_path / "pets", image_size=8)
    wanted = np.concatenate([dataset.train_images, dataset.test_images])
    wanted = {image.tobytes() for image in wanted}
    assert len(wanted) == len(files)
    opened = [Image.open(file) for file in files]
    for given in (files, list(map(str, files)), opened, tuple(files)):
        x = model.preprocess(given)
        back = np.rint((np.asarray(x, np.float64) * 0.2 + 0.3) * 255).astype(np.uint8)
        assert {image.tobytes() for image in back} == wanted
    for one in (files[1], str(files[1]), opened[1]):
        np.testing.assert_array_equal(model.preprocess(one), model.preprocess(files)[1:2])


def test_grey_and_colour_become_what_the_network_takes(tmp_path):
    grey, colour = (read(made(tmp_path / str(c), shape=(8, 8, c))) for c in (1, 3))
    image = pixels(0, 8, 8, 3)
    luma = np.asarray(Image.fromarray(image).convert("L"))
    for given in ([image], image[None], jnp.asarray(image)[None], Image.fromarray(image)):
        np.testing.assert_array_equal(grey.preprocess(given), grey.preprocess(luma[None, ..., None]))
    for given in ([luma], Image.fromarray(luma), luma[None, ..., None], Image.fromarray(luma).convert("RGBA")):
        np.testing.assert_array_equal(colour.preprocess(given), colour.preprocess(np.stack([luma] * 3, -1)[None]))


def test_an_image_that_is_not_square(tmp_path):
    model = read(made(tmp_path / "m", shape=(6, 10, 1)))
    image = pixels(0, 12, 20)
    shrunk = np.asarray(Image.fromarray(image).resize((10, 6), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(model.preprocess([image]), model.preprocess(shrunk[None, ..., None]))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (
            np.zeros((2, 8, 8, 1), np.float32),
            r"shape \(2, 8, 8, 1\) and dtype float32; expected uint8 pixels, 0 to 255, of",
        ),
        (np.zeros((2, 9, 9, 1), np.uint8), r"of shape \(n, 8, 8, c\), or a list of pictures, each of which is resized"),
        (np.zeros((8, 8), np.uint8), r"has shape \(8, 8\) and"),
        (np.zeros((1, 8, 8, 2), np.uint8), "the images have 2 channels, and the network takes 1"),
        ([np.zeros((8, 8))], r"a picture has shape \(8, 8, 1\) and dtype float64; expected uint8"),
        ([], "images is empty"),
        ([3], "a picture is 3; expected a path, an open file, a Pillow image or a uint8 array"),
        (None, "a picture is None"),
    ],
)
def test_what_are_no_images_is_told(tmp_path, images, message):
    model = read(made(tmp_path / "m"))
    with pytest.raises(ValueError, match=message):
        model.preprocess(images)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_of_another_dtype_stay_as_they_are(tmp_path, dtype):
    params, state = tiny(2).init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32))
    params = jax.tree.map(lambda p: p.astype(dtype), params)
    facts = FACTS | {"step": 1, "image_shape": (8, 8, 1)}
    write(tmp_path / "m", {"params": params, "state": state}, None, **facts)
    model = read(tmp_path / "m")
    assert leaves(model.params) == leaves(params)
    assert {leaf.dtype for leaf in jax.tree.leaves(model.params)} == {jnp.dtype(dtype)}


def test_layers_without_parameters_and_nested_ones_come_back(tmp_path, monkeypatch):
    from jaxcnn import models

    def net(classes):
        block = layers.chain(conv=layers.Conv(4), bn=layers.BatchNorm())
        return layers.chain(
            block=layers.residual(block, layers.Conv(4, 1)),
            skip=layers.residual(layers.chain()),
            pool=layers.GlobalAvgPool(),
        )

    monkeypatch.setitem(models.MODELS, "nested", net)
    params, state = net(4).init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32))
    facts = {
        "network": "nested",
        "options": {"classes": 4},
        "classes": tuple("abcd"),
        "step": 1,
        "image_shape": (8, 8, 1),
    }
    write(tmp_path / "m", {"params": params, "state": state}, None, **FACTS | facts)
    model = read(tmp_path / "m")
    assert jax.tree.structure((model.params, model.state)) == jax.tree.structure((params, state))
    assert leaves((model.params, model.state)) == leaves((params, state))


def test_a_run_goes_on_with_its_copy_of_the_network(tmp_path):
    file, run = tmp_path / "nets.py", tmp_path / "run"
    file.write_text(NET)
    whole = train(config(tmp_path / "whole", model=f"{file}:net"))
    stopped = train(config(run, model=f"{file}:net"), CtrlC(STEPS + 2))
    assert stopped.run.config.model == f"{file}:net" and stopped.run.config.out == run
    file.write_text(NET.replace("Dense(classes)", "Dense(classes, use_bias=False)"))
    with pytest.warns(
        UserWarning, match=rf"nets\.py has changed since the run began; its copy {run}/network\.py is used"
    ):
        resumed = train(config(run, model=f"{file}:net", resume=True))
    assert leaves(resumed.state) == leaves(whole.state)
    file.unlink()
    assert leaves(restore(run).state) == leaves(whole.state)
    assert leaves(train(config(run, model=f"{file}:net", resume=True)).state) == leaves(whole.state)
    (run / "network.py").write_text(NET + "#")
    with pytest.raises(
        ValueError, match=r"network\.py is damaged: its SHA-256 is not what .*Put back a copy of it, such as"
    ):
        train(config(run, model=f"{file}:net", resume=True))
    (run / "network.py").unlink()
    with pytest.raises(ValueError, match=r"network\.py can't be read \(No such file or directory\)\. Put back a copy"):
        train(config(run, model=f"{file}:net", resume=True))
    assert open_run(run).config.model == f"{file}:net"  # so that --overwrite and eval still know it
    shutil.copy(run / "model/last/network.py", run)
    assert leaves(restore(run).state) == leaves(whole.state)


def test_a_full_disk_leaves_the_model_before_whole(trained, tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    run = shutil.copytree(trained.run.path, tmp_path / "run")
    folder, limits = run / "model/best", resource.getrlimit(resource.RLIMIT_FSIZE)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, limits[1]))
        with pytest.raises(OSError, match=r"model/best can't be written \(File too large\); the one before"):
            save_model(dataclasses.replace(trained.run, path=run), trained.experiment, "best", trained.state)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert sorted(child.name for child in folder.parent.iterdir()) == ["best", "last"]


def test_a_picture_is_cropped_and_resized_as_the_card_says(tmp_path):
    """By Pillow's two steps: the shorter side resized to 24, and the middle cropped to 18, which is 3/4 of it."""
    smooth = np.add.outer(np.arange(48), 2 * np.arange(64)).astype(np.uint8)
    model = jaxcnn.load_model(made(tmp_path / "m", shape=(18, 18, 1), crop=0.75, resample="bicubic"))
    steps = Image.fromarray(smooth).resize((32, 24), Image.Resampling.BICUBIC).crop((7, 3, 25, 21))
    expected = (np.asarray(steps)[..., None] / 255 - 0.3) / 0.2
    np.testing.assert_allclose(model.preprocess([smooth])[0], expected, atol=1.01 / 255 / 0.2)


@pytest.mark.parametrize("loss", ["softmax", "sigmoid"])
def test_a_temperature_divides_the_logits(tmp_path, loss):
    model, warm = (jaxcnn.load_model(made(tmp_path / str(t), step=1, temperature=t, loss=loss)) for t in (1.0, 2.5))
    images = pixels(0, 3, 8, 8, 1)
    logits = np.asarray(model.logits(model.preprocess(images)), np.float64) / 2.5
    exponentials = np.exp(logits)
    whole = exponentials.sum(-1, keepdims=True) if loss == "softmax" else exponentials + 1
    np.testing.assert_allclose(warm.probabilities(images), exponentials / whole, rtol=1e-5)


def test_a_card_of_an_earlier_version_means_what_it_meant(tmp_path):
    file = made(tmp_path / "m") / "model.json"
    written = records.unsealed(file.read_text())
    for name in ("crop", "resample", "temperature", "imported"):
        del written[name]
    file.write_text(records.sealed(written))
    card = jaxcnn.load_model(tmp_path / "m").card
    assert (card.crop, card.resample, card.temperature, card.imported) == (1.0, "bilinear", 1.0, {})
