"""Weights that training begins with, of another library's file or of a model of one's own: `--init-from`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcnn.interop.pretrained import load_pretrained
from jaxcnn.models import custom
from jaxcnn.train import checkpoint
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run_folder import open_run
from jaxcnn.train.weights import Origin, Statistics, Weights


class Beginning(NamedTuple):
    """A configuration with what it leaves to the weights; their statistics of pixels; and they themselves.

    A resumed run has them in its checkpoint.
    """

    config: TrainConfig
    statistics: Statistics | None = None
    weights: Weights | None = None


def read(model: str, init_from: str) -> Weights:
    """The weights of `init_from` for the network called `model`.

    Raises: ValueError for those of another network, and for a network whose names in other libraries are not known;
      OSError without the file. As `load_pretrained` and `load_model`.
    """
    return _of_a_model(model, init_from) if Path(init_from).is_dir() else _of_a_library(model, init_from)


def begun(config: TrainConfig, read: Callable[[str, str], Weights] = read) -> Beginning:
    """What the configuration begins with; nothing of it where it has no `init_from`.

    A resumed run with a checkpoint needs the weights no more, and does not read them. Raises as `read` and `open_run`;
    ValueError if a run without a checkpoint is to be resumed and the weights are no longer those that it began with.
    """
    if (init_from := config.init_from) is None:
        return Beginning(config)
    assert config.out is not None  # the recipe fills it in
    run = open_run(config.out) if config.resume else None
    if run is not None:
        if run.config.init_from == str(Path(init_from).expanduser().absolute()):
            config = replace(config, init_from=run.config.init_from)  # which is absolute, as of a file that is there
        config = _filled_in(config, {name: getattr(run.config, name) for name in IMAGES})
        if any(checkpoint.exists(run.checkpoint(name)) for name in ("last", "best")):
            return Beginning(config, (run.facts.mean, run.facts.std))
    weights = read(config.model, init_from)
    if run is not None and run.origin is not None and run.origin.sha256 != weights.origin.sha256:
        raise ValueError(
            f"{init_from} is no longer what the run in {config.out} began with: its SHA-256 is "
            f"{weights.origin.sha256[:16]}..., and was {run.origin.sha256[:16]}.... Put that back, or begin again with "
            "overwrite=True."
        )
    if config.channels not in (None, weights.images["channels"]):
        raise ValueError(
            f"channels is {config.channels}, and the weights of {init_from} are for images of "
            f"{weights.images['channels']}; leave it out."
        )
    return Beginning(_filled_in(config, weights.images), weights.statistics, weights)


IMAGES = ("image_size", "crop", "resample", "channels")


def _filled_in(config: TrainConfig, images: dict[str, Any]) -> TrainConfig:
    return replace(config, **{name: value for name, value in images.items() if getattr(config, name) is None})


def _of_a_library(model: str, file: str) -> Weights:
    if custom.is_file(model):
        raise ValueError(
            f"init_from is {file}, and model is {model}, a network of your own, whose layers have no names in other "
            "libraries. Take a run or a model folder of this network, or a network of jaxcnn's."
        )
    net = load_pretrained(model, file, classes=0)
    height, width, channels = net.image_shape
    size = height if height == width else None
    images = {"image_size": size, "crop": net.crop, "resample": net.resample, "channels": channels}
    origin = Origin(*net.source, net.library)
    return Weights(_arrays(net.params), _arrays(net.state), None, (net.mean, net.std), images, origin)


def _of_a_model(model: str, folder: str) -> Weights:
    trained = load_model(folder)
    card, own = trained.card, custom.is_file(model)
    if not own and card.network != model:
        raise ValueError(
            f"init_from is {folder}, whose network is {card.network}, and model is {model}; take the same."
        )
    height, width, channels = card.image_shape
    size = height if height == width else None
    images = {"image_size": size, "crop": card.crop, "resample": card.resample, "channels": channels}
    origin = Origin(folder, None, card.files["weights.safetensors"], "jaxcnn")
    how = (card.classes, (card.mean, card.std), images, origin)
    return Weights(_arrays(trained.params), _arrays(trained.state), *how)


def _arrays(tree: Any) -> Any:
    """NumPy's, which every process of a run has alike."""
    return jax.tree.map(np.asarray, tree)
