"""What is to be said of a run: each rule looks at its figures and makes a sentence, or has nothing to say.

Of the figures of training: they are means over the epoch, with augmentation and dropout, while those of evaluation are
of its end, without. So a difference between the two has to be large to mean something.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jax
import numpy as np

from jaxcnn.report.page.numbers import duration, number, percent
from jaxcnn.report.page.trained import Trained
from jaxcnn.train import measures
from jaxcnn.train.figures import score
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run_folder import RunFolder
from jaxcnn.train.watch import Epoch, Steps

LEVEL = 0.02  # a change of the loss by less than this share of it is none
RISE = 0.05  # from its lowest, by which the loss of evaluation tells overfitting
GAP = 0.05  # of accuracy between training and evaluation, by which it is told, too
LITTLE_BETTER = 1.2  # times the accuracy of guessing
WAITING = 0.1  # share of the time that is worth a word
PARTS = {"test": "test", "valid": "validation"}


@dataclass(frozen=True)
class Finding:
    """A sentence or two; "bad" is what one should look into."""

    tone: Literal["good", "plain", "bad"]
    text: str


def interval(right: int, images: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % confidence interval of a share of which `right` of so many images were (Wilson 1927, score interval)."""
    share, n = right / images, images
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(middle - half, 0.0), min(middle + half, 1.0)


def ended(config: TrainConfig, epochs: Sequence[Epoch]) -> Finding:
    """Whether training came to the end that it was given."""
    last = epochs[-1]
    assert config.epochs is not None  # filled in
    whole = last["epoch"] >= config.epochs if config.max_steps is None else last["step"] >= config.max_steps
    length = _count(config.epochs, "epoch") if config.max_steps is None else _count(config.max_steps, "step")
    if whole:
        return Finding("plain", f"Training came to its end, {length}.")
    scores = [score(config.best_by, record) for record in epochs]
    if config.patience is not None and len(scores) > scores.index(max(scores)) + config.patience:
        since = f"{config.patience} epochs were no better than epoch {epochs[scores.index(max(scores))]['epoch']}"
        return Finding("plain", f"Training stopped after epoch {last['epoch']} of {length}: {since} (patience).")
    return Finding(
        "bad",
        f"Training has not come to its end: epoch {last['epoch']} of {length} was the last. It may still be running; "
        f"if it was stopped, or its loss was no longer finite, go on with: {config.command()} --resume",
    )


def _count(many: int, one: str) -> str:
    return f"{many} {one}" if many == 1 else f"{many} {one}s"


def diverged(epochs: Sequence[Epoch], steps: Sequence[Steps]) -> Finding | None:
    """Whether the loss was not finite for a while, or ends above where it began."""
    if broken := [line["step"] for line in steps if line["loss"] is None]:
        stretch = "one stretch" if len(broken) == 1 else f"{len(broken)} stretches"
        return Finding("bad", f"The loss was not finite in {stretch} of steps, the first ending with step {broken[0]}.")
    first, last = epochs[0]["train_loss"], epochs[-1]["train_loss"]
    if len(epochs) > 1 and last > (1 + RISE) * first:
        what = f"the training loss ends at {number(last)}, above the {number(first)} of its first epoch"
        return Finding("bad", f"It diverged: {what}. A lower learning rate or clip_norm may help.")
    return None


def near_chance(epochs: Sequence[Epoch], classes: int) -> Finding | None:
    """Whether it is little better than guessing, by the mean recall of the classes, which would then be 1 / classes."""
    accuracy = epochs[-1].get("eval_balanced_accuracy", epochs[-1]["eval_accuracy"])
    if accuracy > LITTLE_BETTER / classes:
        return None
    return Finding(
        "bad",
        f"It is little better than guessing: of each class it recognises {percent(accuracy)} on average, and guessing "
        f"among {classes} classes would {percent(1 / classes)}.",
    )


def overfits(epochs: Sequence[Epoch], images: int | None = None) -> Finding | None:
    """Whether the loss of evaluation rose from its lowest while that of training fell, or accuracies lie far apart.

    The end is the mean of the last three epochs. Where it is known how many `images` the accuracy is of, that of
    training has to be outside its confidence interval: of ten images, one is ten points.
    """
    part, last = PARTS[epochs[-1]["part"]], epochs[-1]
    losses = [record["eval_loss"] for record in epochs]
    lowest = int(np.argmin(losses))
    ends, trained = (float(np.mean([r[name] for r in epochs[-3:]])) for name in ("eval_loss", "train_loss"))
    if lowest < len(epochs) - 3 and ends > (1 + RISE) * losses[lowest] and trained < epochs[lowest]["train_loss"]:
        return Finding(
            "bad",
            f"It overfits after epoch {epochs[lowest]['epoch']}: from there the {part} loss rose from "
            f"{number(losses[lowest])} to {number(ends)}, while the training loss fell from "
            f"{number(epochs[lowest]['train_loss'])} to {number(trained)}. More augmentation or weight decay, or fewer "
            "epochs, may help.",
        )
    chance = images is not None and last["train_accuracy"] <= interval(round(last["eval_accuracy"] * images), images)[1]
    if (gap := last["train_accuracy"] - last["eval_accuracy"]) > GAP and not chance:
        return Finding(
            "bad",
            f"It knows its training images better than others: accuracy {percent(last['train_accuracy'])} against "
            f"{percent(last['eval_accuracy'])} on {part} images, {100 * gap:.1f} points apart.",
        )
    return None


def improving(epochs: Sequence[Epoch]) -> Finding | None:
    """Whether the loss of evaluation was still falling: by the straight line of least squares through the last quarter.

    It fell where the line falls by 2 % of the loss and by more than three times its standard error, and stayed where
    the line changes by less than 2 %. Of fewer than 4 epochs in that quarter nothing is said.
    """
    losses = np.array([record["eval_loss"] for record in epochs[-max(len(epochs) // 4, 4) :]])
    part, count = PARTS[epochs[-1]["part"]], len(losses)
    if count < 4:
        return None
    x = np.arange(count) - (count - 1) / 2
    slope = float(x @ losses / (x @ x))
    rest = losses - losses.mean() - slope * x
    error = math.sqrt(float(rest @ rest) / (count - 2) / float(x @ x))
    begin, end = (float(losses.mean()) + slope * at for at in (x[0], x[-1]))
    fell = begin - end
    over = f"over the last {count} epochs the {part} loss"
    if fell > LEVEL * abs(begin) and -slope > 3 * error:
        slower = epochs[-1]["learning_rate"] < epochs[-count]["learning_rate"]
        caution = " The learning rate was falling meanwhile, with which a loss falls at any length." if slower else ""
        return Finding(
            "plain",
            f"It was still improving at the end: {over} fell from {number(begin)} to {number(end)}. More epochs may "
            f"help.{caution}",
        )
    if -fell > LEVEL * abs(begin) and slope > 3 * error:
        return Finding("bad", f"It was getting worse at the end: {over} rose from {number(begin)} to {number(end)}.")
    if abs(fell) <= LEVEL * abs(begin):
        stayed = number(float(losses.mean()))
        return Finding("plain", f"It was no longer improving at the end: {over} stayed at {stayed}.")
    ends = f"between {number(float(losses.min()))} and {number(float(losses.max()))}"
    return Finding(
        "plain", f"Whether it was still improving at the end can't be told: {over} was {ends}, with no steady slope."
    )


def best(config: TrainConfig, epochs: Sequence[Epoch]) -> Finding | None:
    """Whether an earlier epoch was better than the last, which is what all commands take."""
    scores = [score(config.best_by, record) for record in epochs]
    chosen = epochs[scores.index(max(scores))]
    if max(scores) <= scores[-1]:
        return None
    text = percent if "accuracy" in config.best_by or "top5" in config.best_by else number
    there, now = text(chosen[config.best_by]), text(epochs[-1][config.best_by])  # type: ignore[literal-required]
    flattered = " Chosen by the test images, that figure flatters." if chosen["part"] == "test" else ""
    return Finding(
        "plain",
        f"Epoch {chosen['epoch']} was better by {config.best_by}, {there} against {now} at the end; model/best has its "
        f"weights.{flattered}",
    )


def waited(epochs: Sequence[Epoch]) -> Finding | None:
    """Whether the device waited for images for a good part of the time."""
    known = [(record["waiting"], record["seconds"]) for record in epochs if "waiting" in record]
    seconds = sum(of for _, of in known)
    if not seconds or (share := sum(waiting * of for waiting, of in known) / seconds) < WAITING:
        return None
    return Finding("bad", f"For {percent(share)} of the time the device waited for images; more workers may help.")


def confused(confusion: np.ndarray, classes: Sequence[str], most: int = 3) -> Finding | None:
    """Which classes it takes for which, most often, and which it recognises least; see `measures.confusion_matrix`."""
    pairs = measures.most_confused(confusion, most)
    if not pairs:
        return Finding("good", "It confuses no classes: every image is classified correctly.")
    told = [f"{classes[true]} for {classes[said]} ({count} of {confusion[true].sum()})" for true, said, count in pairs]
    recalls = measures.recall(confusion)
    weakest = int(np.nanargmin(recalls))
    return Finding(
        "plain",
        f"Most often it takes {', '.join(told)}. It recognises {classes[weakest]} least: "
        f"{percent(recalls[weakest])} of {_count(confusion[weakest].sum(), 'image')}.",
    )


@dataclass(frozen=True)
class Verdict:
    """The accuracy, of how many images and how well it is known, and what else is to be said.

    `images` and `interval` are None where the test images are not there; the accuracy is then the last epoch's.
    """

    accuracy: float
    part: str
    images: int | None
    interval: tuple[float, float] | None
    figures: list[tuple[str, str]]
    findings: list[Finding]


def verdict(run: RunFolder, epochs: Sequence[Epoch], trained: Trained) -> Verdict:
    """What is to be said of a run in words."""
    last, tested = epochs[-1], trained.tested
    part, classes = PARTS[last["part"]], run.facts.classes
    figures = [
        ("epochs", f"{last['epoch']:,}"),
        ("steps", f"{last['step']:,}"),
        ("time", duration(sum(record["seconds"] for record in epochs))),
    ]
    if trained.model is not None:
        figures.append(("parameters", f"{sum(a.size for a in jax.tree.leaves(trained.model.params)):,}"))
    if tested is None:
        figures.insert(0, (f"{part} loss", number(last["eval_loss"])))
        said = findings(run.config, epochs, run.steps(), classes)
        return Verdict(last["eval_accuracy"], part, None, None, figures, said)
    if last["part"] == "valid":
        figures.insert(0, ("validation accuracy", percent(last["eval_accuracy"])))
    figures.insert(0, ("test loss", number(tested.evaluation.loss)))
    confusion = measures.confusion_matrix(tested.probabilities, tested.labels)
    said = findings(run.config, epochs, run.steps(), classes, confusion)
    known = interval(int(np.trace(confusion)), len(tested.labels))
    return Verdict(tested.evaluation.accuracy, "test", len(tested.labels), known, figures, said)


def findings(
    config: TrainConfig,
    epochs: Sequence[Epoch],
    steps: Sequence[Steps],
    classes: Sequence[str],
    confusion: np.ndarray | None = None,
) -> list[Finding]:
    """All that is to be said, what one should look into first."""
    tested = None if confusion is None or epochs[-1]["part"] != "test" else int(confusion.sum())
    overfitted, trend = overfits(epochs, tested), improving(epochs)
    found = [
        diverged(epochs, steps),
        near_chance(epochs, len(classes)),
        overfitted,
        None if overfitted and trend and trend.tone == "bad" else trend,  # which would say the same again
        ended(config, epochs),
        best(config, epochs),
        waited(epochs),
        None if confusion is None else confused(confusion, classes),
    ]
    said = [finding for finding in found if finding is not None]
    return sorted(said, key=lambda finding: finding.tone != "bad")
