"""MNIST's recipe, on a made-up MNIST and without one."""

from dataclasses import replace

import numpy as np

from experiments import fashion_mnist, mnist
from jaxcnn.data import catalog
from tests.data.prepared import prepare


def test_without_the_dataset_one_sentence_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(catalog, "_has_tensorflow", lambda: False)
    assert mnist.main(mnist.CONFIG, 2, None, tmp_path) == []
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("skipped, as the dataset can't be had: ") and "'mnist' is not prepared" in line


def test_it_trains_on_what_is_prepared(tmp_path, capsys):
    pixels = np.random.default_rng(0).integers(0, 256, (200, 28, 28)).astype(np.uint8)
    examples = [(image, i % 10) for i, image in enumerate(pixels)]
    classes = [str(c) for c in range(10)]
    prepare(tmp_path, "made_up", classes, {"train": examples[:160], "test": examples[160:]})
    config = replace(mnist.CONFIG, data="made_up", widths=(4, 4, 4), batch_size=16, epochs=1)
    runs = mnist.main(config, 2, None, tmp_path)
    assert [run.plain for run in runs] == [run.accuracy for run in runs], "digits are not mirrored"
    assert "2 seeds: " in capsys.readouterr().out


def test_nothing_but_the_dataset_and_its_augmentation_differs_from_fashion_mnist():
    assert replace(mnist.CONFIG, data="fashion_mnist", mirror=True, shift=0) == fashion_mnist.CONFIGS["fast"]
