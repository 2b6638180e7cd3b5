"""What is said of a run, on made-up curves."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from jaxcnn.report.page import verdict
from jaxcnn.train.recipe import TrainConfig


def epochs(eval_loss, train_loss=None, part="test", **fields):
    """Records of so many epochs, of 10 steps each."""
    count = len(eval_loss)
    columns = {
        "train_loss": eval_loss if train_loss is None else train_loss,
        "eval_loss": eval_loss,
        "train_accuracy": [0.9] * count,
        "eval_accuracy": [0.9] * count,
        "learning_rate": [0.1] * count,
        "seconds": [1.0] * count,
    } | fields
    lines = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [{"epoch": i + 1, "step": 10 * (i + 1), "part": part} | line for i, line in enumerate(lines)]


def steps(losses):
    return [
        {"step": i + 1, "loss": loss, "accuracy": 0.5, "learning_rate": 0.1, "images_per_second": 1.0, "waiting": 0.0}
        for i, loss in enumerate(losses)
    ]


@pytest.mark.parametrize(("right", "images"), [(0, 7), (357, 360), (5, 5), (901, 1000)])
def test_the_interval_is_wilson_s(right, images):
    expected = binomtest(right, images).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose(verdict.interval(right, images), expected, atol=1e-4)


def test_a_run_that_came_to_its_end_and_one_that_did_not():
    config = TrainConfig(epochs=4)
    assert verdict.ended(config, epochs([1.0] * 4)).text == "Training came to its end, 4 epochs."
    found = verdict.ended(config, epochs([1.0] * 3))
    assert found.tone == "bad" and "epoch 3 of 4 epochs was the last" in found.text
    assert found.text.endswith(f"{config.command()} --resume")
    assert verdict.ended(TrainConfig(max_steps=25), epochs([1.0] * 3)).text == "Training came to its end, 25 steps."
    assert verdict.ended(TrainConfig(max_steps=40), epochs([1.0] * 3)).tone == "bad"
    assert verdict.ended(TrainConfig(epochs=1), epochs([1.0])).text == "Training came to its end, 1 epoch."


def test_patience_is_told_as_the_reason():
    curve = epochs([1.0] * 5, eval_accuracy=[0.5, 0.7, 0.6, 0.7, 0.6])
    found = verdict.ended(TrainConfig(epochs=9, patience=3), curve)
    assert found.tone == "plain" and "3 epochs were no better than epoch 2 (patience)" in found.text
    assert verdict.ended(TrainConfig(epochs=9, patience=4), curve).tone == "bad"


def test_a_loss_that_was_not_finite_and_one_that_rose():
    level = epochs([1.0, 0.9])
    assert verdict.diverged(level, steps([1.0, 0.9])) is None
    found = verdict.diverged(level, steps([1.0, None, None]))
    assert found.tone == "bad" and "in 2 stretches of steps, the first ending with step 2" in found.text
    risen = verdict.diverged(epochs([1.0, 1.0], [2.0, 7.5]), [])
    assert risen.tone == "bad" and "ends at 7.5, above the 2 of its first epoch" in risen.text
    assert verdict.diverged(epochs([1.0], [2.0]), []) is None


@pytest.mark.parametrize(
    ("accuracy", "balanced", "classes", "nothing"),
    [
        (0.1, None, 10, True),
        (0.3, None, 10, False),
        (0.9, 0.5, 2, True),
        (0.9, 0.7, 2, False),
        (0.01, None, 1000, False),
    ],
)
def test_little_better_than_guessing_counts_each_class_alike(accuracy, balanced, classes, nothing):
    fields = {} if balanced is None else {"eval_balanced_accuracy": [balanced]}
    found = verdict.near_chance(epochs([1.0], eval_accuracy=[accuracy], **fields), classes)
    assert (found is not None) is nothing


def test_overfitting_is_a_loss_that_rises_while_that_of_training_falls():
    lowest = [1.0, 0.6, 0.5, 0.52, 0.6, 0.7, 0.8]
    found = verdict.overfits(epochs(lowest, [1.0, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1]))
    assert found.tone == "bad"
    assert (
        "after epoch 3: from there the test loss rose from 0.5 to 0.7, while the training loss fell from 0.5 to 0.2"
        in (found.text)
    )
    assert verdict.overfits(epochs(lowest, [1.0, 0.7, 0.5, 0.6, 0.7, 0.8, 0.9])) is None  # both rise: no overfitting
    assert verdict.overfits(epochs([1.0, 0.6, 0.5, 0.51, 0.51, 0.51, 0.51], [1 / n for n in range(1, 8)])) is None


def test_accuracies_far_apart_are_overfitting_too():
    found = verdict.overfits(epochs([1.0] * 2, part="valid", train_accuracy=[0.9, 0.99], eval_accuracy=[0.9, 0.9]))
    assert "accuracy 99.00 % against 90.00 % on validation images, 9.0 points apart" in found.text
    assert verdict.overfits(epochs([1.0] * 2, train_accuracy=[0.9, 0.94], eval_accuracy=[0.9, 0.9])) is None


def test_a_gap_that_may_be_chance_is_no_overfitting():
    curve = epochs([1.0] * 2, train_accuracy=[0.9, 0.98], eval_accuracy=[0.9, 0.9])
    assert verdict.overfits(curve, images=10) is None  # of which one is ten points
    assert "8.0 points apart" in verdict.overfits(curve, images=1000).text
    config, classes = TrainConfig(epochs=2), ["cat", "dog"]
    for images, gap in (([[5, 1], [0, 4]], False), ([[500, 100], [0, 400]], True)):
        said = verdict.findings(config, curve, [], classes, np.array(images))
        assert any("points apart" in finding.text for finding in said) == gap


def noisy(begin, end, count, noise):
    return list(np.linspace(begin, end, count) + noise * np.random.default_rng(0).standard_normal(count))


def test_whether_it_still_improved_is_a_slope_above_its_noise():
    falling = verdict.improving(epochs(noisy(2.0, 1.0, 40, 0.01)))
    assert falling.text.startswith("It was still improving at the end: over the last 10 epochs the test loss fell from")
    assert "rate" not in falling.text
    for rates, told in ((np.linspace(1.0, 0.0, 40), True), (np.linspace(0.0, 1.0, 40), False)):
        found = verdict.improving(epochs(noisy(2.0, 1.0, 40, 0.01), learning_rate=list(rates)))
        assert ("learning rate was falling" in found.text) == told
    for level in (noisy(1.0, 1.0, 40, 0.01), noisy(1.0, 0.99, 40, 0.0)):
        assert "no longer improving" in verdict.improving(epochs(level)).text
    assert verdict.improving(epochs(noisy(1.0, 2.0, 40, 0.01))).tone == "bad"
    assert verdict.improving(epochs([3.0, 2.0, 1.0])) is None


@pytest.mark.parametrize("losses", [[1.6, 1.0, 0.97, 0.96], [0.5, 0.9, 0.4, 1.2], noisy(1.1, 1.0, 40, 0.5)[-10:]])
def test_a_loss_that_changed_but_not_steadily_is_not_said_to_have_stayed(losses):
    found = verdict.improving(epochs([*[2.0] * 3 * len(losses), *losses][-4 * len(losses) :]))
    assert found.tone == "plain" and "can't be told" in found.text
    assert f"was between {min(losses):.4g} and {max(losses):.4g}" in found.text


def test_the_slope_is_that_of_least_squares():
    losses = noisy(2.0, 1.0, 40, 0.05)
    slope, offset = np.polyfit(np.arange(10), losses[-10:], 1)
    begin, end = offset, offset + 9 * slope
    assert f"fell from {begin:.4g} to {end:.4g}." in verdict.improving(epochs(losses)).text


def test_a_better_epoch_before_the_last():
    curve = epochs([1.0] * 3, eval_accuracy=[0.5, 0.75, 0.7])
    found = verdict.best(TrainConfig(), curve)
    assert found.text.startswith("Epoch 2 was better by eval_accuracy, 75.00 % against 70.00 % at the end; model/best")
    assert "flatters" in found.text
    assert "flatters" not in verdict.best(TrainConfig(), epochs([1.0] * 2, part="valid", eval_accuracy=[0.7, 0.6])).text
    assert verdict.best(TrainConfig(best_by="eval_loss"), epochs([1.0, 0.9])) is None


def test_waiting_is_weighted_by_time_and_told_from_a_tenth_on():
    assert "25.00 %" in verdict.waited(epochs([1.0] * 2, waiting=[1.0, 0.0], seconds=[1.0, 3.0])).text
    assert verdict.waited(epochs([1.0] * 2, waiting=[0.2, 0.0], seconds=[1.0, 3.0])) is None
    assert verdict.waited(epochs([1.0])) is None  # of an earlier version


def test_what_it_confuses_is_read_off_the_matrix():
    matrix = np.array([[8, 2, 0], [0, 10, 0], [0, 5, 5]])
    found = verdict.confused(matrix, ["cat", "dog", "cow"])
    assert found.text == (
        "Most often it takes cow for dog (5 of 10), cat for dog (2 of 10). "
        "It recognises cow least: 50.00 % of 10 images."
    )
    assert verdict.confused(np.eye(2, dtype=int)[::-1], ["cat", "dog"]).text.endswith("0.00 % of 1 image.")
    assert verdict.confused(np.diag([3, 0, 4]), ["cat", "dog", "cow"]).tone == "good"


def test_what_one_should_look_into_comes_first():
    curve = epochs([1.0] * 4, [1.0, 2.0, 3.0, 4.0], eval_accuracy=[0.1] * 4)
    said = verdict.findings(TrainConfig(epochs=4), curve, [], list("abcdefghij"))
    tones = [finding.tone for finding in said]
    assert tones[:2] == ["bad", "bad"] and tones == sorted(tones, key=lambda tone: tone != "bad")
    assert not any(math.nan is finding for finding in said)
