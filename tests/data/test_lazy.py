"""Streamed datasets: the same pixels as in memory, decoded when they are asked for."""

import io
import pickle
import warnings

import numpy as np
import pytest
from PIL import Image

from jaxcnn.data import Dataset, eval_batches, load, room, statistics
from jaxcnn.data import pixels as pixels_module
from jaxcnn.data.lazy import Pictures
from jaxcnn.data.survey import survey
from tests.data.prepared import prepare

RNG = np.random.default_rng(0)


def colours(n, size=(8, 6)):
    return [RNG.integers(0, 256, (*size, 3)).astype(np.uint8) for _ in range(n)]


def folder(root, pictures_of=(("cat", 7), ("dog", 6)), **options):
    for name, count in pictures_of:
        (root / name).mkdir(parents=True)
        for i, image in enumerate(colours(count, **options)):
            Image.fromarray(image if i % 3 else image[..., 0]).save(root / name / f"{i}.png")
    return root


def same(streamed, in_memory):
    """Whether a streamed dataset holds what another does."""
    assert streamed.workers is not None and in_memory.workers is None
    assert (streamed.classes, list(streamed.parts)) == (in_memory.classes, list(in_memory.parts))
    for (images, labels), (expected, right) in zip(streamed.parts.values(), in_memory.parts.values(), strict=True):
        assert isinstance(images, Pictures) and images.shape == expected.shape and images.dtype == expected.dtype
        np.testing.assert_array_equal(np.asarray(images), expected)
        np.testing.assert_array_equal(labels, right)
        assert labels.dtype == right.dtype


@pytest.mark.parametrize("options", [{}, {"image_size": 5}, {"split": "0.5/0.25/0.25", "seed": 3}])
def test_a_folder_is_the_same_streamed(tmp_path, options):
    folder(tmp_path / "data")
    same(load(tmp_path / "data", stream="always", **options), load(tmp_path / "data", **options))


def test_a_table_is_the_same_streamed(tmp_path):
    folder(tmp_path / "data")
    names = [f"data/{path.parent.name}/{path.name},{path.parent.name}" for path in (tmp_path / "data").glob("*/*.png")]
    (tmp_path / "table.csv").write_text("\n".join(["path,label", *names]))
    same(load(tmp_path / "table.csv", stream="always"), load(tmp_path / "table.csv"))


@pytest.mark.parametrize("parts", [("train",), ("train", "test")])
@pytest.mark.parametrize("gray", [False, True])
def test_tfds_is_the_same_streamed(tmp_path, parts, gray):
    examples = [(image[..., 0] if gray else image, i % 2) for i, image in enumerate(colours(10))]
    prepare(tmp_path, "own", ["ant", "bee"], dict.fromkeys(parts, examples))
    same(load("own", data_dir=tmp_path, stream="always"), load("own", data_dir=tmp_path))


def test_gray_pictures_alone_have_one_channel(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            Image.fromarray(colours(1)[0][..., 0]).save(tmp_path / name / f"{i}.png")
    same(load(tmp_path, stream="always"), load(tmp_path))


def test_rows_are_asked_for_as_of_an_array(tmp_path):
    lazy = load(folder(tmp_path / "data"), stream="always").train_images
    whole = np.asarray(lazy)
    for rows in (3, -1, np.int64(2), slice(2, 5), slice(None, None, 3), np.array([4, 0, 4]), np.array([], int)):
        np.testing.assert_array_equal(lazy[rows], whole[rows])
    np.testing.assert_array_equal(np.asarray(lazy.part(slice(2, 6))), whole[2:6])
    again = pickle.loads(pickle.dumps(lazy))  # as a worker process gets it
    np.testing.assert_array_equal(again[1:3], whole[1:3])
    with pytest.raises(IndexError):
        lazy[len(lazy)]


def test_a_listing_keeps_little_in_memory(tmp_path):
    lazy = load(folder(tmp_path / "data", (("cat", 100), ("dog", 100))), stream="always").train_images
    path = len(str(tmp_path / "data" / "cat" / "99.png"))
    assert len(pickle.dumps(lazy)) < 200 * (path + 17) + 1000  # the path, where it ends, and its row; no pixels


def test_a_picture_that_turns_out_bad_is_named(tmp_path):
    data = load(folder(tmp_path / "data"), stream="always")
    bad = tmp_path / "data" / "cat" / "1.png"
    bad.write_bytes(bad.read_bytes()[:-60])
    with pytest.raises(ValueError, match=rf"the picture {bad} can't be read: .*truncated.*\. Repair or remove it"):
        data.train_images[:]
    bad.unlink()
    with pytest.raises(ValueError, match=r"1\.png can't be read: there is no such file"):
        data.train_images[:]


def test_what_heads_tell_is_told_at_once(tmp_path):
    folder(tmp_path / "data")
    (tmp_path / "data" / "cat" / "1.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"1 of 13 pictures can't be read: .*the file is empty"):
        load(tmp_path / "data", stream="always")
    Image.new("RGB", (9, 9)).save(tmp_path / "data" / "cat" / "1.png")
    with pytest.raises(ValueError, match="the images differ in size"):
        load(tmp_path / "data", stream="always")


def test_to_leave_bad_pictures_out_all_are_decoded_first(tmp_path):
    """So that a streamed run and one in memory have the same images."""
    folder(tmp_path / "data")
    whole, empty = (tmp_path / "data" / "dog" / name for name in ("2.png", "4.png"))
    whole.write_bytes(whole.read_bytes()[:-60])
    empty.write_bytes(b"")
    with pytest.warns(UserWarning, match="left out 2 of 13 pictures") as warned:
        streamed = load(tmp_path / "data", stream="always", skip_bad=True)
    assert "truncated" in str(warned[0].message)
    with warnings.catch_warnings(action="ignore"):
        same(streamed, load(tmp_path / "data", skip_bad=True))


def test_a_record_of_another_size_is_named(tmp_path):
    examples = [(image, i % 2) for i, image in enumerate([*colours(4), *colours(1, (9, 9))])]
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples})
    with pytest.raises(ValueError, match=r"differ in size: own train\[0\] is 8 × 6 .* own train\[4\] is 9 × 9"):
        load("own", data_dir=tmp_path, stream="always")


def test_evaluation_reads_batches_ahead_and_each_image_once(tmp_path, monkeypatch):
    data = load(folder(tmp_path / "data"), stream="always")
    asked = []
    monkeypatch.setattr(Pictures, "__getitem__", spying(Pictures.__getitem__, asked))
    found = list(eval_batches(data.train_images, data.train_labels, 4))
    monkeypatch.undo()
    assert sorted((rows.start, rows.stop) for rows in asked) == [(0, 4), (4, 8), (8, 12)]
    expected = list(eval_batches(np.asarray(data.train_images), data.train_labels, 4))
    for batch, right in zip(found, expected, strict=True):
        for array, other in zip(batch, right, strict=True):
            np.testing.assert_array_equal(array, other)


def spying(method, asked):
    def spy(self, rows):
        asked.append(rows)
        return method(self, rows)

    return spy


def test_statistics_of_few_pictures_are_exact(tmp_path):
    lazy = load(folder(tmp_path / "data"), stream="always").train_images
    for found, right in zip(statistics(lazy), statistics(np.asarray(lazy)), strict=True):
        np.testing.assert_array_equal(found, right)


def test_statistics_of_many_are_those_of_a_sample_that_is_always_the_same(tmp_path, monkeypatch):
    lazy = load(folder(tmp_path / "data", (("cat", 150), ("dog", 150)), size=(4, 4)), stream="always").train_images
    monkeypatch.setattr(pixels_module, "SAMPLE", 16 * 200)
    rows = np.random.default_rng(0).permutation(240)[:200]
    for found, right in zip(statistics(lazy), statistics(np.asarray(lazy)[rows]), strict=True):
        np.testing.assert_array_equal(found, right)


def test_the_choice_is_made_by_size_and_said(tmp_path, monkeypatch):
    folder(tmp_path / "data")
    pixels = 13 * 8 * 6 * 3
    monkeypatch.setattr(room, "memory", lambda: pixels * room.SHARE)
    data = load(tmp_path / "data", stream="auto")
    assert data.workers is None and data.layout.endswith("; in memory, 1.87 kB of pixels")
    monkeypatch.setattr(room, "memory", lambda: pixels * room.SHARE - 1)
    data = load(tmp_path / "data", stream="auto", workers=3)
    assert data.workers == 3 and data.layout.endswith("; streamed, 1.87 kB of pixels")
    assert load(tmp_path / "data").workers is None  # a library's load gives arrays


def test_a_container_has_less_memory_than_its_machine(tmp_path, monkeypatch):
    (tmp_path / "limit").write_text("12345678\n")
    monkeypatch.setattr(room, "_LIMITS", (str(tmp_path / "none"), str(tmp_path / "limit")))
    assert room.memory() == 12345678
    (tmp_path / "limit").write_text("max\n")
    assert room.memory() > 12345678


@pytest.mark.parametrize(
    ("size", "words"), [(999, "999 bytes"), (1234, "1.23 kB"), (5e10, "50 GB"), (2.5e12, "2,500 GB")]
)
def test_sizes_in_words(size, words):
    assert room.streams("always", size)[1] == f"; streamed, {words} of pixels"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stream": "yes"}, "load: stream is 'yes'; expected one of auto, always, never"),
        ({"workers": -1}, "load: workers is -1; expected a number of processes, 0 or more"),
    ],
)
def test_wrong_options(options, message):
    with pytest.raises(ValueError, match=message):
        load("digits", **options)


def test_images_of_ones_own_must_be_streamed(tmp_path):
    """Anything that is indexed like an array can be a dataset's images."""
    lazy = load(folder(tmp_path / "data"), stream="always")
    parts = {"train": (lazy.train_images, lazy.train_labels), "test": (lazy.test_images, lazy.test_labels)}
    with pytest.raises(ValueError, match="workers is None, and train_images is a Pictures"):
        Dataset.of("own", parts, lazy.classes, "")
    with pytest.raises(ValueError, match="workers is -1; expected 0 or more processes"):
        Dataset.of("own", parts, lazy.classes, "", workers=-1)
    assert Dataset.of("own", parts, lazy.classes, "", workers=0).workers == 0


def test_a_survey_of_records_that_are_not_in_memory(tmp_path):
    examples = [(image, i % 2) for i, image in enumerate(colours(10))]
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples})
    streamed, in_memory = (survey(load("own", data_dir=tmp_path, stream=s)) for s in ("always", "never"))
    np.testing.assert_array_equal(streamed.mean, in_memory.mean)
    assert (streamed.sizes, streamed.modes, streamed.unreadable) == (in_memory.sizes, in_memory.modes, [])


def test_a_bad_record_is_named(tmp_path):
    file = io.BytesIO()
    Image.fromarray(colours(1)[0]).save(file, "PNG")

    class Source:
        def read(self, rows):
            return [io.BytesIO(file.getvalue()[:-60]) for _ in rows]

        def name(self, row):
            return f"own train[{row}]"

    with pytest.raises(ValueError, match=r"the picture own train\[1\] can't be read: "):
        Pictures(Source(), np.arange(2), (8, 6, 3))[1]
