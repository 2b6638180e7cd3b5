"""A network that compiles fast, as model "tiny", and a short run of it on digits of 8 × 8.

`python -m tests.train.tiny train ...` is the `jaxcnn` command that knows the model "tiny".
"""

from pathlib import Path

import pytest

from jaxcnn import models
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain
from jaxcnn.train.loop import train
from jaxcnn.train.recipe import TrainConfig


def tiny(classes=10):
    return chain(
        conv=Conv(4, stride=2),
        bn=BatchNorm(),
        relu=Activation("relu"),
        drop=Dropout(0.1),
        flatten=Flatten(),
        head=Dense(classes),
    )


models.MODELS["tiny"] = tiny

OPTIONS = {
    "model": "tiny",
    "image_size": 8,
    "epochs": 2,
    "batch_size": 128,
    "learning_rate": 0.02,
    "label_smoothing": 0.0,
    "layer_norms": "no",  # which compiles one more program
}
STEPS = 1437 // 128  # an epoch


def config(out: Path, **changes) -> TrainConfig:
    return TrainConfig(**OPTIONS | {"out": out} | changes)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """The result of a finished run; tests that change its folder copy it."""
    return train(config(tmp_path_factory.mktemp("runs") / "trained"))


if __name__ == "__main__":
    from jaxcnn.cli.main import main

    main()
