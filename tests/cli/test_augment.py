"""`jaxcnn augment`: the picture, and what is wrong with its options."""

import numpy as np
import pytest
from PIL import Image

from jaxcnn.cli.augment import DRAWS, ROWS
from jaxcnn.report import augmented


@pytest.fixture
def drawn(monkeypatch):
    """What is given to be drawn."""
    seen = []
    monkeypatch.setattr(augmented, "save", lambda images, captions, path, title: seen.append((images, captions, title)))
    return seen


def test_it_draws_images_of_different_classes_and_several_draws_of_each(jaxcnn, tmp_path):
    picture = tmp_path / "a.png"
    code, out, _ = jaxcnn("augment", "--augment", "flip-shift", "--image-size", "8", "--picture", picture)
    assert code == 0 and out.splitlines() == ["augment shift,flip", f"picture {picture}"]
    assert Image.open(picture).size[0] > 1000


def test_the_first_column_is_as_it_was_and_the_others_are_draws_of_their_own(jaxcnn, drawn):
    for seed in (0, 0, 1):
        assert jaxcnn("augment", "--augment", "shift(3)", "--image-size", "8", "--seed", seed)[0] == 0
    (images, captions, title), again, other = drawn
    assert images.shape == (ROWS, 1 + DRAWS, 8, 8, 1) and title == "shift(3) on digits"
    assert len({row[0] for row in captions}) == ROWS and all(set(row) == {row[0]} for row in captions)
    assert len({image.tobytes() for image in images[0]}) > DRAWS / 2
    for down in range(-3, 4):  # one of the moved first images is the draw
        for right in range(-3, 4):
            padded = np.pad(images[0, 0], ((3, 3), (3, 3), (0, 0)))
            if (padded[3 + down : 11 + down, 3 + right : 11 + right] == images[0, 1]).all():
                break
        else:
            continue
        break
    else:
        pytest.fail("the draw is not the image moved")
    np.testing.assert_array_equal(images, again[0])
    assert (images != other[0]).any()


def test_shares_of_a_mixture_are_written_over_it(jaxcnn, drawn):
    assert jaxcnn("augment", "--augment", "mixup(5)", "--image-size", "8")[0] == 0
    _, captions, _ = drawn[0]
    lines = captions[1][1].splitlines()
    assert len(lines) == 2 and sum(float(line.split()[1]) for line in lines) == pytest.approx(1, abs=0.011)
    assert {line.split()[0] for line in lines} == {captions[0][0], captions[1][0]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--augment", "crp(4)"], "error: --augment is 'crp(4)'; no augmentation is called crp, did you mean crop?"),
        (["--augment", "mixup(0)"], "error: --augment is 'mixup(0)'; mixup: alpha is 0; expected a number above 0"),
        (
            ["--augment", "crop(9)", "--image-size", "8"],
            "error: crop: pixels is 9; expected 0 to 7 for images of 8 × 8",
        ),
        (["--augment", "flip", "--seed=-1"], "error: --seed is -1; expected 0 to 4294967295"),
        (["--augment", "flip", "--picture", "/no/such/a.png"], "error: --picture is /no/such/a.png, but its folder"),
        (["--augment", "flip", "--data", "digit"], "error: no dataset or folder is called 'digit'"),
    ],
)
def test_a_wrong_option_is_one_line(jaxcnn, options, message):
    code, out, err = jaxcnn("augment", *options)
    assert code == 2 and out == "" and err.startswith(message) and err.count("\n") == 1
