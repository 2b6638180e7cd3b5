"""The norms of each layer's δ and gradient over training, against those that JAX derives."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.layers.combine import Chain
from jaxcnn.ops import backward
from jaxcnn.train import gradients
from jaxcnn.train.fit import fit
from jaxcnn.train.loop import train
from jaxcnn.train.measure_layers import MeasureLayers, wanted
from jaxcnn.train.recipe import OptimizationRecipe
from jaxcnn.train.sweep import sweep
from jaxcnn.train.watch import Watcher
from tests.train.test_log import norm
from tests.train.test_loop import CtrlC
from tests.train.test_sweep import configs
from tests.train.tiny import STEPS, config, tiny


class States(Watcher):
    """Keeps what the network stands at."""

    def __init__(self):
        self.seen = {}

    def stands(self, step, state):
        self.seen[step] = jax.device_get((state.params, state.state))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A run whose layers are measured, and (params, state) where it stood."""
    states = States()
    return train(config(tmp_path_factory.mktemp("runs") / "measured", layer_norms="yes"), states), states.seen


def derived(experiment, params, state):
    """The norms by `jax.grad`: of a layer's output what the layers behind it make of it, of its params the whole."""
    dataset, parts, key = experiment.dataset, experiment.trained_model.parts, jax.random.key(0)
    rows = [round(float(row) - 0.5) for row in np.linspace(0, len(dataset.train_images) - 1, 16)]
    x, labels = experiment.normalise(dataset.train_images[rows]), dataset.train_labels[rows]

    def loss(layers, params, x):
        return jnp.mean(experiment.loss(Chain(layers).apply(params, state, x, train=True, key=key)[0], labels))

    with backward("autodiff"):
        gradients = jax.grad(loss, 1)(parts, params, x)
        outputs = [Chain(parts[:n]).apply(params, state, x, train=True, key=key)[0] for n in range(1, len(parts))]
        deltas = [norm(jax.grad(loss, 2)(parts[n:], params, y)) for n, y in enumerate(outputs, 1)]
    return deltas, {name: norm(tree) for name, tree in gradients.items()}


def test_norms_before_training_and_after_each_epoch(measured):
    result, states = measured
    records = result.run.layers()
    assert [record["step"] for record in records] == [0, STEPS, 2 * STEPS] == list(states)
    for record in records:
        deltas, gradients = derived(result.experiment, *states[record["step"]])
        assert list(record["delta"]) == ["conv", "bn", "relu", "drop", "flatten", "head"] and record["images"] == 16
        assert list(record["delta"].values())[:-1] == pytest.approx(deltas, rel=1e-4)
        assert record["gradient"] == pytest.approx(gradients, rel=1e-4) and list(record["gradient"])[-1] == "head"
    kinds = [json.loads(line)["kind"] for line in (result.run.path / "metrics.jsonl").read_text().splitlines()]
    assert kinds == ["layers", *["steps", "layers", "epoch"] * 2]


def test_measuring_changes_nothing_that_is_trained(measured, trained):
    result, _ = measured
    for ours, theirs in zip(*map(jax.tree.leaves, (result.state.params, trained.state.params)), strict=True):
        assert np.array_equal(ours, theirs)
    assert trained.run.layers() == []


@pytest.mark.parametrize("at", [5, STEPS, STEPS + 3])
def test_a_run_that_is_stopped_and_resumed_tells_the_same(measured, tmp_path, at):
    train(config(tmp_path, layer_norms="yes"), CtrlC(at))
    resumed = train(config(tmp_path, layer_norms="yes", resume=True))
    assert resumed.run.layers() == measured[0].run.layers()


def test_seeds_trained_together_are_measured_each(measured, tmp_path):
    results = []
    sweep(configs(tmp_path, seeds=2, layer_norms="yes"), out=tmp_path, together="yes", done=results.append)
    assert len(results) == 2
    for result in results:
        records = result.run.layers()
        assert [record["step"] for record in records] == [0, STEPS, 2 * STEPS]
        _, expected = derived(result.experiment, result.state.params, result.state.state)
        assert records[-1]["gradient"] == pytest.approx(expected, rel=1e-4)
    ours, alone = results[0].run.layers(), measured[0].run.layers()
    assert [r["delta"] for r in ours[:2]] == [pytest.approx(r["delta"], rel=1e-3) for r in alone[:2]]


def test_a_frozen_layer_has_a_delta_and_no_gradient(tmp_path):
    result = train(config(tmp_path, layer_norms="yes", freeze="conv/*", epochs=1))
    _, last = result.run.layers()
    assert list(last["gradient"]) == ["bn", "head"] and last["delta"]["conv"] > 0
    _, gradients = derived(result.experiment, result.state.params, result.state.state)
    assert last["gradient"] == pytest.approx({k: v for k, v in gradients.items() if k != "conv"}, rel=1e-4)


def test_by_default_layers_are_measured_unless_the_network_is_large(trained, monkeypatch):
    asked = ("auto", "yes", "no")
    assert [wanted(each, trained.experiment) for each in asked] == [True, True, False]
    work = 16 * (16 * 4 * 9 + 64 * 10)  # 4 × 4 outputs of 4 channels by 3 × 3 windows, and a dense layer
    monkeypatch.setattr(gradients, "LARGE", work)
    assert wanted("auto", trained.experiment)
    monkeypatch.setattr(gradients, "LARGE", work - 1)
    assert [wanted(each, trained.experiment) for each in asked] == [False, True, False]


def test_fit_is_measured_by_a_watcher(trained):
    records, recipe = [], OptimizationRecipe(epochs=1, batch_size=128)
    fit(tiny(), trained.experiment.dataset, recipe, [MeasureLayers([records.append])])
    assert [record["step"] for record in records] == [0, STEPS]


def test_what_is_not_finite_is_none(trained):
    records, state = [], trained.experiment.initial_state()
    watcher = MeasureLayers([records.append])
    watcher.started(trained.experiment, 0)
    watcher.stands(0, replace(state, params=jax.tree.map(lambda p: p * np.nan, state.params)))
    (record,) = records
    assert set(record["delta"].values()) == set(record["gradient"].values()) == {None}
    json.dumps(record, allow_nan=False)
