"""`jaxcnn data`: what it prints of datasets good and bad, and what it returns."""

import re

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def pets(tmp_path):
    """Six cats and three dogs to train on, one of each to test on, all different."""
    rng = np.random.default_rng(0)
    for folder, n in (("train/cat", 6), ("train/dog", 3), ("test/cat", 1), ("test/dog", 1)):
        (tmp_path / "pets" / folder).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 256, (8, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / folder / f"{i}.png")
    return tmp_path / "pets"


def rows(out):
    """The table's rows, each a list of its cells."""
    return [re.split(r"\s*│\s*", line.strip("│ ")) for line in out.splitlines() if line.startswith("│")]


def lines(out):
    """What is printed below the table, by its heading; lines without one belong to the last."""
    said, heading = {}, ""
    for line in out.split("┘\n", 1)[1].splitlines():
        heading = line[:11].strip() or heading
        said.setdefault(heading, []).append(line[11:])
    return said


def test_a_good_folder(jaxcnn, pets):
    code, out, err = jaxcnn("data", pets)
    said = lines(out)
    assert (code, err) == (0, "")
    assert out.splitlines()[0] == "pets: train/ to train on, test/ to test on"
    assert rows(out) == [["cat", "6", "1", "7"], ["dog", "3", "1", "4"], ["all", "9", "2", "11"]]
    assert said["unreadable"] == ["none"]
    assert said["sizes"] == ["all 8 × 6 (height × width)"]
    assert said["modes"] == ["RGB: 11"]
    assert said["duplicates"] == ["none, by their pixels"]
    assert said["imbalance"] == ["cat has 6 training pictures, dog 3: 2.00 times as many"]
    assert re.fullmatch(r"0\.\d{4} 0\.\d{4} 0\.\d{4} of the training pictures' channels, from 0 to 1", said["mean"][0])
    assert re.fullmatch(r"0\.\d{4} 0\.\d{4} 0\.\d{4}", said["deviation"][0])


def test_what_is_wrong_is_named(jaxcnn, pets):
    (pets / "train/cat/0.png").write_text("no picture")
    (pets / "train/cat/notes.txt").touch()
    (pets / "test/dog/leak.png").write_bytes((pets / "train/dog/1.png").read_bytes())
    (pets / "train/cat/twin.png").write_bytes((pets / "train/cat/1.png").read_bytes())
    (pets / "train/dog/cat.png").write_bytes((pets / "train/cat/2.png").read_bytes())
    Image.new("RGBA", (10, 20)).save(pets / "train/dog/alpha.png")
    code, out, err = jaxcnn("data", pets)
    said = lines(out)
    assert (code, err) == (1, "")
    assert said["left out"][1:] == [f"{pets}/train/cat/notes.txt"]
    assert said["unreadable"] == [
        "1 of 15 pictures, not counted here",
        f"{pets}/train/cat/0.png (not a picture of any kind that Pillow reads)",
    ]
    assert said["duplicates"] == [
        "3 with the same pixels as another; in two parts 1, in two classes 1",
        f"{pets}/train/dog/1.png (training, dog) = {pets}/test/dog/leak.png (test, dog)",
        f"{pets}/train/cat/2.png (training, cat) = {pets}/train/dog/cat.png (training, dog)",
        f"{pets}/train/cat/1.png (training, cat) = {pets}/train/cat/twin.png (training, cat)",
    ]
    sizes = "2 different, from 8 × 6 to 20 × 10 (height × width), most often 8 × 6 (13)"
    assert said["sizes"] == [f"{sizes}; to train on them, give --image-size"]
    assert said["modes"] == ["RGB: 13, RGBA: 1; 1 with transparency, laid over white"]
    assert rows(out)[0] == ["cat", "6", "1", "7"]
    assert jaxcnn("data", pets, "--skip-bad")[0] == 0


def test_all_duplicates_across_parts_are_named(jaxcnn, pets):
    for i in range(30):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(pets / f"train/cat/same{i}.png")
        Image.new("RGB", (8, 8), (i, 0, 0)).save(pets / f"test/cat/same{i}.png")
        Image.new("RGB", (8, 8), (0, i + 1, 0)).save(pets / f"train/dog/one{i}.png")
        Image.new("RGB", (8, 8), (0, i + 1, 0)).save(pets / f"train/dog/two{i}.png")
    said = lines(jaxcnn("data", pets)[1])["duplicates"]
    assert len(said) == 32 and said[-1] == "and 30 more"
    assert {f"same{i}.png" for i in range(30)} == {name for line in said for name in re.findall(r"same\d+\.png", line)}


def test_of_many_equal_pictures_each_part_and_class_is_named(jaxcnn, pets):
    for i in range(30):
        Image.new("RGB", (8, 8)).save(pets / f"train/cat/same{i:02}.png")
    Image.new("RGB", (8, 8)).save(pets / "test/dog/leak.png")
    said = lines(jaxcnn("data", pets)[1])["duplicates"]
    names = re.findall(r"\w+/\w+/\w+\.png", said[1])
    assert len(said) == 2 and said[1].endswith(" and 21 more") and len(names) == 10
    assert {"train/cat/same00.png", "test/dog/leak.png"} < set(names)


def test_the_split_and_the_size(jaxcnn, pets):
    code, out, _ = jaxcnn("data", pets / "train", "--split", "0.5/0.25/0.25", "--seed", "2", "--image-size", "4")
    assert code == 0
    assert out.splitlines()[0] == (
        "train: a folder for each class; split 0.5/0.25/0.25 (training/validation/test) of each class by seed 2"
    )
    assert rows(out)[-1][-1] == "9" and "validation" in out
    assert lines(out)["sizes"] == ["all 8 × 6 (height × width); read as 4 × 4"]


def test_a_table_of_pictures(jaxcnn, pets):
    table = pets / "pets.csv"
    names = [f"train/cat/{i}.png,cat" for i in range(5)] + [f"train/dog/{i}.png,dog" for i in (0, 1, 7)]
    table.write_text("\n".join(["path,label", *names]))
    code, out, _ = jaxcnn("data", table)
    assert code == 1
    assert out.splitlines()[0] == "pets: a table, pets.csv; every fifth picture of each class is for testing"
    assert lines(out)["unreadable"][1] == f"{pets}/train/dog/7.png (line 9: there is no such file)"


def test_digits(jaxcnn):
    code, out, _ = jaxcnn("data", "digits")
    assert code == 0 and rows(out)[-1] == ["all", "1,437", "360", "1,797"]
    assert lines(out)["sizes"] == ["all 16 × 16 (height × width)"]


def test_the_picture_shows_the_training_pictures(jaxcnn, pets, tmp_path):
    for i, path in enumerate(sorted(pets.rglob("*.png"))):
        Image.new("RGB", (8, 8), (20 * i, 0, 0)).save(path)
    code, out, _ = jaxcnn("data", pets, "--picture", tmp_path / "grid.png")
    assert code == 0 and lines(out)["picture"] == [str(tmp_path / "grid.png")]
    with Image.open(tmp_path / "grid.png") as grid:
        pixels = np.asarray(grid.convert("RGB"))
    for i, path in enumerate(sorted(pets.rglob("*.png"))):
        shown = np.count_nonzero((pixels == [20 * i, 0, 0]).all(-1))
        assert (shown > 10_000) == ("train" in path.parts)
    assert {path.name for path in tmp_path.iterdir()} == {"pets", "grid.png"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("/nowhere/pets",), "there is no folder or table '/nowhere/pets'"),
        (("pets", "--split", "0.8/0.3"), "--split is '0.8/0.3'; expected the shares"),
        (("pets", "--split", "0.8/0.2"), "--split is '0.8/0.2', but pets has parts of its own, train/ and test/"),
        (("digits", "--seed", "-1"), "--seed is -1; expected a whole number, 0 or more"),
        (("pets", "--image-size", "0"), "--image-size is 0; expected a number of pixels"),
        (("pets", "--picture", "nowhere/grid.png"), "--picture is nowhere/grid.png, but "),
    ],
)
def test_an_error_is_one_line(jaxcnn, pets, monkeypatch, options, message):
    monkeypatch.chdir(pets.parent)
    code, out, err = jaxcnn("data", *options)
    assert (code, out) == (2, "")
    assert err.startswith(f"error: {message}") and err.count("\n") == 1


def test_names_do_not_control_the_console(jaxcnn, pets):
    (pets / "train/dog").rename(pets / "train/[red]\x1b[31m")
    (pets / "test/dog").rename(pets / "test/[red]\x1b[31m")
    (pets / "train/[red]\x1b[31m/\x07.png").write_text("no picture")
    code, out, _ = jaxcnn("data", pets)
    assert code == 1 and re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", out) == []
    assert r"│ [red]\x1b[31m " in out and r"\x07.png (not a picture" in out
