"""What a configuration and a dataset determine: the network, its loss and optimizer, and the jitted steps."""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxcnn import models, ops
from jaxcnn.data import Dataset, Images, augment, class_weights, eval_batches, normalise, statistics
from jaxcnn.layers import Layer, Params, State
from jaxcnn.models import custom
from jaxcnn.models.custom import Source
from jaxcnn.train import measures
from jaxcnn.train.feed import Feed, InMemory, Order, Streamed
from jaxcnn.train.freeze import frozen
from jaxcnn.train.loss_scale import LossScale
from jaxcnn.train.optim import make_optimizer, make_schedule
from jaxcnn.train.placement import ONE_DEVICE, Placement
from jaxcnn.train.recipe import OptimizationRecipe, TrainConfig
from jaxcnn.train.state import Metrics, TrainState
from jaxcnn.train.step import Augment, EvalStep, Loss, StepOptions, TrainStep, make_eval_step, make_train_step

EVAL_BATCH = 128


class Evaluation(NamedTuple):
    """Mean loss and accuracy over the test images, each one's probabilities (n, classes), and other figures of these.

    The loss is the one that training minimises, label smoothing included, but without class weights. `top5` and the
    rest are defined in `measures`.
    """

    loss: float
    accuracy: float
    probabilities: np.ndarray
    top5: float
    balanced_accuracy: float
    calibration_error: float

    def hardest(self, labels: np.ndarray) -> np.ndarray:
        """Indices of the test images: the mistakes, then the rest; in each the least probable true class first."""
        right = self.probabilities.argmax(-1) == labels
        return np.lexsort((self.probabilities[np.arange(len(labels)), labels], right))


@dataclass(frozen=True)
class Experiment:
    """A network ready to be trained or evaluated; made by `prepare` or `experiment_of`.

    Each part may be another: `dataclasses.replace(experiment, optimizer=optax.lion(1e-3))`.
    """

    recipe: OptimizationRecipe
    dataset: Dataset
    model: Layer
    loss: Loss
    augment: Augment
    mean: tuple[float, ...]
    std: tuple[float, ...]
    batch_size: int
    steps_per_epoch: int
    schedule: optax.Schedule
    optimizer: optax.GradientTransformation
    placement: Placement
    source: Source | None = None  # the file that the network is built by, where it is the user's own

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
        return frozen(self.model, self._shapes[0], self.recipe.freeze)

    @functools.cached_property
    def train_step(self) -> TrainStep:
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
            self.model, loss, normalise=self.normalise, probabilities=probabilities, placement=self.placement
        )

    def train_inputs(self, key: Array, images: ArrayLike, labels: ArrayLike) -> tuple[Array, Array, Array]:
        """What a step of this key computes with: augmented, normalised images, their labels, and dropout's key."""
        augment_key, dropout_key = jax.random.split(key)
        changed, labels = self.augment(augment_key, jnp.asarray(images), jnp.asarray(labels))
        return self.normalise(changed), labels, dropout_key

    def seeded(self, recipe: OptimizationRecipe) -> "Experiment":
        """The same from another seed; `recipe` differs in nothing else that a step depends on.

        What is compiled is shared, and so are images that lie on the devices.
        """
        other = replace(self, recipe=recipe)
        vars(other).update({name: getattr(self, name) for name in ("trained_model", "train_step", "eval_step")})
        if isinstance(self.feed, InMemory):
            vars(other)["feed"] = self.feed.in_order(other.order)
        return other

    def initial_state(self) -> TrainState:
        """The state before the first step, from the seed."""

        def make(seed: Array) -> TrainState:
            init_key, run_key = jax.random.split(jax.random.key(seed))
            params, state = self.model.init(init_key, self._image)
            average = () if self.recipe.ema is None else (params, state)
            scale = LossScale.initial() if self.recipe.precision == "float16" else ()
            made = TrainState(params, state, self.optimizer.init(params), jnp.int32(0), run_key, average, scale)
            return self.placement.kept(made)

        state: TrainState = jax.jit(make)(np.uint32(self.recipe.seed))
        return state

    def no_metrics(self) -> Metrics:
        """Of no images."""
        return self.placement.whole(Metrics.zero())

    @property
    def _image(self) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct((1, *self.dataset.image_shape), jnp.float32)

    @functools.cached_property
    def _shapes(self) -> tuple[Params, State]:
        """The params and state, as shapes."""
        return jax.eval_shape(lambda: self.model.init(jax.random.key(0), self._image))

    @property
    def chosen_by(self) -> Literal["valid", "test"]:
        """The part of the dataset that tells the best epoch: what is chosen by the test images can't be tested on them.

        Where there is no other, the test images it is, as in the papers.
        """
        return "test" if self.dataset.valid_images is None else "valid"

    def evaluate(self, train: TrainState, part: Literal["valid", "test"] = "test") -> Evaluation:
        """Loss, accuracy and probabilities on the images of a part; of the weights' average where it is kept."""
        return evaluation(self.eval_step, *train.evaluated, *self.dataset.parts[part], self.placement)


def evaluation(
    step: EvalStep,
    params: Params,
    state: State,
    images: Images,
    labels: np.ndarray,
    placement: Placement = ONE_DEVICE,
) -> Evaluation:
    """What the step comes to over all the images, batch by batch."""
    metrics, parts = placement.whole(Metrics.zero()), []
    batch_size = math.ceil(min(EVAL_BATCH, len(images)) / placement.devices) * placement.devices
    for batch in eval_batches(images, labels, batch_size):
        part, p = step(params, state, *placement.batch([placement.part(a) for a in batch]))
        metrics = metrics.plus(part)
        parts.append(np.asarray(p))
    probabilities = np.concatenate(parts)[: len(images)]
    return Evaluation(
        *metrics.means(),
        probabilities,
        top5=measures.top_k_accuracy(probabilities, labels, 5),
        balanced_accuracy=measures.balanced_accuracy(measures.confusion_matrix(probabilities, labels)),
        calibration_error=measures.calibration_error(probabilities, labels),
    )


def prepare(
    config: TrainConfig,
    dataset: Dataset,
    pixel_statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    source: Source | None = None,
    placement: Placement | None = None,
) -> Experiment:
    """The experiment that `config` describes on `dataset`: see `experiment_of`; the network is the one that it names.

    `source` is the file that its network is built by where it is the user's own, otherwise read anew. Raises ValueError
    for an unknown model, with the nearest name.
    """
    classes = len(dataset.classes)
    if source is None and custom.is_file(config.model):
        source = custom.read(config.model)
    network = models.create(config.model, classes) if source is None else source.network(classes)
    name = f"model {config.title}"
    made = experiment_of(config, dataset, network, pixel_statistics, name=name, placement=placement)
    return replace(made, source=source)


def experiment_of(
    recipe: OptimizationRecipe,
    dataset: Dataset,
    network: Layer,
    pixel_statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    *,
    name: str = "network",
    placement: Placement | None = None,
) -> Experiment:
    """A network, trained on a dataset as a recipe says.

    `pixel_statistics` are the (mean, deviation) per channel that the network was trained with; by default those of
    `dataset`'s training images. Raises ValueError, about the network by `name`, if the images do not fit it or the
    augmentation, for a batch larger than the training set or too small for batch norm, and for parameters to freeze
    that are not there.
    """
    examples = len(dataset.train_images)
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
    )
    _ = made.train_step  # now, so that what can't be frozen or rematerialised is refused before a run begins
    jax.eval_shape(made.train_inputs, jax.eval_shape(jax.random.key, 0), dataset.train_images[:2], np.zeros(2, int))
    return made


def _check_fits(name: str, model: Layer, dataset: Dataset, batch_size: int) -> None:
    def logits(key: Array, x: Array, train: bool) -> Array:
        params, state = model.init(key, jax.ShapeDtypeStruct(x.shape, x.dtype))
        return model.apply(params, state, x, train=train, key=key)[0]

    def output_shape(*, train: bool) -> tuple[int, ...]:
        image = jax.ShapeDtypeStruct((1, *dataset.image_shape), jnp.float32)
        return jax.eval_shape(functools.partial(logits, train=train), jax.random.key(0), image).shape[1:]

    height, width, _ = dataset.image_shape
    try:
        shape = output_shape(train=False)
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
        output_shape(train=True)
    except ValueError as error:
        raise ValueError(
            f"the {name} cannot be trained with batch_size=1 on images of {height}×{width} pixels: batch norm "
            "would meet a single value per channel. Take batch_size=2 or more, or larger images with image_size=N."
        ) from error


def _augment_of(text: str, classes: int) -> Augment:
    """Changes images as the text says; labels become probabilities (n, classes) where it mixes images."""
    augmentation = augment.parse(text)

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
