import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from jaxcnn.data import load, statistics
from tests.data.prepared import LABEL, TEXT, features_of, prepare

SHARED = Path(__file__).parents[3] / "shared" / "tfds"
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no prepared datasets at ../shared/tfds")


def examples(n, classes, seed=0, shape=(4, 6, 3)):
    rng = np.random.default_rng(seed)
    return [(rng.integers(0, 256, shape, dtype=np.uint8), i % classes) for i in range(n)]


def test_images_and_labels_come_back_in_order(tmp_path):
    splits = {"train": examples(600, 3), "test": examples(5, 3, seed=1)}
    prepare(tmp_path, "own", ["ant", "bee", "cat"], splits)
    data = load("own", data_dir=tmp_path)
    assert (data.name, data.classes, data.image_shape) == ("own", ("ant", "bee", "cat"), (4, 6, 3))
    for split, images, labels in (
        ("train", data.train_images, data.train_labels),
        ("test", data.test_images, data.test_labels),
    ):
        np.testing.assert_array_equal(images, np.stack([pixels for pixels, _ in splits[split]]))
        assert labels.tolist() == [label for _, label in splits[split]]


def test_data_dir_from_the_environment(tmp_path, monkeypatch):
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples(4, 2), "test": examples(2, 2)})
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert len(load("own").train_images) == 4


def test_validation_stands_in_for_a_missing_test_split(tmp_path):
    splits = {"train": examples(6, 2), "validation": examples(3, 2, seed=1)}
    prepare(tmp_path, "own", ["ant", "bee"], splits)
    data = load("own", data_dir=tmp_path)
    np.testing.assert_array_equal(data.test_images, np.stack([pixels for pixels, _ in splits["validation"]]))


def test_three_splits_are_three_parts(tmp_path):
    splits = {"test": examples(2, 2, seed=1), "train": examples(4, 2), "validation": examples(3, 2, seed=2)}
    prepare(tmp_path, "own", ["ant", "bee"], splits)
    data = load("own", data_dir=tmp_path)
    for split, (images, labels) in (("validation", data.parts["valid"]), ("test", data.parts["test"])):
        np.testing.assert_array_equal(images, np.stack([pixels for pixels, _ in splits[split]]))
        assert labels.tolist() == [label for _, label in splits[split]]
    assert data.layout == "TFDS's splits: train to train on, validation to choose by, test to test on"
    with pytest.raises(ValueError, match="TFDS's 'own' has parts of its own, train and validation and test; leave"):
        load("own", data_dir=tmp_path, split="0.8/0.2")


def test_a_test_split_without_labels_is_none(tmp_path):
    unlabelled = [(pixels, -1) for pixels, _ in examples(2, 2)]
    splits = {"train": examples(4, 2), "validation": examples(3, 2, seed=1), "test": unlabelled}
    prepare(tmp_path, "own", ["ant", "bee"], splits)
    data = load("own", data_dir=tmp_path)
    np.testing.assert_array_equal(data.test_images, np.stack([pixels for pixels, _ in splits["validation"]]))
    assert data.valid_images is None and data.layout == "TFDS's splits: train to train on, validation to test on"


def test_a_lone_training_split_is_cut_as_asked(tmp_path):
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples(20, 2)})
    data = load("own", data_dir=tmp_path, split="0.6/0.2/0.2")
    assert [np.bincount(labels).tolist() for _, labels in data.parts.values()] == [[6, 6], [2, 2], [2, 2]]
    assert data.layout == "TFDS's split train; split 0.6/0.2/0.2 (training/validation/test) of each class by seed 0"


def test_a_lone_training_split_gives_every_fifth_image_of_each_class_to_testing(tmp_path):
    everything = examples(20, 2)
    prepare(tmp_path, "own", ["ant", "bee"], {"train": everything})
    data = load("own", data_dir=tmp_path)
    # In order of class the row is 0, 2, 4, ..., 18, 1, 3, ..., 19; its 1st, 6th, 11th and 16th are for testing.
    assert data.test_labels.tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(data.test_images, np.stack([everything[i][0] for i in (0, 1, 10, 11)]))
    kept = [everything[i][0] for i in range(20) if i not in (0, 1, 10, 11)]
    np.testing.assert_array_equal(data.train_images, np.stack(kept))


def test_grayscale_images_have_one_channel(tmp_path):
    gray = examples(4, 2, shape=(4, 6))
    prepare(tmp_path, "own", ["ant", "bee"], {"train": gray, "test": gray})
    data = load("own", data_dir=tmp_path)
    np.testing.assert_array_equal(data.train_images[..., 0], np.stack([pixels for pixels, _ in gray]))
    assert data.image_shape == (4, 6, 1)


def test_images_of_different_sizes_need_an_image_size(tmp_path):
    mixed = [*examples(2, 2), *examples(2, 2, shape=(8, 5, 3))]
    prepare(tmp_path, "own", ["ant", "bee"], {"train": mixed, "test": mixed})
    with pytest.raises(ValueError, match=r"own train\[0\] is 4 × 6 .* own train\[2\] is 8 × 5.*image_size=64"):
        load("own", data_dir=tmp_path)
    assert load("own", data_dir=tmp_path, image_size=7).image_shape == (7, 7, 3)


def test_without_an_image_or_a_label_the_features_are_named(tmp_path):
    features = {
        "text": {"pythonClassName": TEXT, "text": {}},
        "label": {"pythonClassName": LABEL, "classLabel": {"numClasses": "2"}},
    }
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples(2, 2)}, features=features)
    with pytest.raises(ValueError, match=r"features are label \(ClassLabel\), text \(Text\); expected one Image"):
        load("own", data_dir=tmp_path)


def test_two_labels_are_refused_unless_the_dataset_says_which(tmp_path):
    features = features_of("ab") | {"breed": {"pythonClassName": LABEL, "classLabel": {"numClasses": "9"}}}
    splits = {"train": examples(4, 2), "test": examples(2, 2)}
    prepare(tmp_path, "vague", ["ant", "bee"], splits, features=features)
    with pytest.raises(ValueError, match=r"breed \(ClassLabel\), image \(Image\), label \(ClassLabel\)"):
        load("vague", data_dir=tmp_path)
    prepare(tmp_path, "clear", ["ant", "bee"], splits, features=features, supervised=("image", "label"))
    assert load("clear", data_dir=tmp_path).train_labels.tolist() == [0, 1, 0, 1]


def test_without_a_training_split(tmp_path):
    prepare(tmp_path, "own", ["ant", "bee"], {"extra": examples(2, 2)})
    with pytest.raises(ValueError, match=r"'own' has no training split, only \['extra'\]"):
        load("own", data_dir=tmp_path)


def test_files_in_a_format_that_needs_tensorflow(tmp_path):
    prepare(tmp_path, "own", ["ant", "bee"], {"train": examples(2, 2)}, file_format="tfrecord")
    with pytest.raises(
        ValueError, match="as tfrecord, which can't be read without TensorFlow; prepare it as array_rec"
    ):
        load("own", data_dir=tmp_path)


def test_an_unprepared_dataset_without_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(FileNotFoundError) as caught:
        load("cifar10", data_dir=tmp_path)
    message = str(caught.value)
    assert f"'cifar10' is not prepared in {tmp_path}" in message
    assert 'needs TensorFlow to prepare its files: pip install "jaxcnn[prepare]"' in message
    assert "(data_dir= or TFDS_DATA_DIR)" in message
    assert "\n" not in message and ". " not in message  # one sentence
    assert list(tmp_path.iterdir()) == []


def test_a_builder_that_itself_needs_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(FileNotFoundError, match=r"'coco' is not prepared in .* needs TensorFlow"):
        load("coco", data_dir=tmp_path)


def test_a_download_that_fails(tmp_path, monkeypatch):
    import tensorflow_datasets as tfds

    from jaxcnn.data import catalog

    def no_network(self, **options):
        assert options == {"file_format": "array_record"}
        raise ConnectionError("Failed to resolve 'www.cs.toronto.edu'")

    monkeypatch.setattr(catalog, "_has_tensorflow", lambda: True)
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", no_network)
    with pytest.raises(
        OSError, match=r"TFDS could not prepare 'cifar10' in .*: Failed to resolve 'www.cs.toronto.edu'"
    ):
        load("cifar10", data_dir=tmp_path)


def test_an_unknown_configuration_or_version(tmp_path):
    with pytest.raises(ValueError, match=r"no configuration or version 'imagenet_resized/7x7': .*BuilderConfig 7x7"):
        load("imagenet_resized/7x7", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"no configuration or version 'cifar10:9.9.9': .*only: 3.0.2"):
        load("cifar10:9.9.9", data_dir=tmp_path)


def test_tfds_is_quiet_and_its_log_is_left_as_it_was(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    caplog.set_level(logging.INFO, logger="absl")
    with pytest.raises(FileNotFoundError):  # TFDS remarks that the folder has no dataset_info.json
        load("mnist", data_dir=tmp_path)
    assert caplog.records == []
    assert logging.getLogger("absl").level == logging.INFO


def test_importing_data_imports_no_reader():
    code = (
        "import sys; from jaxcnn.data import load; "
        "print([m for m in ('tensorflow', 'tensorflow_datasets', 'sklearn', 'PIL') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


@needs_shared
def test_cifar10_as_tfds_prepared_it():
    data = load("cifar10", data_dir=SHARED)
    assert data.train_images.shape == (50_000, 32, 32, 3)
    assert data.test_images.shape == (10_000, 32, 32, 3)
    assert np.bincount(data.train_labels).tolist() == [5_000] * 10
    assert np.bincount(data.test_labels).tolist() == [1_000] * 10
    assert data.classes[:4] == ("airplane", "automobile", "bird", "cat")
    mean, std = statistics(data.train_images)
    np.testing.assert_allclose(mean, [0.4914, 0.4822, 0.4465], atol=5e-5)
    np.testing.assert_allclose(std, [0.2470, 0.2435, 0.2616], atol=5e-5)


@needs_shared
def test_fashion_mnist_as_tfds_prepared_it():
    import tensorflow_datasets as tfds

    data = load("fashion_mnist", data_dir=SHARED)
    assert data.train_images.shape == (60_000, 28, 28, 1)
    assert np.bincount(data.train_labels).tolist() == [6_000] * 10
    assert data.classes[0] == "T-shirt/top"
    mean, std = statistics(data.train_images)
    np.testing.assert_allclose([mean[0], std[0]], [0.2860, 0.3530], atol=5e-5)
    source = tfds.data_source("fashion_mnist", data_dir=SHARED, split="test")
    for i in (0, 255, 256, 9_999):  # TFDS's own decoding; 256 begins another chunk
        np.testing.assert_array_equal(data.test_images[i], source[i]["image"])
        assert data.test_labels[i] == source[i]["label"]
