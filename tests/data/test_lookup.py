import itertools

import numpy as np
import pytest
from PIL import Image

from jaxcnn.data import load

KINDS = (
    '"digits", a folder of pictures in class subfolders, a table of pictures (.csv, .tsv, .jsonl or .ndjson), or a TFDS'
)


def test_a_folder_is_found_by_its_path(tmp_path, monkeypatch):
    for name in ("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png"):
        path = tmp_path / "pets" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("pets", "./pets", "~/pets", tmp_path / "pets"):
        assert load(name).classes == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "near"), [("cifar", "cifar10"), ("fashion-mnist", "fashion_mnist"), ("digit", "digits")]
)
def test_an_unknown_name_gets_the_nearest(name, near):
    with pytest.raises(
        ValueError, match=f"no dataset or folder is called '{name}'. Did you mean '{near}'[?]"
    ) as caught:
        load(name)
    assert KINDS in str(caught.value)


def test_a_prepared_dataset_of_ones_own_is_a_near_name_too(tmp_path):
    for folder in ("my_birds/1.0.0", "my_fish/small/1.0.0"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "dataset_info.json").touch()
    with pytest.raises(ValueError, match=r"Did you mean 'my_birds'[?]"):
        load("my_bird", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"Did you mean 'my_fish'[?]"):
        load("myfish", data_dir=tmp_path)


@pytest.mark.parametrize("name", ["", "qqqqqq"])
def test_a_name_like_no_other_gets_the_three_kinds(name):
    with pytest.raises(ValueError) as caught:
        load(name)
    assert "Did you mean" not in str(caught.value)
    assert KINDS in str(caught.value)


@pytest.mark.parametrize("name", ["./photos", "photos/pets", "~/photos-of-nobody", "photos\\pets"])
def test_a_path_that_does_not_exist(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"there is no folder or table .*looked for /") as caught:
        load(name)
    assert KINDS in str(caught.value)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "photos.zip").touch()
    with pytest.raises(ValueError, match=r"photos.zip' is a file, not a folder"):
        load(tmp_path / "photos.zip")


@pytest.mark.parametrize("size", [0, -3, True])
def test_image_size_must_be_positive(size):
    with pytest.raises(ValueError, match=f"image_size is {size}; expected a number of pixels, 1 or more"):
        load("digits", image_size=size)


@pytest.mark.parametrize(
    "split",
    ["", "0.8", "0.8/0.1", "0.8/0.1/0.05/0.05", "0.8/0.3", "1/0", "1.2/-0.2", "nan/0.5", "80/10/10", "a/b", 0.8],
)
def test_a_split_must_be_shares_of_the_whole(split):
    with pytest.raises(
        ValueError, match=r"^load: split is .*; expected the shares .* 0\.8/0\.1/0\.1, .*0\.8/0\.2"
    ) as e:
        load("digits", split=split)
    assert repr(split) in str(e.value)


@pytest.mark.parametrize("seed", [-1, True])
def test_a_seed_must_be_a_number(seed):
    with pytest.raises(ValueError, match=f"seed is {seed}; expected a whole number, 0 or more"):
        load("digits", split="0.8/0.2", seed=seed)


def test_digits_split_in_three():
    data = load("digits", split="0.8/0.1/0.1", seed=1)
    whole = np.array([178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    sizes = [np.bincount(labels) for _, labels in data.parts.values()]
    assert list(data.parts) == ["train", "valid", "test"] and sum(sizes).tolist() == whole.tolist()
    for of_part, share in zip(sizes, (0.8, 0.1, 0.1), strict=True):
        assert np.abs(of_part - share * whole).max() < 1
    assert data.layout == (
        "scikit-learn's digits; split 0.8/0.1/0.1 (training/validation/test) of each class by seed 1"
    )


def test_digits_are_the_originals_at_size_8():
    from sklearn.datasets import load_digits

    source = load_digits()
    data = load("digits", image_size=8)
    # Every fifth of the row of images in order of class.
    row = [i for c in range(10) for i in range(1797) if source.target[i] == c]
    test = sorted(row[::5])
    train = sorted(set(row) - set(test))
    np.testing.assert_array_equal(np.rint(data.test_images[..., 0] * (16 / 255)), source.images[test])
    np.testing.assert_array_equal(np.rint(data.train_images[..., 0] * (16 / 255)), source.images[train])
    assert data.train_labels.tolist() == source.target[train].tolist()
    assert data.test_labels.tolist() == source.target[test].tolist()
    assert sorted(set(np.unique(data.train_images).tolist())) == [round(v * 255 / 16) for v in range(17)]


def test_digits_split_and_classes():
    data = load("digits")
    assert data.train_images.shape == (1437, 16, 16, 1)
    assert data.test_images.shape == (360, 16, 16, 1)
    counts = np.bincount(data.train_labels) + np.bincount(data.test_labels)
    assert counts.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(data.test_labels).tolist() == [36, 36, 36, 36, 37, 36, 36, 36, 35, 36]
    assert data.classes == tuple("0123456789")


def test_enlarged_digits_average_back_to_the_originals():
    small, large = load("digits", image_size=8), load("digits")
    # Bilinear doubling mixes each pixel 3:1 with its neighbours; inside, a mean of 2 × 2 is that mix of mixes.
    x = np.pad(small.test_images[..., 0].astype(float), ((0, 0), (1, 1), (1, 1)), mode="edge")
    for axis in (1, 2):
        n = x.shape[axis] - 2
        low, mid, high = (np.take(x, range(k, k + n), axis) for k in (0, 1, 2))
        x = np.stack([0.25 * low + 0.75 * mid, 0.75 * mid + 0.25 * high], axis + 1)
        x = x.reshape(*x.shape[:axis], 2 * n, *x.shape[axis + 2 :])
    np.testing.assert_allclose(large.test_images[..., 0], x, atol=1)


@pytest.mark.parametrize("stream", ["never", "always"])
def test_grey_becomes_three_equal_channels_and_colour_grey(tmp_path, stream):
    for part, name in itertools.product(("train", "test"), ("a", "b")):
        (tmp_path / part / name).mkdir(parents=True)
        Image.new("RGB", (4, 3), (200, 100, 50)).save(tmp_path / part / name / "0.png")
    grey = load(tmp_path, channels=1, stream=stream)
    assert grey.image_shape == (3, 4, 1)
    assert np.asarray(grey.train_images[:]).tolist() == np.full((2, 3, 4, 1), 124).tolist()  # Pillow's luma
    colour = load("digits", channels=3, stream=stream)
    assert colour.image_shape == (16, 16, 3) and colour.train_images.dtype == np.uint8
    rows = np.array([3, 1])
    expected = np.repeat(load("digits").train_images[rows], 3, -1)
    np.testing.assert_array_equal(colour.train_images[rows], expected)
    assert load("digits", channels=1, stream=stream).image_shape == (16, 16, 1)


def test_other_numbers_of_channels_are_refused():
    with pytest.raises(ValueError, match=r"load: channels is 4; expected 1 for grey, 3 for colour"):
        load("digits", channels=4)
