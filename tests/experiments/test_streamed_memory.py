"""Memory of a streamed run: the folder that is made, and a line for each run."""

import sys

import pytest

from experiments import streamed_memory
from jaxcnn.data import load


def test_the_folder_is_one_of_pictures_in_classes(tmp_path, monkeypatch):
    monkeypatch.setattr(streamed_memory, "DIFFERENT", 20)
    assert 100 < streamed_memory.make(tmp_path, 60, 16) < 2000
    data = load(tmp_path)
    assert (len(data.train_images), len(data.test_images), data.image_shape) == (48, 12, (16, 16, 3))


@pytest.mark.skipif(sys.platform != "linux", reason="USS of other processes is Linux's")
def test_what_is_printed(monkeypatch, capsys):
    monkeypatch.setattr(streamed_memory, "DIFFERENT", 20)
    streamed_memory.main(streamed_memory.Config(pictures="60", image_size=16, batch_size=8, workers=1))
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("60 pictures of ")
    assert out[1].startswith("images: a folder for each class;") and out[1].endswith("; streamed, 46.1 kB of pixels")
    assert out[2] == "one epoch"
    for line, name in zip(out[3:5], ("RSS", "USS"), strict=True):
        assert line.startswith(f"  {name}: sum ") and "training process" in line and "workers" in line
