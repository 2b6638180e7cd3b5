"""A trained network on images with labels, of the dataset that it was trained on or of any other with its classes."""

import functools
import warnings
from collections.abc import Collection
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.data import Dataset, Images
from jaxcnn.data.channels import in_channels
from jaxcnn.train.evaluation import Evaluation, evaluation
from jaxcnn.train.experiment import loss_of
from jaxcnn.train.model import Model
from jaxcnn.train.step import Loss, make_eval_step


def evaluate(model: Model, images: Images, labels: np.ndarray) -> Evaluation:
    """Loss, accuracy and probabilities of uint8 images (n, h, w, c) whose labels (n,) are places in `model.classes`.

    They may have other channels than the network takes, see `inputs`.
    """
    normalise = functools.partial(inputs, model)
    step = make_eval_step(model.network, loss(model), normalise=normalise, probabilities=model.activation)
    return evaluation(step, model.params, model.state, images, labels)


def logits_of(model: Model, images: Images, labels: np.ndarray) -> np.ndarray:
    """The logits (n, classes) of images as `evaluate` takes them, not divided by the model's temperature."""
    step = make_eval_step(
        model.network, loss(model), normalise=functools.partial(inputs, model), probabilities=lambda logits: logits
    )
    return evaluation(step, model.params, model.state, images, labels).probabilities


def inputs(model: Model, images: ArrayLike) -> Array:
    """What the network takes of uint8 images of any size: in its channels, normalised."""
    return model.normalise(in_channels(images, model.image_shape[-1]))


def loss(model: Model) -> Loss:
    """The loss that the network was trained with."""
    return loss_of(model.card.loss, model.card.label_smoothing)


def examples_of(model: Model, dataset: Dataset, part: Literal["valid", "test"] = "test") -> tuple[Images, np.ndarray]:
    """The images of a part of the dataset, and their labels in the network's order of classes.

    Classes are the same where their names are. A warning says where they come in another order or some are lacking, and
    where grey is to become colour or colour grey.

    Raises: ValueError where a class is none of the network's, and where the network does not take images of this size.
    """
    name, there, known = dataset.name, dataset.classes, model.classes
    if others := [c for c in there if c not in known]:
        raise ValueError(
            f"the dataset {name} has the classes {_some(there)}, and the network knows {_some(known)}: "
            f"{_some(others)} is none of its own. Take data with the same names of classes."
        )
    _check_size(model, dataset)
    if lacking := [c for c in known if c not in there]:
        warnings.warn(f"{name} has no images of these classes of the network: {_some(lacking)}.", stacklevel=2)
    if [c for c in known if c in there] != list(there):
        warnings.warn(
            f"the classes of {name} are in another order than the network's: their names count.", stacklevel=2
        )
    channels = model.image_shape[-1]
    in_channels(np.zeros(dataset.image_shape, np.uint8), channels)  # whether it can be
    if dataset.image_shape[-1] != channels:
        became = "grey, and become three equal channels" if channels == 3 else "coloured, and become grey"
        warnings.warn(f"the images of {name} are {became}, as the network takes them.", stacklevel=2)
    place = np.array([known.index(c) for c in there], np.int32)
    images, labels = dataset.parts[part]
    return images, place[labels]


def _check_size(model: Model, dataset: Dataset) -> None:
    height, width, channels = model.image_shape
    x = jax.ShapeDtypeStruct((1, *dataset.image_shape[:2], channels), jnp.float32)
    try:
        jax.eval_shape(model.network, model.params, model.state, x)
    except ValueError as error:
        raise ValueError(
            f"the network was trained on images of {height}×{width} pixels, and does not fit those of {dataset.name}, "
            f"{dataset.image_shape[0]}×{dataset.image_shape[1]}: {error} Resize the images with image_size={height}."
        ) from error


def _some(names: Collection[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(list(names)[:most]) + more
