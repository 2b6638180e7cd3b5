"""Whole runs: what they leave, that they repeat bit for bit, and how they stop."""

import json
import math
import shutil
import signal
import subprocess

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxcnn
from jaxcnn.data import train_batches
from jaxcnn.train import checkpoint, experiment, model_folder
from jaxcnn.train.figures import BETTER, score
from jaxcnn.train.loop import train
from jaxcnn.train.restore import restore
from jaxcnn.train.watch import Epoch, Watcher
from tests.train.test_checkpoint import leaves
from tests.train.tiny import STEPS, config


class CtrlC(Watcher):
    """Presses Ctrl-C once, after a step."""

    def __init__(self, at):
        self.at = at

    def step_done(self, step, metrics):
        if step == self.at:
            signal.raise_signal(signal.SIGINT)


def figures(result):
    """The run's metrics without the times."""
    timed = ("seconds", "images_per_second", "waiting")
    return [{k: v for k, v in record.items() if k not in timed} for record in result.run.metrics()]


def test_a_run_leaves_everything_in_its_folder(trained):
    path = trained.run.path
    names = {"config.json", "metrics.jsonl", "checkpoints", "model"}
    assert {child.name for child in path.iterdir()} == names
    lines = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["steps", "epoch"] * 2
    records = lines[1::2]
    assert [(record["epoch"], record["step"]) for record in records] == [(1, STEPS), (2, 2 * STEPS)]
    assert records[-1]["eval_accuracy"] == trained.evaluation.accuracy > 0.2  # chance is 0.1
    assert records[-1]["eval_top5"] == trained.evaluation.top5 > records[-1]["eval_accuracy"]
    assert records[-1]["eval_balanced_accuracy"] == trained.evaluation.balanced_accuracy
    assert records[-1]["eval_calibration_error"] == trained.evaluation.calibration_error
    assert records[1]["train_loss"] < records[0]["train_loss"]
    assert records[-1]["learning_rate"] == float(trained.experiment.schedule(2 * STEPS - 1))
    facts = trained.run.facts
    assert (facts.classes, facts.image_shape) == (tuple("0123456789"), (8, 8, 1))


def test_evaluation_is_of_the_test_images(trained):
    dataset, evaluation = trained.experiment.dataset, trained.evaluation
    assert evaluation.probabilities.shape == (360, 10)
    p = evaluation.probabilities[np.arange(360), dataset.test_labels]
    assert evaluation.loss == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert evaluation.accuracy == (evaluation.probabilities.argmax(1) == dataset.test_labels).mean()
    order = evaluation.hardest(dataset.test_labels)
    right = (evaluation.probabilities.argmax(1) == dataset.test_labels)[order]
    assert sorted(order) == list(range(360)) and (np.diff(right.astype(int)) >= 0).all()
    assert (np.diff(p[order][~right]) >= 0).all() and (np.diff(p[order][right]) >= 0).all()


def test_the_same_seed_gives_the_same_bits_and_another_does_not(trained, tmp_path):
    again = train(config(tmp_path / "again"))
    assert leaves(again.state) == leaves(trained.state)
    assert figures(again) == figures(trained)
    other = train(config(tmp_path / "other", seed=1))
    assert leaves(other.state.params) != leaves(trained.state.params)


@pytest.mark.parametrize("at", [2, STEPS, STEPS + 3])
def test_interrupted_and_resumed_ends_in_the_same_bits(trained, tmp_path, at):
    stopped = train(config(tmp_path), CtrlC(at))
    assert stopped.evaluation is None and stopped.state.step == at
    assert leaves(restore(tmp_path).state) == leaves(stopped.state)
    resumed = train(config(tmp_path, resume=True))
    assert leaves(resumed.state) == leaves(trained.state)
    assert figures(resumed) == figures(trained)


def test_interrupted_at_the_last_step_is_finished(trained, tmp_path):
    finished = train(config(tmp_path), CtrlC(2 * STEPS))
    assert finished.evaluation is not None and finished.evaluation.accuracy == trained.evaluation.accuracy
    assert leaves(finished.state) == leaves(trained.state)


def test_a_finished_run_resumed_changes_nothing_and_more_epochs_go_on(trained, tmp_path):
    shutil.copytree(trained.run.path, tmp_path, dirs_exist_ok=True)
    resumed = train(config(tmp_path, resume=True))
    assert leaves(resumed.state) == leaves(trained.state)
    assert resumed.evaluation.accuracy == trained.evaluation.accuracy
    with pytest.warns(UserWarning, match="the onecycle schedule now stretches over 3 epochs, not 2"):
        longer = train(config(tmp_path, epochs=3, resume=True))
    assert [record["epoch"] for record in longer.run.metrics()] == [1, 2, 3]
    assert longer.state.step == 3 * STEPS


def test_best_is_the_epoch_with_the_highest_eval_accuracy(tmp_path, monkeypatch):
    accuracies = iter([0.5, 0.7, 0.6])
    evaluate = experiment.Experiment.evaluate
    monkeypatch.setattr(
        experiment.Experiment, "evaluate", lambda self, *of: evaluate(self, *of)._replace(accuracy=next(accuracies))
    )
    train(config(tmp_path, epochs=3))
    assert restore(tmp_path, "best").state.step == 2 * STEPS
    assert restore(tmp_path, "last").state.step == 3 * STEPS


def test_best_is_by_any_figure_and_patience_follows_it(tmp_path, monkeypatch):
    losses, accuracies = iter([0.5, 0.3, 0.4, 0.6, 0.35, 0.2]), iter([0.1, 0.2, 0.3, 0.4, 0.5, 0.6])
    evaluate = experiment.Experiment.evaluate

    def made_up(self, *of):
        return evaluate(self, *of)._replace(loss=next(losses), accuracy=next(accuracies))

    monkeypatch.setattr(experiment.Experiment, "evaluate", made_up)
    options = {"epochs": 9, "best_by": "eval_loss", "schedule": "constant"}
    over = train(config(tmp_path, patience=2, **options))
    assert over.state.step == 4 * STEPS and restore(tmp_path, "best").state.step == 2 * STEPS
    assert checkpoint.check(tmp_path / "checkpoints/best") == {"eval_loss": 0.3}
    assert jaxcnn.load_model(tmp_path, "best").card.eval_accuracy == 0.2
    train(config(tmp_path, patience=3, **options, resume=True))  # 0.35 is no better
    assert restore(tmp_path).state.step == 5 * STEPS and restore(tmp_path, "best").state.step == 2 * STEPS
    with pytest.raises(ValueError, match="best_by was 'eval_loss' and is now 'eval_accuracy'"):
        train(config(tmp_path, **options | {"best_by": "eval_accuracy"}, resume=True))


def test_a_figure_that_best_may_be_chosen_by_is_one_of_an_epoch():
    assert set(BETTER) <= set(Epoch.__annotations__)
    record = {"epoch": 1, "eval_loss": 0.5, "eval_accuracy": None}
    assert score("eval_loss", record) == -0.5
    for figure in ("eval_accuracy", "train_loss"):
        with pytest.raises(ValueError, match=f"best_by is '{figure}', which this run's epochs do not have; they have"):
            score(figure, record)


def test_best_stays_best_without_the_metrics(tmp_path, monkeypatch):
    accuracies = iter([0.7, 0.5, 0.6, 0.8])
    evaluate = experiment.Experiment.evaluate
    monkeypatch.setattr(
        experiment.Experiment, "evaluate", lambda self, *of: evaluate(self, *of)._replace(accuracy=next(accuracies))
    )
    options = {"schedule": "constant", "augment": "none"}
    train(config(tmp_path, epochs=2, **options))
    (tmp_path / "metrics.jsonl").unlink()
    with pytest.warns(UserWarning, match=r"metrics\.jsonl has lost 2 of 2 epochs \(1, 2\); only the learning curves"):
        train(config(tmp_path, epochs=3, resume=True, **options))
    assert restore(tmp_path, "best").state.step == STEPS
    next((tmp_path / "checkpoints/best").glob("*/_METADATA")).unlink()  # a damaged one is no good to anybody
    with pytest.warns(UserWarning, match=r"metrics\.jsonl has lost 2 of 3 epochs \(1, 2\)"):
        train(config(tmp_path, epochs=4, resume=True, **options))
    assert restore(tmp_path, "best").state.step == 4 * STEPS


def test_a_damaged_checkpoint_points_to_the_other(trained, tmp_path):
    run = tmp_path / "the run"
    shutil.copytree(trained.run.path, run)
    last, best = (run / "checkpoints" / name for name in ("last", "best"))
    files = sorted(last.glob("*/_METADATA"))
    for file in files:
        file.write_text("{")
    with pytest.raises(ValueError) as caught:
        restore(run)
    message = str(caught.value)
    assert (
        message.startswith(f"the checkpoint file {file} is damaged") and "take --checkpoint best, or go on" in message
    )
    assert restore(run, "best").state.step == 2 * STEPS
    with pytest.raises(ValueError, match=r"_METADATA is damaged: .* was; go on training from best with --resume after"):
        train(config(run, resume=True))
    subprocess.run(message.split(" --resume after ")[1].removesuffix("."), shell=True, check=True)
    assert leaves(train(config(run, resume=True)).state) == leaves(trained.state)

    next(best.glob("*/manifest.txt")).write_text("")
    with pytest.raises(ValueError, match=r"manifest.txt is damaged: .*; take --checkpoint last\.$"):
        restore(run, "best")
    for file in last.glob("*/manifest.txt"):
        file.write_text("")
    with pytest.raises(ValueError, match=r"manifest.txt is damaged: .*; last is damaged, too: train again with jaxcnn"):
        restore(run, "best")


def test_in_the_place_of_a_damaged_checkpoint_the_one_before_it_is_taken(trained, tmp_path):
    run = shutil.copytree(trained.run.path, tmp_path / "run")
    earlier, newest = sorted((run / "checkpoints/last").iterdir())
    with (newest / "manifest.ocdbt").open("ab") as file:
        file.write(b"more")
    with pytest.warns(UserWarning, match=rf"manifest.ocdbt is damaged: .*; {earlier}, saved before it, is taken"):
        assert restore(run).state.step == STEPS
    with pytest.warns(UserWarning, match="is taken in its place"):
        again = train(config(run, resume=True))
    assert leaves(again.state) == leaves(trained.state)
    assert figures(again) == figures(trained)


def test_as_many_of_the_last_checkpoints_stay_as_wanted(tmp_path):
    train(config(tmp_path, epochs=4, keep=3))
    assert sorted(path.name for path in (tmp_path / "checkpoints/last").iterdir()) == ["1", "2", "3"]
    assert len(list((tmp_path / "checkpoints/best").iterdir())) == 1


def test_saved_within_epochs_and_killed_it_ends_in_the_same_bits(trained, tmp_path):
    class Killed(Watcher):
        def step_done(self, step, metrics):
            if step == STEPS + 5:
                raise MemoryError

    with pytest.raises(MemoryError):
        train(config(tmp_path, save_every="0.000001s"), Killed())
    assert restore(tmp_path).state.step == STEPS + 4
    again = train(config(tmp_path, resume=True))
    assert leaves(again.state) == leaves(trained.state)
    assert figures(again) == figures(trained)


@pytest.mark.parametrize("step", [3, 2 * STEPS])
def test_a_write_that_fails_ends_the_run_which_goes_on_from_the_one_before(trained, tmp_path, monkeypatch, step):
    """It is told by the next save, or at the end."""
    write = model_folder.write

    def write_others(*args, **facts):
        if facts["step"] == step:
            raise OSError("no room")
        write(*args, **facts)

    with monkeypatch.context() as full:
        full.setattr(model_folder, "write", write_others)
        with pytest.raises(OSError, match="no room"):
            train(config(tmp_path, save_every="0.000001s"))
    assert restore(tmp_path).state.step == step - 1
    assert leaves(train(config(tmp_path, resume=True)).state) == leaves(trained.state)


def test_the_time_ends_a_run_and_it_goes_on(trained, tmp_path):
    stopped = train(config(tmp_path, max_time="0.000001"))
    assert stopped.evaluation is None and stopped.state.step == 0
    assert leaves(train(config(tmp_path, resume=True)).state) == leaves(trained.state)


def test_training_for_some_steps_ends_within_an_epoch_and_may_go_on(trained, tmp_path):
    options = {"max_steps": STEPS + 4, "epochs": 7, "schedule": "constant"}
    short = train(config(tmp_path / "short", **options))
    assert short.state.step == STEPS + 4 and short.evaluation.accuracy > 0.1
    assert [(record["epoch"], record["step"]) for record in short.run.metrics()] == [(1, STEPS), (2, STEPS + 4)]
    again = train(config(tmp_path / "short", resume=True, **options))
    assert leaves(again.state) == leaves(short.state) and figures(again) == figures(short)

    whole = train(config(tmp_path / "whole", schedule="constant"))
    longer = train(config(tmp_path / "short", resume=True, **options | {"max_steps": 2 * STEPS}))
    assert leaves(longer.state) == leaves(whole.state)
    assert figures(longer) == figures(whole)
    with pytest.raises(ValueError, match=r"max_steps was 22 and is now 9 \(it may only grow\)"):
        train(config(tmp_path / "short", resume=True, **options | {"max_steps": 9}))


def test_without_a_better_epoch_for_as_long_as_patience_lasts_it_is_over(tmp_path):
    over = train(config(tmp_path, epochs=9, learning_rate=1e-9, patience=2))
    assert [record["epoch"] for record in over.run.metrics()] == [1, 2, 3]
    assert over.evaluation is not None and over.state.step == 3 * STEPS
    again = train(config(tmp_path, epochs=9, learning_rate=1e-9, patience=2, resume=True))
    assert again.state.step == 3 * STEPS and again.evaluation.accuracy == over.evaluation.accuracy


@pytest.mark.parametrize("lost", ["gone", "a file", "a broken link", "its number a file", "² beside it"])
def test_a_lost_last_is_named_with_a_way_on_that_the_command_has(trained, tmp_path, lost):
    run = shutil.copytree(trained.run.path, tmp_path / "the run")
    last = run / "checkpoints/last"
    if lost == "² beside it":
        (last / "²").mkdir()
        assert restore(run).state.step == 2 * STEPS
        return
    shutil.rmtree(last)
    if lost == "its number a file":
        last.mkdir()
        (last / "7").write_text("")
    elif lost == "a file":
        last.write_text("")
    elif lost == "a broken link":
        last.symlink_to("nowhere")
    with pytest.raises((FileNotFoundError, ValueError), match=r"last.*; take --checkpoint best, or go on training"):
        restore(run)
    with pytest.raises((FileNotFoundError, ValueError), match=r"last.*; go on training from best with") as caught:
        train(config(run, resume=True))
    assert "--checkpoint" not in str(caught.value)
    way = str(caught.value).split(" --resume after ")[1].removesuffix(".")
    subprocess.run(way, shell=True, check=True)
    assert leaves(train(config(run, resume=True)).state) == leaves(trained.state)


@pytest.mark.parametrize("place", ["checkpoints", "checkpoints/best", "checkpoints/best/0"])
def test_a_file_where_a_folder_of_checkpoints_was(trained, tmp_path, place):
    shutil.copytree(trained.run.path, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "checkpoints/best")
    if place == "checkpoints":
        shutil.rmtree(tmp_path / place)
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("")
    if place == "checkpoints":
        for attempt in (lambda: restore(tmp_path), lambda: train(config(tmp_path, resume=True))):
            with pytest.raises(ValueError, match="checkpoints is not a folder; best is damaged, too: train again with"):
                attempt()
        assert train(config(tmp_path, overwrite=True)).state.step == 2 * STEPS
        return
    with pytest.raises(ValueError, match=r"best.* is not a folder|is damaged: it is not a folder"):
        restore(tmp_path, "best")
    with pytest.warns(UserWarning, match="the onecycle schedule now"):
        train(config(tmp_path, epochs=3, resume=True))
    assert restore(tmp_path, "best").state.step == 3 * STEPS


def test_a_run_whose_checkpoints_are_gone_says_that_it_begins_anew(trained, tmp_path):
    shutil.copytree(trained.run.path, tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "checkpoints")
    with pytest.warns(UserWarning, match="holds no checkpoint any more: training begins anew"):
        assert leaves(train(config(tmp_path, resume=True)).state) == leaves(trained.state)


def test_a_run_of_another_kind_of_random_key_is_evaluated_and_goes_on(tmp_path):
    with jax.default_prng_impl("rbg"):
        whole = train(config(tmp_path / "whole"))
        train(config(tmp_path / "run"), CtrlC(STEPS + 3))
    assert restore(tmp_path / "run").state.step == STEPS + 3
    resumed = train(config(tmp_path / "run", resume=True))
    assert leaves(resumed.state) == leaves(whole.state)


def test_a_diverging_loss_stops_the_run_and_keeps_the_good_checkpoint(tmp_path, monkeypatch):
    rates = lambda config, steps: lambda step: jnp.where(step < STEPS + 1, 1e-3, 1e30)  # noqa: E731
    monkeypatch.setattr(experiment, "make_schedule", rates)
    # The second update of the second epoch is the first enormous one; the loss after it may overflow, or just not.
    steps = f"({STEPS + 3}|{STEPS + 4})"
    with pytest.raises(
        FloatingPointError, match=f"no longer finite at step {steps}: .*lower --learning-rate"
    ) as caught:
        train(config(tmp_path, epochs=3))
    assert str(caught.value).endswith(f"before that step are kept in {tmp_path}; --overwrite replaces them.")
    kept = restore(tmp_path)
    assert kept.state.step == STEPS
    assert math.isfinite(kept.experiment.evaluate(kept.state).loss)


def test_a_loss_that_diverges_in_the_first_epoch_leaves_nothing(tmp_path):
    with pytest.raises(FloatingPointError, match=r"no checkpoint before that step, so nothing is left in .*/run"):
        train(config(tmp_path / "run", optimizer="sgd", learning_rate=1e30))
    assert list(tmp_path.iterdir()) == []


def test_steps_that_are_left_out_are_counted(tmp_path):
    options = {"optimizer": "sgd", "learning_rate": 1e30, "schedule": "constant", "on_nonfinite": "skip"}
    with (
        pytest.warns(UserWarning, match=rf"epoch 1: \d+ of {STEPS} steps were not finite and left out"),
        pytest.raises(FloatingPointError),
    ):
        train(config(tmp_path / "run", **options))


class CtrlCAtTheStart(Watcher):
    def started(self, experiment, step):
        signal.raise_signal(signal.SIGINT)


def test_interrupted_before_the_first_step_and_resumed_ends_in_the_same_bits(trained, tmp_path):
    stopped = train(config(tmp_path), CtrlCAtTheStart())
    assert stopped.evaluation is None and restore(tmp_path).state.step == 0
    assert leaves(train(config(tmp_path, resume=True)).state) == leaves(trained.state)


def test_interrupted_while_the_data_is_read_leaves_the_folder_as_it_was(tmp_path, monkeypatch):
    from jaxcnn import data

    load = data.load
    monkeypatch.setattr(data, "load", lambda *a, **k: signal.raise_signal(signal.SIGINT) or load(*a, **k))
    with pytest.raises(KeyboardInterrupt, match="stopped before the first step"):
        train(config(tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "vgg11"},
            "the model vgg11 does not fit images of 8×8 pixels: .* Resize the images with image_size=N",
        ),
        ({"model": "resnet18", "image_size": 32, "batch_size": 1}, "Take batch_size=2 or more, or larger images with"),
        ({"model": "lenet"}, "Did you mean 'lenet5'"),
        ({"batch_size": 9999}, "more than the 1437 training images"),
        ({"augment": "crop(9)"}, "crop: pixels is 9"),
        ({"freeze": "cnov/*"}, r"freeze is 'cnov/\*'; 'cnov/\*' matches no parameter"),
        ({"schedule": "cosine", "warmup_steps": 999}, "warmup_steps is 999; expected no more than all of training"),
        ({"data": "cifer10"}, "Did you mean 'cifar10'"),
    ],
)
def test_a_refused_run_leaves_no_folder(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(config(tmp_path / "run", **options))
    assert list(tmp_path.iterdir()) == []


def test_bad_options_are_refused_before_the_run_folder_is_touched(trained, tmp_path):
    shutil.copytree(trained.run.path, tmp_path, dirs_exist_ok=True)
    before = (tmp_path / "metrics.jsonl").read_text()
    with pytest.raises(ValueError, match="batch_size is 9999, more than the 1437 training images; use full"):
        train(config(tmp_path, overwrite=True, batch_size=9999))
    with pytest.raises(ValueError, match=r"the model two_filters turns an image into outputs of shape \(4, 4, 10\)"):
        train(config(tmp_path, overwrite=True, model="two_filters"))
    with pytest.raises(ValueError, match="Did you mean 'lenet5'"):
        train(config(tmp_path, overwrite=True, model="lenet"))
    assert (tmp_path / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize(
    "options",
    [
        {"batch_size": "full", "optimizer": "sgd", "learning_rate": 0.1},
        {"loss": "sigmoid", "augment": "flip-shift,cutmix(1)"},
        {"augment": "rotate(5),mixup(0.2)"},
        {"label_smoothing": 0.1, "augment": "none", "schedule": "cosine", "warmup": 1.0},
    ],
)
def test_options_train(tmp_path, options):
    result = train(config(tmp_path, epochs=4, **options))
    losses = [record["train_loss"] for record in result.run.metrics()]
    assert losses[-1] < losses[0]
    if result.experiment.batch_size == 1437:
        assert result.state.step == 4
    sums = result.evaluation.probabilities.sum(1)
    assert np.allclose(sums, 1, atol=1e-5) == (result.experiment.recipe.loss == "softmax")


def test_restore_names_what_is_missing_or_changed(tmp_path, trained, monkeypatch):
    stopped = train(config(tmp_path), CtrlC(2))
    with pytest.raises(FileNotFoundError, match="has no checkpoint 'best' yet; take --checkpoint last"):
        restore(stopped.run.path, "best")
    from jaxcnn import data

    changed = data.load("digits", image_size=9)
    monkeypatch.setattr(data, "load", lambda *a, **k: changed)
    with pytest.raises(
        ValueError, match=r"now has the image shape \(9, 9, 1\), but the run .* was trained with \(8, 8"
    ):
        restore(stopped.run.path)


def test_nothing_is_traced_anew_when_a_run_goes_on(tmp_path):
    trained = train(config(tmp_path / "run"))
    assert trained.experiment.train_step._cache_size() == 1
    assert trained.experiment.eval_step._cache_size() == 1
    assert jax.tree.leaves(trained.state.params)[0].dtype == jnp.float32


def test_two_processes_in_one_run_folder_are_refused(tmp_path):
    class Second(Watcher):
        def step_done(self, step, metrics):
            if step == 3:
                with pytest.raises(BlockingIOError, match=r"another process is training in the run folder .*/run"):
                    train(config(tmp_path / "run", resume=True))
                raise MemoryError

    with pytest.raises(MemoryError):
        train(config(tmp_path / "run", save_every="0.000001"), Second())
    assert train(config(tmp_path / "run", resume=True)).state.step == 2 * STEPS


def pets(folder, parts, per_class=12, classes=("dark", "light")):
    """A folder of pictures that are easily told apart: PARTS/CLASS/number.png, noise about two greys."""
    rng = np.random.default_rng(0)
    for part in parts:
        for level, name in enumerate(classes):
            place = folder / part / name
            place.mkdir(parents=True)
            for number in range(per_class if level else per_class // 2):
                pixels = rng.integers(0, 60, (8, 8)) + 60 + 90 * level
                Image.fromarray(pixels.astype(np.uint8)).save(place / f"{number}.png")
    return folder


def test_the_best_epoch_is_chosen_by_the_validation_part_and_the_last_figure_is_of_the_test_part(tmp_path):
    folder = pets(tmp_path / "pets", ("train", "val", "test"))
    shutil.rmtree(folder / "test/light")
    shutil.copytree(folder / "test/dark", folder / "test/light")  # so of the test images half are wrong
    result = train(config(tmp_path / "run", data=str(folder), batch_size=6, epochs=4))
    records = result.run.metrics()
    assert {record["part"] for record in records} == {"valid"} and records[-1]["eval_accuracy"] == 1
    assert result.evaluation.accuracy == 0.5
    assert checkpoint.check(tmp_path / "run/checkpoints/best") == {"eval_accuracy": 1.0}


@pytest.mark.parametrize("option", [{"class_weights": "balanced"}, {"sampling": "balanced"}])
def test_small_classes_count_as_much_as_large_ones(tmp_path, option):
    folder = pets(tmp_path / "pets", ("train", "val"))
    result = train(config(tmp_path / "run", data=str(folder), batch_size=6, **option))
    experiment, labels = result.experiment, result.experiment.dataset.train_labels
    assert np.bincount(labels).tolist() == [6, 12]
    if "class_weights" in option:
        logits = jnp.zeros((18, 2))
        of_class = np.bincount(labels, np.asarray(experiment.loss(logits, labels)))
        np.testing.assert_allclose(of_class, 9 * np.log(2), rtol=1e-6)
    else:
        batches = train_batches(experiment.dataset.train_images, labels, 18, seed=0, epoch=0, balanced=True)
        assert np.bincount(next(batches)[1]).tolist() == [9, 9]
