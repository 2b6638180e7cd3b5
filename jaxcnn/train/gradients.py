"""A network's handwritten gradients against those that JAX derives itself, in float64."""

from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.data import Images
from jaxcnn.layers import Layer, Params, State, backprop, summary
from jaxcnn.ops import backward
from jaxcnn.train import evaluate
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.experiment import Experiment
from jaxcnn.train.model import Model
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import Loss

IMAGES = 8  # that a run's gradients are checked on unasked
LARGE = 1_000_000_000  # multiply-adds, forward: compiled once more, and here in float64, that may be minutes
TOLERANCE = 1e-10
SMALL = 1e-4  # a gradient below is measured as if it were this large: of p - y no more than ε is known


class Variables(Protocol):
    """A network's params and state, such as a `TrainState` or a `Model`."""

    @property
    def params(self) -> Params: ...
    @property
    def state(self) -> State: ...


@dataclass(frozen=True)
class LayerGradient:
    """One layer's norms (Euclidean), and its largest difference; None where a layer has no parameters."""

    path: str
    gradient: float | None
    delta: float
    difference: float | None


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradients` found, first layer first."""

    layers: tuple[LayerGradient, ...]
    arrays: int
    images: int

    @property
    def largest(self) -> float:
        """The largest relative difference of any layer."""
        return max((d.difference for d in self.layers if d.difference is not None), default=0.0)

    @property
    def agrees(self) -> bool:
        return self.largest <= TOLERANCE  # False for NaN, too

    def __str__(self) -> str:
        verdict = "agree" if self.agrees else "DO NOT agree"
        return (
            f"handwritten gradients {verdict} with jax.grad: largest difference {self.largest:.1e} relative "
            f"over {self.arrays} arrays (float64, {self.images} images)"
        )


def check_gradients(model: Layer, loss: Loss, trained: Variables, x: ArrayLike, labels: ArrayLike) -> GradientCheck:
    """Compare `backprop` with `jax.grad` of the same mean loss under `backward("autodiff")`, both in float64.

    A layer's difference is max |handwritten - derived| / max |derived| over all elements of all its arrays. The
    arrays of a layer share one scale because a true gradient may be 0 (a bias before batch norm), where what is
    left is rounding error. So it is where the network is sure of all images: a scale is 1e-4 at least.

    Args:
      x: inputs as the network takes them, (n, h, w, c), normalised.
      labels: (n,) integers.
    """
    with jax.enable_x64(True):
        params, state, x = jax.tree.map(_float64, (trained.params, trained.state, x))
        labels = jnp.asarray(labels)
        key = jax.random.key(0)  # the same dropout for both

        def handwritten(params: Params, state: State, x: Array, labels: Array) -> tuple[Params, dict[str, Array]]:
            result = backprop(model, params, state, (x, labels), loss, key=key)
            return result.gradients, jax.tree.map(lambda delta: jnp.sqrt(jnp.sum(delta**2)), result.deltas)

        def mean_loss(params: Params, state: State, x: Array, labels: Array) -> Array:
            logits, _ = model.apply(params, state, x, train=True, key=key)
            return jnp.mean(loss(logits, labels))

        written, deltas = jax.device_get(jax.jit(handwritten)(params, state, x, labels))
        with backward("autodiff"):
            derived = jax.device_get(jax.jit(jax.grad(mean_loss))(params, state, x, labels))
    ours, theirs = _by_layer(written), _by_layer(derived)
    layers = tuple(
        LayerGradient(
            path=path,
            gradient=_norm(ours[path]) if path in ours else None,
            delta=float(delta),
            difference=_difference(ours[path], theirs[path]) if path in ours else None,
        )
        for path, delta in deltas.items()
    )
    return GradientCheck(layers, len(jax.tree.leaves(derived)), len(labels))


def check_on_hardest(
    experiment: Experiment, train: TrainState, evaluation: Evaluation, images: int = IMAGES
) -> GradientCheck:
    """`check_gradients` on the test images that the network finds hardest.

    Their gradients are large. Of an image that it is certain of, little but rounding error is left of p - y, and the
    relative difference would say nothing.
    """
    dataset = experiment.dataset
    chosen = evaluation.hardest(dataset.test_labels)[:images]
    x = experiment.normalise(dataset.test_images[chosen])
    return check_gradients(experiment.model, experiment.loss, train, x, dataset.test_labels[chosen])


def check_model(
    model: Model, images: Images, labels: np.ndarray, evaluation: Evaluation, most: int = IMAGES
) -> GradientCheck:
    """The same of a model on disk: `evaluation` is of these images, whose labels are places in its classes."""
    chosen = evaluation.hardest(labels)[:most]
    x = evaluate.inputs(model, images[chosen])
    return check_gradients(model.network, evaluate.loss(model), model, x, labels[chosen])


def is_large(network: Layer, image_shape: tuple[int, ...], images: int = IMAGES) -> bool:
    """Whether gradients of so many images, by default those of a check, take so long that one is to ask for it."""
    return images * summary(network, image_shape).multiply_adds > LARGE


def _float64(x: ArrayLike) -> Array:
    return jnp.asarray(np.asarray(x), jnp.float64)


def _by_layer(gradients: Params) -> dict[str, list[np.ndarray]]:
    """Layer path -> its arrays; the last part of an array's path is its name within the layer."""
    layers: dict[str, list[np.ndarray]] = {}
    for path, leaf in jax.tree.leaves_with_path(gradients):
        layers.setdefault(jax.tree_util.keystr(path[:-1], simple=True, separator="/"), []).append(leaf)
    return layers


def _norm(arrays: list[Any]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(a)) for a in arrays)))


def _difference(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    largest = max(float(np.max(np.abs(a - b))) for a, b in zip(ours, theirs, strict=True))
    scale = max(float(np.max(np.abs(b))) for b in theirs)
    return largest / max(scale, SMALL)
