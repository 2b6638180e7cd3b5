"""ResNet-20 on CIFAR-10: both recipes say what their sources say, and a few steps of a small network run."""

import json
from dataclasses import replace
from functools import partial

import jax
import numpy as np
import pytest

from experiments import cifar10_resnet20 as experiment
from jaxcnn import data, models
from jaxcnn.data import Dataset
from jaxcnn.train.experiment import prepare
from jaxcnn.train.optim import make_schedule
from jaxcnn.train.run_folder import open_run


@pytest.fixture
def dataset(monkeypatch):
    """What stands in for CIFAR-10: 60 images of noise, 10 to test on."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (70, 32, 32, 3), dtype=np.uint8)
    labels = (np.arange(70) % 10).astype(np.int32)
    made = Dataset("cifar10", images[:60], labels[:60], images[60:], labels[60:], tuple("abcdefghij"))
    monkeypatch.setattr(data, "load", lambda name, **_: made)
    return made


def test_the_paper_s_rate_falls_at_32000_and_48000():
    config = experiment.CONFIGS["paper"]
    schedule = make_schedule(config, 50000 // config.batch_size)
    total = config.epochs * (50000 // config.batch_size)
    assert abs(total - 64000) < 390
    rates = np.array([float(schedule(step)) for step in range(0, total, 10)])
    falls = 10 * (np.flatnonzero(np.diff(rates)) + 1)
    np.testing.assert_allclose(falls, [32000, 48000], atol=40)
    np.testing.assert_allclose(np.unique(rates), [0.001, 0.01, 0.1], rtol=1e-6)


def test_onecycle_rises_to_its_peak_and_ends_near_nothing():
    config = experiment.CONFIGS["onecycle"]
    total = config.epochs * (50000 // config.batch_size)
    rates = np.array([float(make_schedule(config, 50000 // config.batch_size)(step)) for step in range(0, total, 50)])
    assert 0.2 < rates.argmax() / len(rates) < 0.4
    assert rates.max() == pytest.approx(0.2, rel=1e-3)
    assert rates[0] == pytest.approx(0.2 / 25) and rates[-1] < 1e-4


def test_training_images_are_padded_by_four_pixels_cropped_and_mirrored(dataset):
    ready = prepare(replace(experiment.PAPER, batch_size=len(dataset.train_images)), dataset)
    image = dataset.train_images[0]
    padded = np.pad(image, ((4, 4), (4, 4), (0, 0)))
    possible = np.lib.stride_tricks.sliding_window_view(padded, (32, 32), axis=(0, 1)).transpose(0, 1, 3, 4, 2)
    augmented = data.augment.parse(ready.recipe.augment)
    images, _ = augmented(jax.random.key(0), np.repeat(image[None], 400, 0), np.zeros(400, int))
    seen = np.asarray(images)
    found = {}
    for mirror in (False, True):
        for one in seen[:, :, ::-1] if mirror else seen:
            for place in zip(*np.nonzero((possible == one).all((2, 3, 4))), strict=True):
                found[(mirror, *place)] = found.get((mirror, *place), 0) + 1
    assert sum(found.values()) == 400, "each is one of the crops, mirrored or not"
    assert {place[1:] for place in found} == {(i, j) for i in range(9) for j in range(9)}
    assert 150 < sum(count for place, count in found.items() if place[0]) < 250


def test_steps_stop_it_and_resume_goes_on(dataset, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(models.MODELS, "resnet20", partial(models.resnet_cifar, 8, width=4))
    small = replace(experiment.CONFIGS["onecycle"], epochs=1, batch_size=10)
    accuracies = experiment.main(small, "onecycle", 1, 2, tmp_path)
    assert 0 <= accuracies[0] <= 1
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(f"seed 0: test accuracy {accuracies[0]:.4f} after 2 steps, ")
    experiment.main(small, "onecycle", 1, None, tmp_path, resume=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 1: training loss ") and " after 6 steps, " in lines[-1]
    written = json.loads((tmp_path / "onecycle-bfloat16-seed0" / "config.json").read_text())["config"]
    assert (written["model"], written["weight_decay"], written["augment"]) == ("resnet20", 5e-4, "flip-shift")


def test_what_is_multiplied_is_rounded_to_bfloat16_unless_told_otherwise(dataset, tmp_path):
    """Each run's first epoch has a loss of its own, near the other's; the default is bfloat16. Rates are small, so that
    roundings do not grow."""
    small = replace(experiment.CONFIGS["onecycle"], model="lenet5", epochs=1, batch_size=10, learning_rate=0.01)
    losses = []
    for name, chosen in {"one": {}, "two": {"precision": "bfloat16"}, "three": {"precision": "float32"}}.items():
        experiment.main(small, name, 1, None, tmp_path, **chosen)
        folder = tmp_path / f"{name}-{chosen.get('precision', 'bfloat16')}-seed0"
        losses.append(open_run(folder).metrics()[0]["train_loss"])
    assert losses[0] == losses[1] != losses[2] == pytest.approx(losses[0], rel=1e-2)
