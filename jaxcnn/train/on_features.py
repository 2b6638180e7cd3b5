"""A network whose first layers are frozen, trained on what these make of the images: that is computed once.

It is so where nothing changes the images and no layer below the first one that is trained draws anything: a step, the
evaluation after an epoch, and so a linear probe then take a small part of their time, and end in the same weights but
for rounding.
"""

import functools
import math
from dataclasses import dataclass, field, fields
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxcnn.data import Images
from jaxcnn.data.room import SHARE, memory
from jaxcnn.layers import Layer, Params, State
from jaxcnn.layers.combine import Chain
from jaxcnn.layers.walk import leaves
from jaxcnn.train.evaluation import Evaluation, evaluation, placed_batches
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.feed import Feed, InMemory
from jaxcnn.train.freeze import Frozen
from jaxcnn.train.state import TrainState

BATCH = 64


@dataclass(frozen=True)
class OnFeatures(Experiment):
    """The experiment whose steps take the `features` of a part of the dataset, and compute the network's `rest`."""

    rest: Chain = field(default_factory=Chain)
    features: dict[str, np.ndarray] = field(default_factory=dict, repr=False)

    @functools.cached_property
    def feed(self) -> Feed:
        return InMemory(self.features["train"], self.dataset.train_labels, self.order, self.placement)

    def normalise(self, images: Array) -> Array:
        """The features as they are."""
        return jnp.asarray(images)

    @property
    def trained_model(self) -> Layer:
        return self.rest

    @property
    def evaluated_model(self) -> Layer:
        return self.rest

    def evaluate(self, train: TrainState, part: Literal["valid", "test"] = "test") -> Evaluation:
        labels = self.dataset.parts[part][1]
        return evaluation(self.eval_step, *train.evaluated, self.features[part], labels, self.placement)


def on_features(experiment: Experiment, train: TrainState) -> Experiment:
    """The experiment on the features that the params and state give; or, where they can't be kept, as it is."""
    network, first = experiment.trained_model, kept(experiment)
    if not isinstance(network, Chain) or not first.parts:
        return experiment
    placement = experiment.placement

    @jax.jit
    def features(params: Params, state: State, images: Array) -> Array:
        x = experiment.normalise(images)
        return placement.gathered(first.apply(*placement.gathered((params, state)), x)[0])

    def of(images: Images, labels: np.ndarray) -> np.ndarray:
        batches = placed_batches(images, labels, BATCH, placement)
        return np.concatenate([features(train.params, train.state, x) for x, *_ in batches])[: len(images)]

    same = {f.name: getattr(experiment, f.name) for f in fields(Experiment)}
    parts = {part: of(*experiment.dataset.parts[part]) for part in ("train", experiment.chosen_by)}
    return OnFeatures(**same, rest=Chain(network.parts[len(first.parts) :]), features=parts)


def kept(experiment: Experiment) -> Chain:
    """The first parts of the network, whose output is kept of each image; none where that can't be.

    That is so where images come as they are, what is frozen stays so, and it takes no more than a share of the memory.
    """
    network, (params, state), x = experiment.trained_model, experiment.shapes, experiment.image
    changes = experiment.augment is not None or experiment.recipe.unfreeze_epochs is not None
    if changes or not isinstance(network, Chain):
        return Chain()
    first: list[tuple[str, Layer]] = []
    for name, part in network.parts:
        y = _settled(part, params.get(name, {}), state.get(name, {}), x)
        if y is None:
            break
        first.append((name, part))
        x = y
    images = sum(len(experiment.dataset.parts[part][0]) for part in ("train", experiment.chosen_by))
    size = math.prod(x.shape) * x.dtype.itemsize * images
    return Chain(tuple(first) if any(name in params for name, _ in first) and size <= memory() / SHARE else ())


def _settled(part: Layer, params: Params, state: State, x: jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct | None:
    """What comes of x, where that is the same in all of training: nothing in the part is trained, or draws."""
    if any(_at(tree, path) for tree in (params, state) for path, at in leaves(part) if not isinstance(at, Frozen)):
        return None
    try:
        y: jax.ShapeDtypeStruct = jax.eval_shape(lambda p, s, x: part.apply(p, s, x, train=True)[0], params, state, x)
    except ValueError:  # it needs a key
        return None
    return y


def _at(tree: Params, path: tuple[str, ...]) -> Params:
    return functools.reduce(lambda tree, name: tree.get(name, {}), path, tree)
