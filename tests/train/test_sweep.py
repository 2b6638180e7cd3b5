"""Sweeps: seeds and grids, what they leave, that they go on, and that seeds trained together are the same runs."""

import json
import shutil
import signal
from contextlib import nullcontext
from dataclasses import replace
from statistics import mean, stdev

import jax
import numpy as np
import pytest

from jaxcnn.train.keeper import Keeper
from jaxcnn.train.loop import train
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.restore import restore
from jaxcnn.train.sweep import grid, points, sweep
from jaxcnn.train.watch import Watcher
from tests.train.test_checkpoint import leaves
from tests.train.test_loop import CtrlC, pets
from tests.train.tiny import OPTIONS, STEPS, config


def configs(out, **options):
    return grid(**OPTIONS | {"out": out} | options)


def test_a_grid_has_every_combination_and_folders_that_tell_it(tmp_path):
    made = configs(tmp_path, learning_rate=[0.1, 0.03], optimizer=("adamw", "sgd"), seeds=2, seed=7)
    folders = [config.out.relative_to(tmp_path).as_posix() for config in made]
    assert folders[:3] == [
        "learning_rate=0.1,optimizer=adamw/seed7",
        "learning_rate=0.1,optimizer=adamw/seed8",
        "learning_rate=0.1,optimizer=sgd/seed7",
    ]
    assert len(set(folders)) == 8
    told = {(c.learning_rate, c.optimizer, c.seed, c.weight_decay) for c in made}
    decay = {"adamw": 0.05, "sgd": 5e-4}  # each optimizer's own default
    assert told == {(rate, name, seed, decay[name]) for rate in (0.1, 0.03) for name in decay for seed in (7, 8)}


def test_values_are_safe_in_a_folder_s_name(tmp_path):
    made = configs(tmp_path, freeze=["conv*/*", "bn/../*"], augment=["crop(1,reflect),flip", "none"])
    names = [config.out.relative_to(tmp_path) for config in made]
    assert [name.as_posix() for name in names[:2]] == [
        "freeze=conv---,augment=crop(1,reflect),flip",
        "freeze=conv---,augment=none",
    ]
    assert all(len(name.parts) == 1 for name in names)
    (one, two) = configs(None, model=[str(tmp_path / "net.py:small"), "tiny"])
    assert (one.out.as_posix(), two.out.as_posix()) == ("runs/sweep/model=net.py-small", "runs/sweep/model=tiny")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"learning_rate": [0.1, -1.0]}, "learning_rate is -1.0; expected a positive number"),
        ({"learning_rate": [0.1, 0.1]}, "learning_rate is 0.1, 0.1; expected different values"),
        ({"learning_rate": []}, "learning_rate is empty; expected different values"),
        ({"seeds": 0}, "seeds is 0; expected 1 or more"),
        ({"seeds": 2, "seed": [1, 2]}, "seeds is 2, and seed has several values already"),
        ({"seeds": 2, "seed": 2**32 - 1}, "seed is 4294967296; expected an int from 0"),
        ({"learning_rates": [0.1, 0.2]}, r"grid: there is no option 'learning_rates' .* Did you mean learning_rate\?"),
        ({"resume": [True, False]}, "resume is True, False; expected one value for all runs"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        configs(tmp_path, **options)


def test_values_that_look_alike_in_a_path_have_folders_of_their_own(tmp_path):
    made = configs(tmp_path, freeze=["a/b", "a-b", "a*b"])
    assert [config.out.name for config in made] == ["freeze=a-b", "freeze=a-b-2", "freeze=a-b-3"]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Three seeds, each trained by itself."""
    place = tmp_path_factory.mktemp("alone")
    return [train(config(place / str(seed), seed=seed)) for seed in range(3)]


@pytest.fixture(scope="module")
def one_after_another(tmp_path_factory):
    """The same three as a sweep: (folder, outcomes, results)."""
    place, results = tmp_path_factory.mktemp("sweep"), []
    found = sweep(configs(place, seeds=3), out=place, together="no", done=results.append)
    return place, found, results


def test_each_seed_of_a_sweep_is_the_run_of_that_seed_alone_and_compiled_once(alone, one_after_another):
    place, found, results = one_after_another
    for seed, (one, result, outcome) in enumerate(zip(alone, results, found, strict=True)):
        assert result.run.path == place / f"seed{seed}"
        assert leaves(result.state) == leaves(one.state) == leaves(restore(result.run.path).state)
        assert untimed(result) == untimed(one)
        assert {path.name for path in result.run.path.iterdir()} == {path.name for path in one.run.path.iterdir()}
        assert outcome.test_accuracy == outcome.part_accuracy == one.evaluation.accuracy
        assert (outcome.status, outcome.step, outcome.config.seed) == ("finished", 2 * STEPS, seed)
    assert {result.experiment.train_step._cache_size() for result in results} == {1}
    assert len({id(result.experiment.train_step) for result in results}) == 1


def untimed(result):
    times = ("seconds", "images_per_second", "waiting")
    return [{k: v for k, v in record.items() if k not in times} for record in result.run.metrics()]


def test_results_tell_every_run_and_mean_and_deviation(one_after_another):
    place, found, _ = one_after_another
    written = json.loads((place / "results.json").read_text())
    assert [(run["folder"], run["status"], run["test_accuracy"]) for run in written["runs"]] == [
        (f"seed{seed}", "finished", outcome.test_accuracy) for seed, outcome in enumerate(found)
    ]
    accuracies = [outcome.test_accuracy for outcome in found]
    (point,) = written["points"]
    assert point == {
        "options": {},
        "test_accuracies": accuracies,
        "test_mean": mean(accuracies),
        "test_deviation": stdev(accuracies),
    }


def test_the_data_are_loaded_once_and_all_points_tried_before_the_first_run(tmp_path, monkeypatch):
    from jaxcnn import data

    loads, load = [], data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: loads.append(a) or load(*a, **k))
    with pytest.raises(ValueError, match="batch_size is 9999, more than the 1437"):
        sweep(configs(tmp_path / "new", batch_size=[128, 9999]), out=tmp_path / "new")
    assert list(tmp_path.iterdir()) == [] and len(loads) == 1


def test_points_are_sorted_by_the_validation_part_and_one_that_diverges_is_a_row(tmp_path):
    folder = pets(tmp_path / "pets", ("train", "val", "test"))
    shutil.rmtree(folder / "test/light")
    shutil.copytree(folder / "test/dark", folder / "test/light")  # so of the test images half are wrong
    options = {"data": str(folder), "batch_size": 6, "optimizer": "sgd", "schedule": "constant", "epochs": 4}
    runs = configs(tmp_path / "runs", **options, learning_rate=[1e30, 1e-6, 0.02], seeds=2)
    found = sweep(runs, out=tmp_path / "runs")
    first, second, last = points(found)
    assert [point.options for point in (first, second, last)] == [
        {"learning_rate": rate} for rate in (0.02, 1e-6, 1e30)
    ]
    assert first.mean("valid") > 0.9 and first.mean("test") == 0.5
    assert first.accuracies("valid") == [outcome.part_accuracy for outcome in first.outcomes]
    assert [outcome.status for outcome in last.outcomes] == ["diverged", "diverged"] and last.mean("valid") is None
    assert "no longer finite" in last.outcomes[0].message
    assert not (tmp_path / "runs/learning_rate=1e+30/seed0").exists()
    resumed = [replace(config, resume=True) for config in runs]
    over = [replace(outcome, config=config) for outcome, config in zip(found, resumed, strict=True)]
    assert sweep(resumed, out=tmp_path / "runs", watching=Refuse) == over


class Refuse:
    """Nothing may be trained."""

    def __init__(self, configs):
        raise AssertionError(f"{configs} are run again")


class Stops(Watcher):
    """Presses Ctrl-C after so many steps of all runs; given to sweeps as `watching`."""

    def __init__(self, after):
        self.left = after

    def step_done(self, step, metrics):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("after", [2 * STEPS, 3 * STEPS + 2])
def test_a_sweep_that_was_stopped_goes_on_where_it_was(alone, tmp_path, after):
    stops = Stops(after)
    found = sweep(configs(tmp_path, seeds=3), out=tmp_path, together="no", watching=lambda _: nullcontext([stops]))
    whole, rest = divmod(after, 2 * STEPS)
    assert [outcome.status for outcome in found] == ["finished"] * whole + ["stopped"] * (rest > 0)
    begun = []

    def watching(configs):
        begun.extend(config.seed for config in configs)
        return nullcontext(())

    resumed = sweep(configs(tmp_path, seeds=3, resume=True), out=tmp_path, together="no", watching=watching)
    assert begun == list(range(whole, 3))
    for outcome, one in zip(resumed, alone, strict=True):
        assert leaves(restore(outcome.config.out).state) == leaves(one.state)
        assert outcome.test_accuracy == one.evaluation.accuracy


def test_the_time_is_that_of_the_whole_sweep(tmp_path):
    found = sweep(configs(tmp_path, seeds=3, max_time="0.000001"), out=tmp_path)
    assert found == []
    assert json.loads((tmp_path / "results.json").read_text())["runs"] == []
    found = sweep(configs(tmp_path, seeds=3, resume=True, epochs=1), out=tmp_path)
    assert [outcome.status for outcome in found] == ["finished"] * 3
    more = sweep(configs(tmp_path, seeds=3, resume=True, epochs=1), out=tmp_path, watching=Refuse)
    assert [outcome.step for outcome in more] == [STEPS] * 3


def test_folders_in_use_are_refused(one_after_another, alone, tmp_path):
    place, *_ = one_after_another
    with pytest.raises(FileExistsError, match="holds a sweep already; choose another with --out, replace its runs"):
        sweep(configs(place, seeds=3), out=place)
    with pytest.raises(FileExistsError, match="holds a single run; choose another for a sweep"):
        sweep(configs(alone[0].run.path, seeds=3, overwrite=True), out=alone[0].run.path)
    with pytest.raises(FileNotFoundError, match=r"holds no results.json of a sweep. Begin one without --resume"):
        sweep(configs(tmp_path / "nothing", seeds=3, resume=True), out=tmp_path / "nothing")
    with pytest.raises(ValueError, match="for two runs of the sweep; expected a folder for each"):
        sweep([config(tmp_path / "run"), config(tmp_path / "run", seed=1)])
    with pytest.raises(ValueError, match=r"cannot resume the run in .*: momentum was 0\.9 and is now 0\.8"):
        sweep(configs(place, seeds=3, resume=True, momentum=0.8), out=place)
    assert not any(tmp_path.iterdir())


def test_seeds_trained_together_are_the_runs_of_each_alone(alone, tmp_path):
    """To rounding: Adam makes steps of one size of gradients that are 0 but for rounding (a bias before batch norm)."""
    options = {"optimizer": "momentum", "learning_rate": 0.02, "log_every": 4}
    results = []
    found = sweep(configs(tmp_path, seeds=3, **options), out=tmp_path, together="yes", done=results.append)
    for seed, (result, outcome) in enumerate(zip(results, found, strict=True)):
        one = train(config(tmp_path / "alone" / str(seed), seed=seed, **options))
        assert result.run.path == tmp_path / f"seed{seed}" and outcome.step == 2 * STEPS
        for ours, theirs in zip(jax.tree.leaves(result.state.params), jax.tree.leaves(one.state.params), strict=True):
            np.testing.assert_allclose(ours, theirs, atol=2e-5)
        for ours, theirs in zip(result.run.metrics(), one.run.metrics(), strict=True):
            assert ours["train_loss"] == pytest.approx(theirs["train_loss"], rel=1e-5)
            assert ours["learning_rate"] == theirs["learning_rate"]
        for ours, theirs in zip(result.run.steps(), one.run.steps(), strict=True):
            assert ours["step"] == theirs["step"] and ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
        assert leaves(restore(result.run.path).state) == leaves(result.state)
        assert load_model(result.run.path).card.step == 2 * STEPS
        again = train(config(result.run.path, seed=seed, resume=True, **options))
        assert again.evaluation.accuracy == outcome.test_accuracy


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """Three seeds that were trained together without a break."""
    place, results = tmp_path_factory.mktemp("together"), []
    sweep(configs(place, seeds=3), out=place, together="yes", done=results.append)
    return results


@pytest.mark.parametrize("after", [STEPS, STEPS + 3])
def test_seeds_that_were_stopped_together_go_on_to_the_same_bits(together, tmp_path, after):
    found = sweep(
        configs(tmp_path, seeds=3), out=tmp_path, together="yes", watching=lambda _: nullcontext([CtrlC(after)])
    )
    assert [(outcome.status, outcome.step) for outcome in found] == [("stopped", after)] * 3
    sweep(configs(tmp_path, seeds=3, resume=True), out=tmp_path, together="yes")
    assert [leaves(restore(tmp_path / f"seed{seed}").state) for seed in range(3)] == [
        leaves(result.state) for result in together
    ]


def test_killed_while_their_checkpoints_were_written_they_go_on_to_the_same_bits(together, tmp_path, monkeypatch):
    keep, kept = Keeper.keep, []

    def killed(*of_seed):
        kept.append(of_seed)
        if len(kept) == 5:  # of the second epoch, after the first seed
            raise MemoryError
        keep(*of_seed)

    monkeypatch.setattr(Keeper, "keep", killed)
    with pytest.raises(MemoryError):
        sweep(configs(tmp_path, seeds=3), out=tmp_path, together="yes")
    monkeypatch.undo()
    steps = [int(restore(tmp_path / f"seed{seed}").state.step) for seed in range(3)]
    assert steps == [2 * STEPS, STEPS, STEPS]
    sweep(configs(tmp_path, seeds=3, resume=True), out=tmp_path, together="yes")
    for seed, result in enumerate(together):
        run = restore(tmp_path / f"seed{seed}")
        assert leaves(run.state) == leaves(result.state)
        assert [record["epoch"] for record in run.run.metrics()] == [1, 2]
        assert [record["step"] for record in run.run.steps()] == [STEPS, 2 * STEPS]


def test_of_seeds_trained_together_one_that_diverges_leaves_the_others(together, tmp_path, monkeypatch):
    from jaxcnn.train import experiment

    initial = experiment.Experiment.initial_state

    def broken(self):
        state = initial(self)
        if self.recipe.seed == 1:
            state = replace(state, params=jax.tree.map(lambda p: p * np.nan, state.params))
        return state

    monkeypatch.setattr(experiment.Experiment, "initial_state", broken)
    found = sweep(configs(tmp_path, seeds=3), out=tmp_path, together="yes")
    assert [outcome.status for outcome in found] == ["finished", "diverged", "finished"]
    assert leaves(restore(tmp_path / "seed2").state) == leaves(together[2].state)
    (point,) = points(found)
    assert len(point.accuracies("test")) == 2


def test_what_can_not_be_trained_together_is_named_or_trained_one_after_the_other(tmp_path):
    with pytest.raises(ValueError, match="together is 'yes', but patience=1 may stop each seed at another epoch"):
        sweep(configs(tmp_path, seeds=2, patience=1), together="yes")
    groups = []

    def watching(configs):
        groups.append(len(configs))
        return nullcontext(())

    sweep(configs(tmp_path / "a", seeds=2, epochs=1, patience=1), watching=watching)
    sweep(configs(tmp_path / "b", seeds=2, epochs=1), watching=watching)
    assert groups == [1, 1, 2]
