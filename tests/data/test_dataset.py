import numpy as np
import pytest

from jaxcnn.data import Dataset


def parts(**changed):
    return {
        "name": "tiny",
        "train_images": np.zeros((3, 4, 5, 1), np.uint8),
        "train_labels": np.array([0, 1, 1], np.int32),
        "test_images": np.zeros((2, 4, 5, 1), np.uint8),
        "test_labels": np.array([1, 0], np.int32),
        "classes": ("cat", "dog"),
    } | changed


def test_a_dataset_knows_its_image_shape_and_prints_without_pixels():
    data = Dataset(**parts())
    assert data.image_shape == (4, 5, 1)
    assert repr(data) == "Dataset(name='tiny', classes=('cat', 'dog'))"


def test_the_parts_by_name():
    assert {name: len(images) for name, (images, _) in Dataset(**parts()).parts.items()} == {"train": 3, "test": 2}
    valid = np.ones((1, 4, 5, 1), np.uint8), np.array([1], np.int32)
    data = Dataset(**parts(valid_images=valid[0], valid_labels=valid[1]))
    assert list(data.parts) == ["train", "valid", "test"] and data.parts["valid"] == valid
    again = Dataset.of("again", data.parts, data.classes, "as before")
    assert again.valid_images is valid[0] and again.test_labels is data.test_labels and again.layout == "as before"


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"train_images": np.zeros((3, 4, 5), np.uint8)},
            r"train_images has shape \(3, 4, 5\) and dtype uint8; expected",
        ),
        ({"train_images": np.zeros((3, 4, 5, 1))}, r"train_images has .* dtype float64; expected .* uint8"),
        ({"test_images": np.zeros((0, 4, 5, 1), np.uint8)}, r"test_images has shape \(0, 4, 5, 1\).*non-empty"),
        (
            {"test_images": np.zeros((2, 5, 4, 1), np.uint8)},
            r"test_images has images of shape \(5, 4, 1\); expected \(4, 5, 1\)",
        ),
        ({"test_labels": np.array([1], np.int32)}, r"test_labels has shape \(1,\) .* expected .* shape \(2,\)"),
        ({"train_labels": np.array([0, 1, 1])}, r"train_labels has .* dtype int64; expected one int32"),
        ({"train_labels": np.array([0, 1, 2], np.int32)}, r"train_labels has values from 0 to 2; expected 0 to 1"),
        ({"test_labels": np.array([-1, 0], np.int32)}, r"test_labels has values from -1 to 0; expected 0 to 1"),
        ({"valid_images": np.zeros((1, 4, 5, 1), np.uint8)}, "valid_labels is None; expected an array"),
        ({"valid_labels": np.array([1], np.int32)}, "valid_images is None; expected an array"),
        (
            {"valid_images": np.zeros((1, 5, 4, 1), np.uint8), "valid_labels": np.array([1], np.int32)},
            r"valid_images has images of shape \(5, 4, 1\); expected \(4, 5, 1\)",
        ),
        (
            {"valid_images": np.zeros((1, 4, 5, 1), np.uint8), "valid_labels": np.array([2], np.int32)},
            "valid_labels has values from 2 to 2; expected 0 to 1",
        ),
        ({"classes": ("cat", "cat")}, r"classes is \('cat', 'cat'\); expected two or more different names"),
        ({"classes": ("cat",)}, r"classes is \('cat',\); expected two or more"),
    ],
)
def test_parts_that_do_not_fit_are_named(changed, message):
    with pytest.raises(ValueError, match="Dataset 'tiny': " + message):
        Dataset(**parts(**changed))
