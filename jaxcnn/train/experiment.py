"""What a configuration and a dataset determine: the network, its loss and optimizer, and the jitted steps."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.stages import Lowered
from jax.typing import ArrayLike

from jaxcnn import models, ops
from jaxcnn.data import Dataset, augment, class_weights, normalise, statistics
from jaxcnn.layers import Layer, Params, State
from jaxcnn.layers.base import initialised, output, shapes_of
from jaxcnn.layers.walk import name_of
from jaxcnn.models import custom
from jaxcnn.models.custom import Source
from jaxcnn.train import unfreeze
from jaxcnn.train.evaluation import Evaluation, evaluation
from jaxcnn.train.feed import Feed, InMemory, Order, Streamed
from jaxcnn.train.freeze import frozen
from jaxcnn.train.layer_norms import NormsOf, make_norms
from jaxcnn.train.loss_scale import LossScale
from jaxcnn.train.optim import make_optimizer, make_schedule
from jaxcnn.train.placement import ONE_DEVICE, Placement
from jaxcnn.train.program import Program
from jaxcnn.train.recipe import OptimizationRecipe, TrainConfig
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.step import Augment, EvalStep, Loss, StepOptions, make_eval_step, make_train_step
from jaxcnn.train.weights import Origin, Weights


@dataclass(frozen=True)
class Experiment:
    """A network ready to be trained or evaluated; made by `prepare` or `experiment_of`.

    Each part may be another: `dataclasses.replace(experiment, optimizer=optax.lion(1e-3))`.
    """

    recipe: OptimizationRecipe
    dataset: Dataset
    model: Layer
    loss: Loss
    augment: Augment | None  # None where images are trained on as they are
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch_size: int
    steps_per_epoch: int
    schedule: optax.Schedule
    optimizer: optax.GradientTransformation
    placement: Placement
    source: Source | None = None  # the file that the network is built by, where it is the user's own
    init: tuple[Params, State] | None = None  # what training begins with; parts of the network without it are random
    origin: Origin | None = None  # where `init` comes from

    @functools.cached_property
    def feed(self) -> Feed:
        """The batches to train on."""
        images = self.dataset.train_images
        if (workers := self.dataset.workers) is not None:
            return Streamed(images, self.order, self.placement, workers, steps=self.total_steps)
        return InMemory(images, self.dataset.train_labels, self.order, self.placement)

    @property
    def order(self) -> Order:
        """Which images each step takes."""
        balanced = self.recipe.sampling == "balanced"
        return Order(self.dataset.train_labels, self.batch_size, self.recipe.seed, balanced)

    def batches(self, step: int = 0) -> Iterator[tuple[Array, Array]]:
        """The images and labels of each step after `step` steps, to the end of training."""
        for epoch in range(self.epochs_done(step), self.epochs):
            begin = max(step, epoch * self.steps_per_epoch)
            yield from itertools.islice(self.feed.rest_of_epoch(begin), self.total_steps - begin)

    @property
    def total_steps(self) -> int:
        """The steps of the whole training."""
        return self.recipe.total_steps(self.steps_per_epoch)

    @property
    def epochs(self) -> int:
        """The epochs of the whole training, of which the last may be a part of one."""
        return -(-self.total_steps // self.steps_per_epoch)

    def epochs_done(self, step: int) -> int:
        """The epochs that have ended after so many steps."""
        return self.epochs if step >= self.total_steps else step // self.steps_per_epoch

    def normalise(self, images: Array) -> Array:
        """uint8 images as the network wants them, float32."""
        return normalise(images, jnp.float32(self.mean), jnp.float32(self.std))

    @functools.cached_property
    def trained_model(self) -> Layer:
        """The network as a training step has it: what is frozen is in evaluation mode."""
        return frozen(self.model, self.shapes[0], self.recipe.freeze)

    def during(self, epoch: int) -> "Experiment":
        """The one whose steps those of an epoch are, counted from 0: this, or until all is unfrozen one with less."""
        every = self.recipe.unfreeze_epochs
        return self if every is None else self._phases[min(epoch // every, len(self._phases) - 1)]

    @functools.cached_property
    def _phases(self) -> tuple["Experiment", ...]:
        """From the head alone to all that the recipe trains. Each has a step of its own; what is kept is the same."""
        if self.recipe.unfreeze_epochs is None:
            return ()

        def phase(freeze: str) -> Experiment:
            recipe = replace(self.recipe, freeze=freeze, unfreeze_epochs=None)
            return replace(self, recipe=recipe, optimizer=unfreeze.held(self.optimizer, freeze))

        return tuple(map(phase, unfreeze.phases(self.model, self.shapes[0], self.recipe.freeze)))

    @property
    def evaluated_model(self) -> Layer:
        """The network as an evaluation step has it."""
        return self.model

    @functools.cached_property
    def train_step(self) -> Program:
        recipe = self.recipe
        return make_train_step(
            self.trained_model,
            self.optimizer,
            self.loss,
            normalise=self.normalise,
            augment=self.augment,
            placement=self.placement,
            options=StepOptions(
                accumulate=recipe.accumulate,
                precision=recipe.precision,
                freeze=recipe.freeze,
                ema=recipe.ema,
                remat=recipe.remat,
                skip=recipe.on_nonfinite == "skip",
            ),
        )

    @functools.cached_property
    def eval_step(self) -> EvalStep:
        probabilities = jax.nn.softmax if self.recipe.loss == "softmax" else jax.nn.sigmoid
        assert self.recipe.label_smoothing is not None  # filled in
        loss = loss_of(self.recipe.loss, self.recipe.label_smoothing)  # without class weights, which are for training
        return make_eval_step(
            self.evaluated_model, loss, normalise=self.normalise, probabilities=probabilities, placement=self.placement
        )

    @functools.cached_property
    def norms(self) -> NormsOf:
        """How large each layer's δ and gradient are."""
        freeze, loss = self.recipe.freeze, self.loss
        return make_norms(self.trained_model, loss, normalise=self.normalise, freeze=freeze, placement=self.placement)

    def train_inputs(self, key: Array, images: ArrayLike, labels: ArrayLike) -> tuple[Array, Array, Array]:
        """What a step of this key computes with: augmented, normalised images, their labels, and dropout's key."""
        augment_key, dropout_key = jax.random.split(key)
        images, labels = jnp.asarray(images), jnp.asarray(labels)
        if self.augment is not None:
            images, labels = self.augment(augment_key, images, labels)
        return self.normalise(images), labels, dropout_key

    def seeded(self, recipe: OptimizationRecipe, weights: Weights | None = None) -> "Experiment":
        """The same from another seed; `recipe` differs in nothing else that a step depends on.

        What is compiled is shared, and so are images that lie on the devices. `weights` are those that it begins with,
        where this one, being resumed, has none.
        """
        other = replace(self, recipe=recipe)
        if weights is not None:
            other = replace(other, init=weights.for_classes(self.dataset.classes), origin=weights.origin)
        shared = ("trained_model", "train_step", "eval_step", "norms", "_make_state", "_phases")
        vars(other).update({name: getattr(self, name) for name in shared})
        if isinstance(self.feed, InMemory):
            vars(other)["feed"] = self.feed.in_order(other.order)
        return other

    def initial_state(self) -> TrainState:
        """The state before the first step, from `init` and the seed."""
        state: TrainState = self._make_state(*self._origins)
        return state

    def lowered_state(self) -> Lowered:
        """The program of `initial_state`, as it is to be compiled."""
        lowered: Lowered = self._make_state.lower(*self._origins)
        return lowered

    @functools.cached_property
    def _make_state(self) -> Any:
        def make(seed: Array, init: tuple[Params, State]) -> TrainState:
            init_key, run_key = jax.random.split(jax.random.key(seed))
            params, state = (made | given for made, given in zip(self._init(init_key), init, strict=True))
            average = () if self.recipe.ema is None else (params, state)
            scale = LossScale.initial() if self.recipe.precision == "float16" else ()
            made = TrainState(params, state, self.optimizer.init(params), jnp.int32(0), run_key, average, scale)
            return self.placement.kept(made)

        return jax.jit(make)

    @property
    def _origins(self) -> tuple[np.uint32, tuple[Params, State]]:
        return np.uint32(self.recipe.seed), self.init or ({}, {})

    def no_metrics(self) -> Metrics:
        """Of no images."""
        return self.placement.whole(Metrics.zero())

    @property
    def image(self) -> jax.ShapeDtypeStruct:
        """What the network takes, for a single image."""
        return jax.ShapeDtypeStruct((1, *self.dataset.image_shape), jnp.float32)

    def _init(self, key: Array) -> tuple[Params, State]:
        made: tuple[Params, State] = initialised(self.model, self.image.shape, self.image.dtype, key)
        return made

    @functools.cached_property
    def shapes(self) -> tuple[Params, State]:
        """The params and state, as shapes."""
        return shapes_of(self.model, self.image)

    @property
    def chosen_by(self) -> Literal["valid", "test"]:
        """The part of the dataset that tells the best epoch: what is chosen by the test images can't be tested on them.

        Where there is no other, the test images it is, as in the papers.
        """
        return "test" if self.dataset.valid_images is None else "valid"

    def evaluate(self, train: TrainState, part: Literal["valid", "test"] = "test") -> Evaluation:
        """Loss, accuracy and probabilities on the images of a part; of the weights' average where it is kept."""
        return evaluation(self.eval_step, *train.evaluated, *self.dataset.parts[part], self.placement)


def prepare(
    config: TrainConfig,
    dataset: Dataset,
    pixel_statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    source: Source | None = None,
    placement: Placement | None = None,
    weights: Weights | None = None,
) -> Experiment:
    """The experiment that `config` describes on `dataset`: see `experiment_of`; the network is the one that it names.

    `source` is the file that its network is built by where it is the user's own, otherwise read anew. `weights` are
    those that it begins with, see `init_from.begun`. Raises ValueError for an unknown model, with the nearest name.
    """
    classes = len(dataset.classes)
    if source is None and custom.is_file(config.model):
        source = custom.read(config.model)
    network = models.create(config.model, classes) if source is None else source.network(classes)
    name = f"model {config.title}"
    init = None if weights is None else weights.for_classes(dataset.classes)
    made = experiment_of(config, dataset, network, pixel_statistics, name=name, placement=placement, init=init)
    return replace(made, source=source, origin=None if weights is None else weights.origin)


def experiment_of(
    recipe: OptimizationRecipe,
    dataset: Dataset,
    network: Layer,
    pixel_statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    name: str = "network",
    placement: Placement | None = None,
    init: tuple[Params, State] | None = None,
) -> Experiment:
    """A network, trained on a dataset as a recipe says.

    `pixel_statistics` are the (mean, deviation) per channel that the network was trained with; by default those of
    `dataset`'s training images. `init` are params and state to begin with; a part of the network that is not among them
    is random by the seed. Raises ValueError, about the network by `name`, if the images do not fit it or the
    augmentation, for a batch larger than the training set or too small for batch norm, for parameters to freeze that
    are not there, and for arrays of `init` that are none of the network's.
    """
    examples = len(dataset.train_images)
    assert recipe.batch_size is not None and recipe.augment is not None  # filled in
    batch_size = examples if recipe.batch_size == "full" else recipe.batch_size
    if batch_size > examples:
        raise ValueError(
            f"batch_size is {batch_size}, more than the {examples} training images; use full for all of them."
        )
    if batch_size % recipe.accumulate:
        raise ValueError(f"accumulate is {recipe.accumulate}, which does not divide the {examples} images of a batch.")
    placement = placement or ONE_DEVICE
    if (batch_size // recipe.accumulate) % placement.devices:
        parts = f", in {recipe.accumulate} parts," if recipe.accumulate > 1 else ""
        raise ValueError(
            f"batch_size is {batch_size}, which{parts} {placement.devices} devices do not divide; take a multiple of "
            f"{recipe.accumulate * placement.devices}, or other devices."
        )
    _check_fits(name, network, dataset, batch_size // recipe.accumulate)
    mean, std = pixel_statistics or statistics(dataset.train_images)
    steps_per_epoch = examples // batch_size
    schedule = make_schedule(recipe, steps_per_epoch)
    assert recipe.label_smoothing is not None  # filled in
    made = Experiment(
        recipe=recipe,
        dataset=dataset,
        model=network,
        loss=loss_of(recipe.loss, recipe.label_smoothing, _class_weights(recipe, dataset)),
        augment=_augment_of(recipe.augment, len(dataset.classes)),
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        schedule=schedule,
        optimizer=make_optimizer(recipe, schedule, network),
        placement=placement,
        init=init,
    )
    if init is not None:
        for what, given, own in zip(("params", "state"), init, made.shapes, strict=True):
            _check_init(f"init's {what}", name, given, own)
    # Now, so that what can't be frozen, unfrozen or rematerialised is refused before a run begins.
    _ = made.train_step, made.during(0).trained_model
    jax.eval_shape(made.train_inputs, jax.eval_shape(jax.random.key, 0), dataset.train_images[:2], np.zeros(2, int))
    return made


def _check_init(what: str, name: str, given: Params, own: Params) -> None:
    """Raises ValueError unless each part that is given has the arrays that the network has there, by name and shape."""
    theirs, ours = (
        {name_of(path): leaf.shape for path, leaf in jax.tree.leaves_with_path(tree)}
        for tree in (given, {part: tree for part, tree in own.items() if part in given})
    )
    differing = [
        f"{path} {'is missing' if shape is None else shape}, expected {expected or 'no such array'}"
        for path in sorted(theirs.keys() | ours.keys())
        if (shape := theirs.get(path)) != (expected := ours.get(path))
    ]
    if differing:
        more = f"; and {len(differing) - 4} more" if len(differing) > 4 else ""
        raise ValueError(f"{what} does not fit the {name}: {'; '.join(differing[:4])}{more}.")


def _check_fits(name: str, model: Layer, dataset: Dataset, batch_size: int) -> None:
    image = jax.ShapeDtypeStruct((1, *dataset.image_shape), jnp.float32)

    def trained(params: Params, state: State, x: Array) -> Array:
        return model.apply(params, state, x, train=True, key=jax.random.key(0))[0]

    height, width, _ = dataset.image_shape
    try:
        shape = output(model, *shapes_of(model, image), image).shape[1:]
    except ValueError as error:
        raise ValueError(
            f"the {name} does not fit images of {height}×{width} pixels: {error} Resize the images with "
            "image_size=N, or choose another model."
        ) from error
    if shape != (len(dataset.classes),):
        raise ValueError(
            f"the {name} turns an image into outputs of shape {shape}; expected ({len(dataset.classes)},), one "
            f"for each class of {dataset.name}. Choose a model with a dense head, such as lenet5."
        )
    if batch_size > 1:
        return
    try:
        jax.eval_shape(trained, *shapes_of(model, image), image)
    except ValueError as error:
        raise ValueError(
            f"the {name} cannot be trained with batch_size=1 on images of {height}×{width} pixels: batch norm "
            "would meet a single value per channel. Take batch_size=2 or more, or larger images with image_size=N."
        ) from error


def _augment_of(text: str, classes: int) -> Augment | None:
    """Changes images as the text says; labels become probabilities (n, classes) where it mixes images."""
    augmentation = augment.parse(text)
    if not augmentation.steps:
        return None

    def augmented(key: Array, images: Array, labels: Array) -> tuple[Array, Array]:
        if augmentation.mixes:
            labels = jax.nn.one_hot(labels, classes, dtype=jnp.float32)
        return augmentation(key, images, labels)

    return augmented


def _class_weights(recipe: OptimizationRecipe, dataset: Dataset) -> Array | None:
    if recipe.class_weights == "none":
        return None
    return jnp.asarray(class_weights(dataset.train_labels, len(dataset.classes)))


def loss_of(kind: Literal["softmax", "sigmoid"], label_smoothing: float, class_weights: Array | None = None) -> Loss:
    """One loss per example from logits (n, classes) and integer labels (n,), or probabilities (n, classes)."""
    if kind == "softmax":
        return functools.partial(
            ops.softmax_cross_entropy, class_weights=class_weights, label_smoothing=label_smoothing
        )

    def one_against_all(logits: Array, labels: Array) -> Array:
        if labels.ndim == 1:
            labels = jax.nn.one_hot(labels, logits.shape[-1], dtype=logits.dtype)
        return ops.sigmoid_cross_entropy(logits, labels)

    return one_against_all
