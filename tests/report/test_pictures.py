"""Pictures: that what they should show is in the pixels, and in the order that they promise."""

from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from jaxcnn.data import Dataset
from jaxcnn.report import curves, gradients, predictions, style
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.gradients import GradientCheck, LayerGradient

OTHERS = (1.0, 0.8, 0.1)  # figures of an evaluation that no picture shows


def count(path, color):
    """How many pixels have this colour, but for rounding."""
    rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((abs(pixels - rgb) <= 1).all(-1).sum())


def records(n):
    return [
        {
            "epoch": e,
            "train_loss": 2 / e,
            "part": "test",
            "eval_loss": 1 / e,
            "train_accuracy": 1 - 0.9 / e,
            "eval_accuracy": 1 - 0.5 / e,
        }
        for e in range(1, n + 1)
    ]


@pytest.mark.parametrize("n", [1, 30])
def test_curves_show_train_and_test(tmp_path, n):
    curves.save(records(n), tmp_path / "curves.png", title="lenet5 on digits")
    assert count(tmp_path / "curves.png", style.FIRST) > 100
    assert count(tmp_path / "curves.png", style.SECOND) > 100


def test_curves_of_a_perfect_run_can_be_drawn(tmp_path):
    perfect = [
        dict.fromkeys(records(1)[0], 0.0) | {"epoch": 1, "part": "test", "train_accuracy": 1.0, "eval_accuracy": 1.0}
    ]
    curves.save(perfect, tmp_path / "curves.png", title="perfect")
    assert count(tmp_path / "curves.png", style.SECOND) > 100


def test_the_best_epoch_is_that_of_the_test_images(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append(figure))
    accuracies = (0.4, 0.8, 0.7)  # those on the training images rise
    curves.save([r | {"eval_accuracy": a} for r, a in zip(records(3), accuracies, strict=True)], tmp_path, title="")
    _, accuracy = drawn[0].axes
    assert "best test 0.8000, epoch 2" in [text.get_text() for text in accuracy.get_legend().get_texts()]


def test_the_loss_of_steps_lies_between_that_of_epochs(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(style, "save", lambda figure, path: drawn.append(figure))
    epochs = [record | {"step": 10 * record["epoch"]} for record in records(2)]
    steps = [{"step": step, "loss": None if step == 10 else 3 / step} for step in (5, 10, 15, 20)]
    curves.save(epochs, tmp_path, title="", steps=steps)
    curves.save(epochs, tmp_path, title="", steps=steps[1::2])
    with_steps, without = (figure.axes[0].get_lines() for figure in drawn)
    assert len(with_steps) == len(without) + 1
    assert with_steps[-1].get_xydata().tolist() == [[0.5, 0.6], [1.5, 0.2], [2.0, 0.15]]


def test_curves_without_epochs(tmp_path):
    with pytest.raises(ValueError, match="there are no epochs to draw"):
        curves.save([], tmp_path / "curves.png", title="")


def pictures(channels, size=(6, 6)):
    """Ten test images, each of one brightness, and 60 % for the true class of all but the first two."""
    images = np.ones((10, *size, channels), np.uint8) * np.arange(20, 220, 20, dtype=np.uint8)[:, None, None, None]
    labels = np.arange(10, dtype=np.int32) % 3
    probabilities = np.full((10, 3), 0.2)
    probabilities[range(10), np.where(np.arange(10) < 2, (labels + 1) % 3, labels)] = 0.6
    dataset = Dataset("grays", images, labels, images, labels, ("ant", "bee", "a class with a long name"))
    return dataset, Evaluation(0.5, 0.8, probabilities, *OTHERS)


@pytest.mark.parametrize(("channels", "size"), [(1, (6, 6)), (3, (4, 8))])
def test_predictions_show_every_image_and_the_mistakes_in_red(tmp_path, channels, size):
    dataset, evaluation = pictures(channels, size)
    predictions.save(dataset, evaluation, tmp_path / "p.png", title="net on grays")
    for gray in dataset.test_images[:, 0, 0, 0]:
        assert count(tmp_path / "p.png", f"#{gray:02x}{gray:02x}{gray:02x}") > 10_000
    assert count(tmp_path / "p.png", style.WRONG) > 20


def test_predictions_without_mistakes_have_no_red(tmp_path):
    dataset, evaluation = pictures(1)
    right = np.eye(3)[dataset.test_labels]
    predictions.save(dataset, evaluation._replace(probabilities=right), tmp_path / "p.png", title="net on grays")
    assert count(tmp_path / "p.png", style.WRONG) == 0


CHECK = GradientCheck(
    (
        LayerGradient("conv1", 2.0, 1e-3, 1e-16),
        LayerGradient("relu", None, 1e-2, None),
        LayerGradient("dead", 0.0, 0.0, 0.0),
        LayerGradient("head", 3.0, 0.1, 3e-16),
    ),
    arrays=6,
    images=8,
)


def test_gradients_have_a_bar_for_each_norm_on_a_logarithmic_scale(tmp_path):
    gradients.save(CHECK, tmp_path / "gradients.png", title="net on grays")
    pixels = np.asarray(Image.open(tmp_path / "gradients.png").convert("RGB"))
    orange = (pixels == [int(style.SECOND[i : i + 2], 16) for i in (1, 3, 5)]).all(-1)
    # Widest first: the bars of δ end at 0.1, 0.01 and 0.001, so their ends are equally far apart.
    ends = sorted({int(row.nonzero()[0].max()) for row in orange[: len(orange) * 3 // 4] if row.sum() > 20})
    ends = [e for i, e in enumerate(ends) if i == 0 or e - ends[i - 1] > 5]
    assert len(ends) == 3 and ends[2] - ends[1] == pytest.approx(ends[1] - ends[0], abs=3)


def test_the_table_says_what_the_check_found(tmp_path):
    from rich.console import Console

    console = Console(width=100, record=True, file=(tmp_path / "out").open("w"))
    console.print(gradients.table(CHECK))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["│", "conv1", "│", "2.000e+00", "│", "1.000e-03", "│", "1.0e-16", "│"] in lines
    assert ["│", "relu", "│", "│", "1.000e-02", "│", "│"] in lines


WORDS = ("$0_$5", "$5_$10", r"\frac{50%}{^", "a_b$", "$x^2$", "{} %s $", "\\$", "#~[red]:cat:")
TITLE = "$a$_b$: %"


def all_words(what, path):
    """Draw the words as names of classes or layers, and TITLE over them, into the picture `path`."""
    if what == "gradients":
        layers = tuple(LayerGradient(word, 1.0, 0.1, 0.0) for word in WORDS)
        gradients.save(GradientCheck(layers, 8, 8), path, title=TITLE)
    elif what == "predictions":
        images, labels = np.zeros((len(WORDS), 6, 6, 1), np.uint8), np.arange(len(WORDS), dtype=np.int32)
        dataset = Dataset("$", images, labels, images, labels, WORDS)
        predictions.save(dataset, Evaluation(0.5, 1.0, np.eye(len(WORDS)), *OTHERS), path, title=TITLE)
    else:
        curves.save(records(3), path, title=TITLE)


@pytest.mark.parametrize("what", ["curves", "predictions", "gradients"])
def test_the_words_of_users_are_no_mathematics(tmp_path, monkeypatch, what):
    import matplotlib

    monkeypatch.setattr(style, "save", lambda figure, path: figure.savefig(path, format="svg"))
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        all_words(what, tmp_path / "picture.svg")
    written = "".join(ElementTree.parse(tmp_path / "picture.svg").getroot().itertext())
    assert TITLE in written
    assert what == "curves" or [word for word in WORDS if word not in written] == []


def test_characters_that_the_font_lacks_are_named_once_with_the_picture(tmp_path):
    images, labels = np.zeros((3, 6, 6, 1), np.uint8), np.arange(3, dtype=np.int32)
    dataset = Dataset("日", images, labels, images, labels, ("日本語", "é", "日$"))
    with pytest.warns(UserWarning) as warned:
        predictions.save(dataset, Evaluation(0.5, 1.0, np.eye(3), *OTHERS), tmp_path / "p.png", title="日")
    (message,) = (str(w.message) for w in warned)
    assert message.startswith(f"{tmp_path}/p.png has boxes for characters that its font lacks: ")
    assert set(message.split(": ")[1]) == {*"日本語 "}
    assert (tmp_path / "p.png").stat().st_size > 1000


def test_a_picture_that_cant_be_drawn_is_a_warning(tmp_path):
    with (
        pytest.warns(UserWarning, match=r"p\.png could not be drawn \(ValueError: no ink\)"),
        style.or_warn(tmp_path / "p.png"),
    ):
        raise ValueError("no ink")
