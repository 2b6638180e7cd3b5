import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image, features

from jaxcnn.data import load, pictures
from jaxcnn.data.pictures import Fit, decode

RED, GRAY = (200, 10, 30), 77
AVIF = ["avif"] if features.check("avif") else []  # Pillow 11.3 and later bring it


def save(path, colour=RED, size=(4, 4), **options):
    """A picture of one colour; `size` is (width, height), as Pillow has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L" if isinstance(colour, int) else "RGB", size, colour).save(path, **options)
    return path


def pets(root, n=6):
    """n cats of red 0 .. n-1, and n dogs of red 100 .. 100+n-1."""
    for i in range(n):
        save(root / f"cat/{i}.png", (i, 0, 0))
        save(root / f"dog/{i}.png", (100 + i, 0, 0))
    return root


def reds(images):
    return images[:, 0, 0, 0].tolist()


def test_every_fifth_picture_of_each_class_is_for_testing(tmp_path):
    data = load(pets(tmp_path / "pets"))
    assert (data.name, data.classes, data.image_shape) == ("pets", ("cat", "dog"), (4, 4, 3))
    # The row is cat 0 .. 5, dog 0 .. 5; its 1st, 6th and 11th are for testing.
    assert reds(data.test_images) == [0, 5, 104]
    assert data.test_labels.tolist() == [0, 0, 1]
    assert reds(data.train_images) == [1, 2, 3, 4, 100, 101, 102, 103, 105]
    assert data.train_labels.tolist() == [0] * 4 + [1] * 5


def test_train_and_test_folders(tmp_path):
    for i, name in enumerate(["train/b/1.png", "train/a/2.png", "train/a/1.png", "test/b/1.png"]):
        save(tmp_path / name, (i, 0, 0))
    data = load(tmp_path)
    assert data.classes == ("a", "b")
    assert (reds(data.train_images), data.train_labels.tolist()) == ([2, 1, 0], [0, 0, 1])
    assert (reds(data.test_images), data.test_labels.tolist()) == ([3], [1])


def test_a_class_may_be_called_train(tmp_path):
    for name in ("car", "train"):
        for i in (1, 2):
            save(tmp_path / name / f"{i}.png")
    assert load(tmp_path).classes == ("car", "train")


def test_one_channel_if_all_are_grayscale_else_three(tmp_path):
    for name in ("a/1.png", "a/2.png", "b/1.png", "b/2.png"):
        save(tmp_path / name, GRAY)
    assert load(tmp_path).image_shape == (4, 4, 1)
    assert np.all(load(tmp_path).train_images == GRAY)
    save(tmp_path / "b/3.png", RED)
    mixed = load(tmp_path).train_images
    assert mixed.shape == (4, 4, 4, 3)
    assert mixed[:, 0, 0].tolist() == [[GRAY] * 3, [GRAY] * 3, [GRAY] * 3, list(RED)]


def test_other_files_and_hidden_folders_are_ignored(tmp_path):
    pets(tmp_path, 2)
    for name in ("cat/Thumbs.db", "cat/.DS_Store", "cat/._1.png", "dog/notes.txt", ".git/config", "README.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no picture")
    (tmp_path / "dog/more.png").mkdir()
    save(tmp_path / "dog/2.PNG", (102, 0, 0))
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert sorted(reds(data.train_images) + reds(data.test_images)) == [0, 1, 100, 101, 102]


def test_different_sizes_need_an_image_size(tmp_path):
    pets(tmp_path)
    odd = save(tmp_path / "dog/9.png", size=(8, 6))
    with pytest.raises(ValueError) as caught:
        load(tmp_path)
    assert f"{tmp_path / 'cat' / '1.png'} is 4 × 4 (height × width) and {odd} is 6 × 8" in str(caught.value)
    assert str(caught.value).endswith("Give the size that all shall have: image_size=64.")
    assert load(tmp_path, image_size=5).image_shape == (5, 5, 3)


def triangle(size_in, size_out):
    """Bilinear resizing along one axis as a matrix, the triangle stretched over the pixels that it shrinks."""
    scale = size_in / size_out
    centres = (np.arange(size_out)[:, None] + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(size_in) + 0.5 - centres) / scale)
    return weights / weights.sum(1, keepdims=True)


def test_image_size_resizes_the_shorter_side_and_takes_the_middle_of_the_longer(tmp_path):
    wide = np.random.default_rng(0).integers(0, 256, (8, 16, 3), dtype=np.uint8)
    for pixels, middle in ((wide, np.s_[:, 2:6]), (np.rot90(wide), np.s_[2:6])):
        height, width, _ = pixels.shape
        Image.fromarray(pixels).save(tmp_path / "picture.png")
        exact = np.einsum("ij,jkc,lk->ilc", triangle(height, height // 2), pixels, triangle(width, width // 2))
        # Pillow rounds to whole pixels twice, after each axis.
        np.testing.assert_allclose(decode(tmp_path / "picture.png", Fit(4)), exact[middle], rtol=0, atol=1)
        assert decode(tmp_path / "picture.png").shape == pixels.shape


def test_shrinking_averages_over_all_pixels(tmp_path):
    checks = np.uint8(np.indices((32, 32)).sum(0) % 2 * 200)
    Image.fromarray(checks).save(tmp_path / "checks.png")
    np.testing.assert_allclose(decode(tmp_path / "checks.png", Fit(4)), 100, atol=1)


def test_exif_orientation_is_honoured(tmp_path):
    upright = np.zeros((4, 6), np.uint8)
    upright[0] = 250  # the top row is bright
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: to be shown, the file is to be rotated by 90° clockwise
    Image.fromarray(np.rot90(upright)).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(decode(tmp_path / "turned.png")[..., 0], upright)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-60]), "truncated"),
        (lambda path: path.write_text("hello"), "not a picture of any kind that Pillow reads"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: Image.new("F", (4, 4), 0.5).save(path, "TIFF"), "mode 'F'; convert it to 8-bit"),
    ],
    ids=["truncated", "text", "empty", "floats"],
)
def test_a_bad_picture_is_named_and_left_out_only_on_request(tmp_path, damage, reason):
    pets(tmp_path)
    rng = np.random.default_rng(0)
    bad = tmp_path / "cat/3.png"
    Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).save(bad)
    damage(bad)
    with pytest.raises(ValueError) as caught:
        load(tmp_path)
    assert f"1 of 12 pictures can't be read: {bad} (" in str(caught.value)
    assert reason in str(caught.value)
    assert str(caught.value).endswith("or leave them out with skip_bad=True.")
    with pytest.warns(UserWarning) as warned:
        data = load(tmp_path, skip_bad=True)
    assert [str(w.message).split(" (")[0] for w in warned] == [f"left out 1 of 12 pictures, which can't be read: {bad}"]
    assert warned[0].filename == __file__
    assert reds(data.train_images) == [1, 2, 4, 100, 101, 102, 103, 105]
    assert reds(data.test_images) == [0, 5, 104]


def test_a_decompression_bomb_is_a_bad_picture(tmp_path, monkeypatch):
    pets(tmp_path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 7)  # a picture of more than twice that is refused
    with pytest.raises(ValueError, match=r"12 of 12 pictures can't be read: .*decompression bomb.* and 2 more"):
        load(tmp_path)


def test_a_class_of_bad_pictures_only(tmp_path):
    pets(tmp_path, 2)
    for name in ("0.png", "1.png"):
        (tmp_path / "dog" / name).write_text("hello")
    with pytest.warns(UserWarning, match="2 of 4"), pytest.raises(ValueError, match="training pictures of class 'dog'"):
        load(tmp_path, skip_bad=True)


def test_a_test_set_of_bad_pictures_only(tmp_path):
    pets(tmp_path / "train", 2)
    pets(tmp_path / "test", 1)
    for name in ("cat", "dog"):
        (tmp_path / "test" / name / "0.png").write_text("hello")
    with pytest.warns(UserWarning, match="2 of 6"), pytest.raises(ValueError, match="none of the test pictures in"):
        load(tmp_path, skip_bad=True)


def test_a_folder_without_classes(tmp_path):
    save(tmp_path / "1.png")
    with pytest.raises(ValueError, match=r"has no subfolders; .* Expected ROOT/<class>/<picture>"):
        load(tmp_path)
    save(tmp_path / "cat/1.png")
    with pytest.raises(ValueError, match=r"has one subfolder, 'cat'; .* Expected ROOT/<class>/<picture>"):
        load(tmp_path)


def test_an_empty_test_folder(tmp_path):
    pets(tmp_path / "train")
    (tmp_path / "test").mkdir()
    with pytest.raises(ValueError, match="test has no subfolders"):
        load(tmp_path)


def test_an_empty_class(tmp_path):
    pets(tmp_path)
    (tmp_path / "emu").mkdir()
    (tmp_path / "emu/1.heic").touch()
    with pytest.raises(
        ValueError, match=r"class 'emu' has 0 pictures in .*; expected 2 or more.* 1 other files.*\.png"
    ):
        load(tmp_path)


def test_a_class_too_small_to_split(tmp_path):
    pets(tmp_path)
    save(tmp_path / "emu/1.png")
    with pytest.raises(
        ValueError, match=r"class 'emu' has 1 pictures in .*; expected 2 or more, as one is kept for test"
    ):
        load(tmp_path)


def test_a_test_class_that_is_not_trained_on(tmp_path):
    pets(tmp_path / "train")
    pets(tmp_path / "test")
    save(tmp_path / "test/emu/1.png")
    with pytest.raises(ValueError, match=r"class 'emu' is in .*test but not in .*train, whose classes are cat, dog"):
        load(tmp_path)


def test_other_sizes_are_found_before_any_picture_is_decoded(tmp_path, monkeypatch):
    pets(tmp_path)
    odd = save(tmp_path / "dog/9.jpg", size=(8, 6))
    decoded = []
    monkeypatch.setattr(pictures, "decode", lambda path, size=None: decoded.append(path) or decode(path, size))
    with pytest.raises(ValueError, match="the images differ in size"):
        load(tmp_path)
    assert decoded == [tmp_path / "cat/1.png", odd]  # the two that the message names


def test_a_crop_keeps_that_share_of_the_shorter_side(tmp_path):
    pets(tmp_path)
    save(tmp_path / "cat/9.png", size=(40, 24))
    for stream in ("never", "always"):
        data = load(tmp_path, image_size=8, crop=0.5, resample="bicubic", stream=stream)
        with Image.open(tmp_path / "cat/9.png") as picture:
            middle = picture.crop((14, 6, 26, 18)).resize((8, 8), Image.Resampling.BICUBIC, box=(0, 0, 12, 12))
        images = np.concatenate([np.asarray(images) for images, _ in data.parts.values()])
        assert any(np.abs(image - np.asarray(middle, float)).max() <= 1 for image in images)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0.0}, r"crop is 0\.0; expected a share of the shorter side"),
        ({"crop": 1.5}, r"crop is 1\.5; expected a share"),
        ({"crop": 0.9, "image_size": None}, r"crop is 0\.9, of images that keep their size"),
        ({"resample": "cubic"}, "resample is 'cubic'; expected one of bilinear, bicubic"),
    ],
)
def test_refuses_to_crop_otherwise(tmp_path, options, message):
    pets(tmp_path)
    with pytest.raises(ValueError, match=message):
        load(tmp_path, **{"image_size": 8} | options)


@pytest.mark.parametrize("kind", ["png", "jpg", "tif"])
def test_a_size_is_that_of_the_picture_upright(tmp_path, kind):
    pets(tmp_path, 2)
    for name in ("cat", "dog"):
        for i in (0, 1):
            save(tmp_path / name / f"{i}.png", size=(4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / f"dog/turned.{kind}", exif=exif)
    assert load(tmp_path).image_shape == (6, 4, 3)


def test_an_orientation_behind_the_pixels_of_a_png_counts(tmp_path):
    for i, name in enumerate(["cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png"]):
        save(tmp_path / name, (i, 0, 0), size=(4, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4), (9, 0, 0)).save(tmp_path / "dog/2.png", exif=exif)
    content = (tmp_path / "dog/2.png").read_bytes()
    chunk = content.index(b"eXIf") - 4
    end = chunk + 12 + int.from_bytes(content[chunk : chunk + 4], "big")
    (tmp_path / "dog/2.png").write_bytes(content[:chunk] + content[end:-12] + content[chunk:end] + content[-12:])
    data = load(tmp_path)
    assert data.image_shape == (6, 4, 3) and 9 in reds(data.train_images)


def test_pictures_are_held_in_memory_once(tmp_path, monkeypatch):
    """NumPy's share; Pillow's own is one picture for each thread."""
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for name in ("cat", "dog"):
        for i in range(20):
            save(tmp_path / f"{name}/{i}.png", size=(300, 300))
    load(tmp_path)  # imports
    tracemalloc.start()
    data = load(tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    size = data.train_images.nbytes + data.test_images.nbytes
    assert size == 40 * 300 * 300 * 3
    assert peak < 1.25 * size


@pytest.mark.parametrize("held_out", ["test", "Test", "val", "valid", "VALIDATION", "testing"])
def test_names_of_the_two_parts(tmp_path, held_out):
    pets(tmp_path / ("Train" if held_out == "Test" else "train"), 3)
    pets(tmp_path / held_out, 1)
    data = load(tmp_path)
    assert data.classes == ("cat", "dog")
    assert (reds(data.train_images), reds(data.test_images)) == ([0, 1, 2, 100, 101, 102], [0, 100])


@pytest.mark.parametrize(("middle", "last"), [("val", "test"), ("valid", "Test"), ("VALIDATION", "testing")])
def test_three_parts(tmp_path, middle, last):
    pets(tmp_path / "train", 3)
    save(tmp_path / middle / "dog/7.png", (107, 0, 0))
    pets(tmp_path / last, 1)
    data = load(tmp_path)
    assert (reds(data.valid_images), data.valid_labels.tolist()) == ([107], [1])
    assert (reds(data.test_images), data.test_labels.tolist()) == ([0, 100], [0, 1])
    assert len(data.train_images) == 6
    assert data.layout == f"train/ to train on, {middle}/ to choose by, {last}/ to test on"


def test_two_parts_say_which_is_for_testing(tmp_path):
    pets(tmp_path / "Training", 2)
    pets(tmp_path / "val", 1)
    data = load(tmp_path)
    assert data.layout == "Training/ to train on, val/ to test on"
    assert data.valid_images is None


def test_what_lies_beside_three_parts_is_named(tmp_path):
    for part in ("train", "val", "test", "valid", "extra"):
        pets(tmp_path / part, 1)
    with pytest.warns(UserWarning, match="left out 2 ") as warned:
        assert len(load(tmp_path).valid_images) == 2
    for name in ("valid", "extra"):
        assert f"{tmp_path / name} (a folder beside train and val and test)" in str(warned[0].message)


def test_a_validation_class_that_is_not_trained_on(tmp_path):
    for part in ("train", "val", "test"):
        pets(tmp_path / part, 1)
    save(tmp_path / "val/emu/1.png")
    with pytest.raises(ValueError, match=r"class 'emu' is in .*val but not in .*train, whose classes are cat, dog"):
        load(tmp_path)


def test_a_validation_part_of_bad_pictures_only(tmp_path):
    for part in ("train", "val", "test"):
        pets(tmp_path / part, 1)
    for name in ("cat", "dog"):
        (tmp_path / "val" / name / "0.png").write_text("hello")
    with pytest.warns(UserWarning, match="2 of 6"), pytest.raises(ValueError, match="none of the validation pictures"):
        load(tmp_path, skip_bad=True)


def test_bad_pictures_do_not_shift_the_parts(tmp_path):
    for part, n in (("train", 3), ("val", 2), ("test", 2)):
        pets(tmp_path / part, n)
    for name in ("train/cat/1", "train/dog/2", "val/cat/0", "test/dog/1"):
        (tmp_path / f"{name}.png").write_text("hello")
    with pytest.warns(UserWarning, match="4 of 14"):
        data = load(tmp_path, skip_bad=True)
    assert [reds(images) for images, _ in data.parts.values()] == [[0, 2, 100, 101], [1, 100, 101], [0, 1, 100]]
    assert [labels.tolist() for _, labels in data.parts.values()] == [[0, 0, 1, 1], [0, 1, 1], [0, 0, 1]]


@pytest.mark.parametrize("parts", [("",), ("train/", "val/")])
def test_pictures_in_subfolders_belong_to_the_class(tmp_path, parts):
    for part in parts:
        for i, name in enumerate(["cat/persian/old/0", "cat/siamese/1", "dog/2", "dog/pug/3"]):
            save(tmp_path / f"{part}{name}.png", (i, 0, 0))
    data = load(tmp_path)
    images = [image for of_part, _ in data.parts.values() for image in reds(of_part)]
    labels = [label for _, of_part in data.parts.values() for label in of_part.tolist()]
    assert data.classes == ("cat", "dog")
    assert sorted(zip(images, labels, strict=True)) == sorted([(0, 0), (1, 0), (2, 1), (3, 1)] * len(parts))
    assert f" ({3 * len(parts)} pictures in subfolders of their class)" in data.layout


def test_parts_of_other_names_are_classes_with_a_warning(tmp_path):
    for part in ("fold1", "fold2"):
        pets(tmp_path / part, 2)
    with pytest.warns(
        UserWarning, match="^fold1, fold2 in .* each holds the same folders, cat, dog. If those"
    ) as warned:
        assert load(tmp_path).classes == ("fold1", "fold2")
    assert warned[0].filename == __file__


def test_test_pictures_without_classes(tmp_path):
    for part in ("train", "val"):
        pets(tmp_path / part, 1)
    save(tmp_path / "test/1.png")
    with pytest.raises(ValueError, match=r"test has no subfolders; .* What has no classes can't be tested on: take /"):
        load(tmp_path)


def test_a_link_inside_a_class_that_leads_back_up(tmp_path):
    pets(tmp_path, 3)
    (tmp_path / "cat/all").symlink_to(tmp_path)
    (tmp_path / "cat/again").symlink_to(tmp_path / "cat")
    with pytest.warns(UserWarning, match=r"left out 2 .*cat/again \(a link to a folder that it lies in\)"):
        data = load(tmp_path)
    assert len(data.train_images) + len(data.test_images) == 6


def test_what_macos_packs_into_archives_is_no_class(tmp_path):
    pets(tmp_path, 2)
    (tmp_path / "__MACOSX/cat").mkdir(parents=True)
    (tmp_path / "__MACOSX/cat/._0.png").touch()
    assert load(tmp_path).classes == ("cat", "dog")


@pytest.mark.parametrize("inside", ["cat", "train"])
def test_a_folder_around_the_dataset_gets_a_hint(tmp_path, inside):
    pets(tmp_path / "pets" if inside == "cat" else tmp_path / "pets/train")
    root = tmp_path if inside == "cat" else tmp_path / "pets"
    meant = root / ("pets" if inside == "cat" else "train")
    with pytest.raises(ValueError, match=rf"has one subfolder, '{meant.name}'; .* Did you mean {meant}\?$"):
        load(root)


def test_a_folder_with_a_table_gets_a_hint(tmp_path):
    save(tmp_path / "1.png")
    (tmp_path / "labels.csv").write_text("path,label\n1.png,cat\n")
    with pytest.raises(ValueError, match=rf"has no subfolders; .* Did you mean {tmp_path}/labels.csv\?$"):
        load(tmp_path)


@pytest.mark.parametrize("parts", [("train", "val"), ("train", "val", "test")])
def test_a_split_for_a_folder_with_parts(tmp_path, parts):
    for part in parts:
        pets(tmp_path / part, 1)
    names = " and ".join(f"{part}/" for part in parts)
    with pytest.raises(ValueError, match=f"split is '0.8/0.2', but .* has parts of its own, {names}; leave"):
        load(tmp_path, split="0.8/0.2")


def test_a_split_of_a_folder(tmp_path):
    pets(tmp_path, 10)
    data = load(tmp_path, split="0.5/0.3/0.2", seed=3)
    assert [np.bincount(labels).tolist() for _, labels in data.parts.values()] == [[5, 5], [3, 3], [2, 2]]
    everything = [red for images, _ in data.parts.values() for red in reds(images)]
    assert sorted(everything) == [*range(10), *range(100, 110)]
    assert data.layout == (
        "a folder for each class; split 0.5/0.3/0.2 (training/validation/test) of each class by seed 3"
    )
    again = load(tmp_path, split="0.5/0.3/0.2", seed=3)
    np.testing.assert_array_equal(again.valid_images, data.valid_images)
    other = load(tmp_path, split="0.5/0.3/0.2", seed=4)
    assert reds(other.train_images) != reds(data.train_images)


def test_transparency_is_counted(tmp_path):
    pets(tmp_path, 3)
    assert load(tmp_path).layout == "a folder for each class; every fifth picture of each class is for testing"
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "cat/8.png")
    Image.new("LA", (4, 4), (0, 128)).save(tmp_path / "dog/8.png")
    data = load(tmp_path)
    assert data.layout.endswith("; 2 with transparency, laid over white")
    assert {255, 127} < set(reds(data.train_images))


@pytest.mark.parametrize(("first", "second"), [("train", "TRAIN"), ("val", "Val"), ("Training", "training")])
def test_parts_whose_names_differ_in_capital_letters_only_are_refused(tmp_path, first, second):
    for part in ("train", "val"):
        pets(tmp_path / part, 2)
    if first == "Training":
        (tmp_path / "train").rename(tmp_path / first)
    pets(tmp_path / second, 2)
    if len(list(tmp_path.iterdir())) < 3:
        pytest.skip("this file system takes them for one")
    with pytest.raises(ValueError, match="differ only in capital letters; keep one of them") as caught:
        load(tmp_path)
    assert all(name in str(caught.value) for name in (first, second))


def test_without_a_folder_to_test_on_names_in_other_letters_are_classes(tmp_path):
    for name in ("train", "TRAIN"):
        for i in (1, 2):
            save(tmp_path / name / f"{i}.png")
    assert load(tmp_path).classes == tuple(sorted(path.name for path in tmp_path.iterdir()))


def test_a_part_of_an_unknown_name_is_told_which_are_known(tmp_path):
    pets(tmp_path / "train", 2)
    pets(tmp_path / "dev", 2)
    expected = r"/train has folders in it .* beside dev\. .*ROOT/test/<class>/<picture> \(or val, valid, "
    with pytest.raises(ValueError, match=expected):
        load(tmp_path)
    (tmp_path / "train").rename(tmp_path / "Validation")
    with pytest.raises(ValueError, match="/Validation has folders in it"):
        load(tmp_path)


@pytest.mark.parametrize("ending", ["jfif", "jpe", "JPG", "jp2", "tga", "ico", "pbm", "apng", "mpo", *AVIF])
def test_endings_that_pillow_reads(tmp_path, ending):
    pets(tmp_path, 2)
    kind = Image.registered_extensions()[f".{ending.lower()}"]
    Image.new("1" if ending == "pbm" else "RGB", (4, 4)).save(tmp_path / f"dog/9.{ending}", kind)
    data = load(tmp_path)
    assert len(data.train_images) + len(data.test_images) == 5


def test_what_is_left_out_is_counted_and_named_in_one_line(tmp_path):
    pets(tmp_path, 2)
    left_out = ["cat/2", "cat/notes.txt", "dog/film.mpg", "dog/more", "loose.png", "gone", "cat/lost"]
    for name in left_out[:3]:
        (tmp_path / name).touch()
    (tmp_path / "dog/more").mkdir()
    save(tmp_path / "loose.png")
    for name in ("gone", "cat/lost"):
        (tmp_path / name).symlink_to(tmp_path / "nowhere")
    (tmp_path / "README.md").touch()
    with pytest.warns(UserWarning) as warned:
        data = load(tmp_path)
    (message,) = (str(w.message) for w in warned)
    assert message.startswith("left out 7 files or folders, which are no pictures of a class: ")
    assert [name for name in left_out if str(tmp_path / name) not in message] == []
    assert f"{tmp_path}/dog/more (an empty folder)" in message
    assert f"{tmp_path}/cat/lost (a broken link)" in message and f"{tmp_path}/gone (a broken link)" in message
    assert warned[0].filename == __file__
    assert len(data.train_images) + len(data.test_images) == 4


def test_a_broken_link_is_a_picture_that_cant_be_read(tmp_path):
    pets(tmp_path)
    (tmp_path / "cat/7.jpg").symlink_to(tmp_path / "nowhere.jpg")
    with pytest.raises(ValueError, match=r"1 of 13 pictures can't be read: .*/cat/7\.jpg \(a broken link\)\. Repair"):
        load(tmp_path)
    with pytest.warns(UserWarning, match="left out 1 of 13 pictures"):
        assert len(load(tmp_path, skip_bad=True).train_images) == 9


@pytest.mark.parametrize("split", [True, False])
def test_an_accented_class_is_one_however_it_is_composed(tmp_path, split):
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    first, second = (tmp_path / "train", tmp_path / "val") if split else (tmp_path, tmp_path)
    for i in range(3):
        save(first / composed / f"{i}.png", (i, 0, 0))
        save(first / f"tea/{i}.png", (100 + i, 0, 0))
        save(second / decomposed / f"{i}.png", (10 + i, 0, 0))
    if split:
        save(second / "tea/1.png", (110, 0, 0))
    data = load(tmp_path)
    assert data.classes == (composed, "tea")
    labels = dict(zip(reds(data.train_images), data.train_labels.tolist(), strict=True))
    labels |= dict(zip(reds(data.test_images), data.test_labels.tolist(), strict=True))
    assert labels == {red: int(red >= 100) for red in [0, 1, 2, 10, 11, 12, 100, 101, 102] + [110] * split}
