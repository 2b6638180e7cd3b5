"""What metrics.jsonl tells of the steps: each once, also of runs that are stopped or killed, without waiting."""

import json
from functools import partial
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import backward
from jaxcnn.train.fit import fit
from jaxcnn.train.log import Log
from jaxcnn.train.loop import train
from jaxcnn.train.state import Metrics
from jaxcnn.train.step import step_key
from jaxcnn.train.watch import Watcher
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config, tiny

UNTIMED = ("step", "loss", "accuracy", "learning_rate")


class Killed(Watcher):
    """Ends the run after a step, as a crash would."""

    def __init__(self, at):
        self.at = at

    def step_done(self, step, metrics):
        metrics.means()  # it has come, so that the log tells it after the next step
        if step == self.at:
            raise MemoryError


@pytest.fixture(scope="module")
def of_each_step(trained):
    """(loss, accuracy, gradient's norm) of each step of the run `trained`, by its batches one after the other."""
    of, measured = trained.experiment, []
    state = of.initial_state()
    for epoch in range(2):
        for images, labels in of.feed.rest_of_epoch(epoch * STEPS):
            x, labels_of, key = of.train_inputs(step_key(state), images, labels)
            size = norm(derived(of, state, x, labels_of, key))
            state, metrics = of.train_step(state, images, labels)
            measured.append((*metrics.means(), size))
    return np.array(measured)


def norm(tree):
    return np.sqrt(sum(np.sum(np.square(np.asarray(leaf, np.float64))) for leaf in jax.tree.leaves(tree)))


@partial(jax.jit, static_argnums=0)
def derived(of, state, x, labels, key):
    """The gradient that JAX derives."""

    def mean_loss(params):
        return jnp.mean(of.loss(of.model.apply(params, state.state, x, train=True, key=key)[0], labels))

    with backward("autodiff"):
        return jax.grad(mean_loss)(state.params)


def check(run, of_each_step, *ends):
    """The lines end at these steps, and each tells the means since the one before it."""
    lines = run.steps()
    assert [line["step"] for line in lines] == list(ends)
    for begin, line in zip((0, *ends), lines, strict=False):
        loss, accuracy, norm = of_each_step[begin : line["step"]].mean(0)
        assert line["loss"] == pytest.approx(loss, rel=1e-5)
        assert line["accuracy"] == pytest.approx(accuracy, rel=1e-5)
        assert line["gradient_norm"] == pytest.approx(norm, rel=1e-4)
        assert line["images_per_second"] > 0 and 0 <= line["waiting"] <= 1


def test_lines_tell_the_means_of_their_steps(trained, of_each_step, tmp_path):
    result = train(config(tmp_path, log_every=4))
    check(result.run, of_each_step, 4, 8, 11, 15, 19, 22)
    for line in result.run.steps():
        assert line["learning_rate"] == pytest.approx(float(trained.experiment.schedule(line["step"] - 1)), rel=1e-6)
    norms = [epoch["gradient_norm"] for epoch in result.run.metrics()]
    assert norms == pytest.approx(of_each_step.reshape(2, -1, 3).mean(1)[:, 2], rel=1e-4)
    kinds = [json.loads(line)["kind"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert kinds == ["steps", "steps", "steps", "epoch"] * 2
    check(trained.run, of_each_step, 11, 22)


@pytest.mark.parametrize("at", [2, 6, 8, 11, 13])
def test_a_run_that_is_stopped_and_resumed_tells_each_step_once(of_each_step, tmp_path, at):
    train(config(tmp_path, log_every=4), CtrlC(at))
    resumed = train(config(tmp_path, log_every=4, resume=True))
    check(resumed.run, of_each_step, *sorted({at, 4, 8, 11, 15, 19, 22}))


def test_what_was_told_after_the_checkpoint_is_told_anew(of_each_step, tmp_path):
    with pytest.raises(MemoryError):
        train(config(tmp_path, log_every=1), Killed(17))
    lines = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert max(lines) == 16
    resumed = train(config(tmp_path, log_every=4, resume=True))
    check(resumed.run, of_each_step, *range(1, 12), 15, 19, 22)


def test_no_lines_but_those_of_epochs(tmp_path):
    result = train(config(tmp_path, log_every=0, epochs=1))
    assert result.run.steps() == []
    assert [json.loads(line)["kind"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == ["epoch"]


def test_fit_tells_its_watchers(trained, of_each_step):
    told = []

    class Heard(Watcher):
        def logged(self, record):
            told.append(record)

    recipe = config("unused", epochs=1)
    fit(tiny(), trained.experiment.dataset, recipe, [Heard()], log_every=5)
    assert [record["step"] for record in told] == [5, 10, 11]


class Coming:
    """A number that the device still computes."""

    def __init__(self, value):
        self.value, self.there, self.sent_for = value, False, False

    def is_ready(self):
        return self.there

    def copy_to_host_async(self):
        self.sent_for = True

    def __array__(self, dtype=None, copy=None):
        assert self.there, "this would have waited"
        return np.float32(self.value)


def log_of(told, every):
    log = Log(every, [told.append])
    experiment = SimpleNamespace(
        steps_per_epoch=100, total_steps=250, batch_size=8, schedule=lambda step: 0.5, feed=Feed()
    )
    log.started(experiment, 0)
    return log


class Feed:
    waited = 0.0


def test_a_loss_is_not_waited_for(trained):
    told = []
    log = log_of(told, 2)
    metrics = [Metrics(*map(Coming, (3.0 * n, 4.0 * n, 8.0 * n, 0, 2.0 * n))) for n in range(1, 5)]
    for step, so_far in enumerate(metrics, 1):
        log.step_done(step, so_far)
    assert told == [] and [so_far.loss.sent_for for so_far in metrics] == [False, True] * 2
    for number in metrics[1]:
        number.there = True
    log.step_done(5, metrics[3])
    assert [record["step"] for record in told] == [2]


@pytest.mark.parametrize("so_far", [(np.nan, 3, 16, 1, 0), (np.inf, 3, 16, 1, 9), (0, 0, 0, 0, 0)])
def test_a_loss_that_is_not_finite_is_null(so_far):
    told = []
    log = log_of(told, 1)
    log.step_done(1, Metrics(*map(jnp.float32, so_far)))
    log.paused(1)
    (record,) = told
    assert (record["loss"], record["accuracy"], record["gradient_norm"]) == (None, None, None)
    assert record["learning_rate"] == 0.5
    json.dumps(record, allow_nan=False)


def sums(loss, examples):
    return Metrics(*map(jnp.float32, (loss, 0, examples, 0, 0)))


def test_where_a_run_goes_back_the_steps_until_then_are_told_and_lines_go_on_from_there():
    """Steps 1 to 3, of which the last one is not finite; then on from step 3 with what step 1 had left."""
    told = []
    log = log_of(told, 10)
    for step, so_far in enumerate((sums(8, 8), sums(20, 16), sums(np.nan, 24)), 1):
        log.step_done(step, so_far)
    log.went_back(3, sums(8, 8))
    log.step_done(4, sums(24, 16))
    log.paused(4)
    assert [(record["step"], record["loss"]) for record in told] == [(3, None), (4, 2.0)]


def test_an_epoch_that_ends_early_is_told():
    told = []
    log = log_of(told, 10)
    log.step_done(1, sums(8, 8))
    log.epoch_done({"step": 1})
    log.step_done(2, sums(24, 8))
    log.paused(2)
    assert [(record["step"], record["loss"]) for record in told] == [(1, 1.0), (2, 3.0)]
