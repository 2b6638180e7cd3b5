"""A picture on which the network breaks: a run stops there, leaves its batch out, or goes back and passes over it."""

import warnings
from dataclasses import dataclass, replace

import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import data, models
from jaxcnn.layers import chain
from jaxcnn.layers.base import Function
from jaxcnn.train import rollback
from jaxcnn.train.epochs import Watcher
from jaxcnn.train.fit import fit
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import OptimizationRecipe
from jaxcnn.train.restore import restore
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config, tiny


@dataclass(frozen=True)
class Breaks(Function):
    """The identity, but not finite where an image is white."""

    def forward(self, params, x):
        white = jnp.mean(x, (1, 2, 3), keepdims=True) > 1.5
        return jnp.where(white, jnp.inf, x)


WHITE = 280  # of the training images; in the middle of both epochs


@pytest.fixture(autouse=True)
def one_white_image(monkeypatch):
    breaks = lambda classes=10: chain(breaks=Breaks(), **dict(tiny(classes).parts))  # noqa: E731
    monkeypatch.setitem(models.MODELS, "breaks", breaks)
    digits = data.load("digits", image_size=8)
    images = digits.train_images.copy()
    images[WHITE] = 255
    monkeypatch.setattr(data, "load", lambda *a, **k: replace(digits, train_images=images))


def breaking(out, **options):
    return config(out, **{"model": "breaks", "augment": "none", "on_nonfinite": "rollback"} | options)


def bad_steps(epochs=2):
    """The number of each step whose batch has the white image."""
    found = []
    for epoch in range(epochs):
        rows = data.batches.batch_rows(np.zeros(1437, int), 128, seed=0, epoch=epoch, start=0, balanced=False)
        found += [epoch * STEPS + i for i, batch in enumerate(rows, 1) if WHITE in batch]
    return found


WAYS = [{}, {"accumulate": 2, "precision": "mixed"}, {"precision": "float16", "ema": 0.9}]
bad, *_ = bad_steps()
SAID = "The first layer whose output is not finite is breaks"


@pytest.mark.parametrize("options", WAYS)
def test_it_stops_and_says_where(tmp_path, options):
    with pytest.raises(FloatingPointError, match=f"at step {bad}: .*{SAID}"):
        train(breaking(tmp_path / "run", on_nonfinite="stop", **options))


@pytest.mark.parametrize("options", WAYS)
def test_it_leaves_the_step_out(tmp_path, options):
    with pytest.warns(UserWarning, match=f"epoch 1: 1 of {STEPS} steps were not finite and left out"):
        result = train(breaking(tmp_path, on_nonfinite="skip", **options))
    assert result.state.step == 2 * STEPS and result.evaluation.accuracy > 0.2  # chance is 0.1


@pytest.mark.parametrize("options", WAYS)
def test_it_goes_back_and_passes_over_what_led_there(tmp_path, options):
    first, second = bad_steps()
    assert 1 < first < STEPS < second < 2 * STEPS
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = train(breaking(tmp_path / "whole", **options))
    assert [str(warning.message) for warning in caught] == [
        f"step {first} is not finite. {SAID}. Training goes on from the "
        f"checkpoint after step 0, without the batches of steps 1 to {first}.",
        f"epoch 1: {first} of {STEPS} steps were passed over.",
        f"step {second} is not finite. {SAID}. Training goes on from the "
        f"checkpoint after step {STEPS}, without the batches of steps {STEPS + 1} to {second}.",
        f"epoch 2: {second - STEPS} of {STEPS} steps were passed over.",
    ]
    experiment = result.experiment
    state = experiment.initial_state()
    for begin in (first, second):
        state = replace(state, step=jnp.int32(begin))
        for batch in experiment.feed.rest_of_epoch(begin):
            state, _ = experiment.train_step(state, *batch)
    assert leaves(result.state) == leaves(state)
    assert [record["epoch"] for record in result.run.metrics()] == [1, 2]
    assert result.evaluation.accuracy > 0.15  # chance is 0.1


class Killed(Watcher):
    def __init__(self, at):
        self.at, self.gone_back = at, False

    def went_back(self, step, metrics):
        self.gone_back = True

    def step_done(self, step, metrics):
        if self.gone_back and step == self.at:
            raise MemoryError


@pytest.mark.filterwarnings("ignore:step|epoch")
def test_killed_or_stopped_after_that_it_ends_in_the_same_bits(tmp_path):
    whole = train(breaking(tmp_path / "whole"))
    with pytest.raises(MemoryError):
        train(breaking(tmp_path / "killed"), Killed(bad + 1))
    assert restore(tmp_path / "killed").state.step == bad, "it was saved when it had gone back"
    assert leaves(train(breaking(tmp_path / "killed", resume=True)).state) == leaves(whole.state)
    train(breaking(tmp_path / "stopped"), CtrlC(bad + 1))  # before the end of the epoch: the pause finds what is wrong
    assert leaves(train(breaking(tmp_path / "stopped", resume=True)).state) == leaves(whole.state)


@pytest.mark.filterwarnings("ignore:step|epoch")
def test_a_checkpoint_within_the_epoch_loses_less(tmp_path):
    class Lost(Watcher):
        def went_back(self, step, metrics):
            lost.append(STEPS * (step // STEPS) + round(float(metrics.examples) / 128))

    lost = []
    result = train(breaking(tmp_path, save_every="0.000001s"), Lost())
    assert lost == [step - 1 for step in bad_steps()]
    assert result.state.step == 2 * STEPS


def test_again_and_again_without_an_epoch_in_between_it_has_diverged(tmp_path):
    with (
        pytest.warns(UserWarning, match="is not finite") as caught,
        pytest.raises(FloatingPointError, match="no longer finite at step"),
    ):
        train(breaking(tmp_path, optimizer="sgd", learning_rate=1e30, schedule="constant", model="tiny"))
    assert len([w for w in caught if "is not finite" in str(w.message)]) == rollback.LIMIT


def test_where_the_last_batch_of_an_epoch_is_passed_over_there_is_no_evaluation(tmp_path):
    """Full-batch: each step is the last of its epoch."""
    with pytest.warns(UserWarning, match="without the batches of steps 1 to 1"):
        result = train(breaking(tmp_path, batch_size="full", epochs=1))
    assert result.state.step == 1 and result.run.metrics() == []
    assert leaves(result.state.params) == leaves(result.experiment.initial_state().params)
    assert result.evaluation is not None


def test_fit_has_nothing_to_go_back_to():
    with pytest.raises(ValueError, match="on_nonfinite is 'rollback'; fit writes no checkpoint"):
        fit(tiny(), data.load("digits"), OptimizationRecipe(on_nonfinite="rollback"))
