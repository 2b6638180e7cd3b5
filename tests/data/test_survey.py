"""A look at a dataset: what is counted, and what is found."""

import numpy as np
import pytest
from PIL import Image

from jaxcnn.data import load, lookup, statistics
from jaxcnn.data.survey import survey


def noise(rng, *shape):
    return Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture
def zoo(tmp_path):
    """Pictures of many kinds in three parts; every one differs from all others."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 4), ("val", 1), ("test", 2)):
        for label in ("ant", "bee"):
            (tmp_path / part / label).mkdir(parents=True)
            for i in range(n):
                noise(rng, 6, 5, 3).save(tmp_path / part / label / f"{i}.png")
    noise(rng, 8, 8).save(tmp_path / "train/ant/gray.png")
    return tmp_path


def look(path, **options):
    found = lookup.find(path, **options)
    return survey(found, image_size=options.get("image_size"))


def groups(seen, root):
    return [[str(item.name).removeprefix(f"{root}/") for item in group] for group in seen.duplicates]


def test_counts_sizes_and_modes(zoo):
    seen = look(zoo)
    counts = {part: of_part.tolist() for part, of_part in seen.counts.items()}
    assert counts == {"train": [5, 4], "valid": [1, 1], "test": [2, 2]}
    assert (seen.sizes, seen.modes) == ({(6, 5): 14, (8, 8): 1}, {"RGB": 14, "L": 1})
    assert seen.layout == "train/ to train on, val/ to choose by, test/ to test on"
    assert (seen.unreadable, seen.left_out, seen.duplicates) == ([], [], [])
    assert (seen.transparent, seen.profiled, seen.turned, seen.animated) == (0, 0, 0, 0)


@pytest.mark.parametrize("image_size", [None, 7])
def test_mean_and_deviation_are_those_of_the_training_pixels(zoo, image_size):
    seen = look(zoo, image_size=image_size)
    if image_size:
        mean, std = statistics(load(zoo, image_size=image_size).train_images)
    else:
        pixels = []
        for path in (zoo / "train").rglob("*.png"):
            with Image.open(path) as picture:
                pixels.append(np.asarray(picture.convert("RGB"), float).reshape(-1, 3) / 255)
        everything = np.concatenate(pixels)
        mean, std = everything.mean(0), everything.std(0)
    np.testing.assert_allclose(seen.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(seen.std, std, rtol=1e-6)


def test_gray_pictures_have_one_mean(tmp_path):
    for i, name in enumerate(["a/1", "a/2", "b/1", "b/2"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4), 50 * i).save(tmp_path / f"{name}.png")
    # Every fifth, that is the first, is for testing: 50, 100 and 150 are trained on.
    seen = look(tmp_path)
    np.testing.assert_allclose(seen.mean, [100 / 255], rtol=1e-6)
    np.testing.assert_allclose(seen.std, [np.std([50, 100, 150]) / 255], rtol=1e-6)


def test_kinds_are_counted(zoo):
    rng = np.random.default_rng(1)
    exif = Image.Exif()
    exif[0x0112] = 6
    noise(rng, 6, 5, 3).save(zoo / "train/bee/turned.png", exif=exif)
    noise(rng, 6, 5, 4).save(zoo / "train/bee/alpha.png")
    noise(rng, 6, 5, 3).save(zoo / "train/bee/profile.png", icc_profile=b"any")
    Image.fromarray(rng.integers(0, 65536, (6, 5), dtype=np.uint16)).save(zoo / "train/bee/deep.png")
    frames = [noise(rng, 6, 5, 3) for _ in range(2)]
    frames[0].save(zoo / "train/bee/film.gif", save_all=True, append_images=frames[1:])
    (zoo / "train/bee/broken.png").write_bytes(b"no picture")
    (zoo / "train/bee/notes.txt").touch()
    seen = look(zoo)
    assert (seen.transparent, seen.profiled, seen.turned, seen.animated) == (1, 1, 1, 1)
    assert seen.modes == {"RGB": 16, "L": 1, "RGBA": 1, "I;16": 1, "P": 1}
    assert seen.sizes == {(6, 5): 18, (8, 8): 1, (5, 6): 1}  # the turned one is upright
    assert seen.counts["train"].tolist() == [5, 9]
    assert [reason.split(" (")[0] for reason in seen.unreadable] == [f"{zoo}/train/bee/broken.png"]
    assert seen.left_out == [f"{zoo}/train/bee/notes.txt"]


def test_equal_pixels_are_found_whatever_the_file(zoo):
    with Image.open(zoo / "train/ant/1.png") as original:
        original.save(zoo / "test/bee/copy.bmp")
        original.save(zoo / "val/ant/copy.webp", lossless=True)
    with Image.open(zoo / "train/ant/gray.png") as gray:
        gray.convert("RGB").save(zoo / "train/ant/colour.png")
    seen = look(zoo)
    assert groups(seen, zoo) == [
        ["train/ant/1.png", "val/ant/copy.webp", "test/bee/copy.bmp"],
        ["train/ant/colour.png", "train/ant/gray.png"],
    ]
    assert [(item.part, item.label) for item in seen.duplicates[0]] == [("train", 0), ("valid", 0), ("test", 1)]


def test_equal_bytes_of_another_shape_or_other_pixels_are_no_duplicates(zoo):
    pixels = np.zeros((4, 6, 3), np.uint8)
    Image.fromarray(pixels).save(zoo / "train/ant/wide.png")
    Image.fromarray(pixels.reshape(6, 4, 3)).save(zoo / "train/ant/high.png")
    pixels[3, 5, 2] = 1
    Image.fromarray(pixels).save(zoo / "train/ant/other.png")
    assert look(zoo).duplicates == []


def test_duplicates_are_of_the_whole_pictures_not_of_the_resized(tmp_path):
    for i, name in enumerate(["a/1", "a/2", "b/1", "b/2"]):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pixels = np.zeros((8, 20), np.uint8)
        pixels[:, 0] = i  # cut off by the square in the middle
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    assert look(tmp_path, image_size=8).duplicates == []


def test_a_dataset_in_memory():
    seen = survey(load("digits", image_size=8))
    assert {part: len(of) for part, of in seen.counts.items()} == {"train": 10, "test": 10}
    assert seen.sizes == {(8, 8): 1797} and seen.modes == {"L": 1797}
    data = load("digits", image_size=8)
    images = np.concatenate([data.train_images, data.test_images])
    assert len(images) - len(np.unique(images, axis=0)) == sum(len(group) - 1 for group in seen.duplicates)
    np.testing.assert_array_equal(seen.mean, statistics(data.train_images)[0])


def test_samples_are_of_every_class_alike(zoo):
    seen = look(zoo)
    images, names = seen.samples(6)
    assert images.shape == (6, 96, 96, 3) and names == ["ant"] * 3 + ["bee"] * 3
    images, names = seen.samples(100, 16)
    assert images.shape == (9, 16, 16, 3) and names == ["ant"] * 5 + ["bee"] * 4
    images, _ = survey(load("digits", image_size=8)).samples(20)
    assert images.shape == (20, 8, 8, 1)


def test_a_dataset_of_unreadable_pictures(zoo):
    for path in zoo.rglob("*.png"):
        path.write_bytes(b"no picture")
    seen = look(zoo)
    assert len(seen.unreadable) == 15 and seen.items == [] and seen.mean is None
    assert [counts.tolist() for counts in seen.counts.values()] == [[0, 0]] * 3
