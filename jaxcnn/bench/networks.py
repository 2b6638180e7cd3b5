"""Contests of whole networks: a training step, and inference on one image or many."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn import models, ops
from jaxcnn.bench.contest import Contest, Entrant, Prepared, Results
from jaxcnn.bench.measure import Run
from jaxcnn.bench.peers import PEERS, Peer
from jaxcnn.bench.peers.network import Node, Sgd, node
from jaxcnn.bench.precision import Precision, in_precision, within
from jaxcnn.bench.ways import Context, together, ways
from jaxcnn.layers import BatchNorm, Dropout, Layer, Params, State, chain, fold_batch_norm, summary
from jaxcnn.layers.walk import changed, leaves
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import make_train_step

# What "all" means: small images, then those of ImageNet; with residual, depthwise and layer-normalised blocks.
NETWORKS = (
    "lenet5",
    "cifar_small",
    "resnet20",
    "resnet18",
    "resnet50",
    "mobilenet_v2",
    "efficientnet_lite0",
    "convnext_tiny",
)
LARGE, FEW, MANY = 200, 16, 128  # images of so many pixels a side are large; images in a training step then, and else
COMPARED_STEPS = 3
FALL = 0.05  # of the loss in the first of them: so that a wrong gradient shows, and rounding does not grow
INFERENCE = (1, 64)  # images: for latency, for throughput
FOLDED = "jaxcnn, batch norm folded"


@dataclass(frozen=True)
class Problem:
    """A network, its weights, and a batch for it: normal pixels, labels at random.

    `image` is (pixels a side, channels).
    """

    name: str
    network: Layer
    image: tuple[int, int]
    batch_size: int

    @cached_property
    def weights(self) -> tuple[Any, Any]:
        """(params, state), the same for everybody; XLA compiles its own random numbers in a third of JAX's time."""
        initial = jax.jit(lambda key: self.network.init(key, self._described(1)))
        return cast(tuple[Any, Any], initial(jax.random.key(0, impl="unsafe_rbg")))

    def images(self, n: int) -> "np.ndarray[Any, Any]":
        """A batch of n."""
        size, channels = self.image
        return np.random.default_rng(0).standard_normal((n, size, size, channels), np.float32)

    @property
    def labels(self) -> "np.ndarray[Any, Any]":
        """For a batch of `batch_size`."""
        classes = jax.eval_shape(partial(self.network.apply, *self.weights), self._described(1))[0].shape[-1]
        return np.random.default_rng(1).integers(0, classes, self.batch_size, dtype=np.int32)

    @cached_property
    def sgd(self) -> Sgd:
        """The optimizer, the same for everybody, whose first step is to lower the loss by `FALL` of it.

        A step lowers it by learning rate × |gradient|², and |gradient|² differs by a factor of 100,000 from network to
        network: at a rate that moves the losses of one, those of another soon depend on the last digits.
        """

        def mean_loss(params: Params, images: Any, labels: Any) -> Any:
            logits, _ = self.network.apply(params, self.weights[1], images, train=True)
            return ops.softmax_cross_entropy(logits, labels).mean()

        loss, gradient = jax.jit(jax.value_and_grad(mean_loss))(
            self.weights[0], self.images(self.batch_size), self.labels
        )
        squared = sum(jnp.vdot(g, g) for g in jax.tree.leaves(gradient))
        return Sgd(float(FALL * loss / squared))

    def tree(self, n: int) -> Node:
        """The network as other frameworks' are built from, for batches of n."""
        return node(self.network, *self.weights, self._described(n))

    def work(self, n: int, *, train: bool) -> float:
        """Floating-point operations on n images, a multiply-add being two, of convolutions and dense layers.

        Training does each layer's work three times, forward, for dx and for dkernel; nobody needs the images' dx.
        """
        size, channels = self.image
        layers = [row.multiply_adds for row in summary(self.network, (size, size, channels)).rows]
        first = next((m for m in layers if m), 0)
        return 2.0 * n * (3 * sum(layers) - first if train else sum(layers))

    def _described(self, n: int) -> jax.ShapeDtypeStruct:
        size, channels = self.image
        return jax.ShapeDtypeStruct((n, size, size, channels), jnp.float32)


def problem(name: str, *, batch_size: int | None = None, image_size: int | None = None) -> Problem:
    """The network of this name in `jaxcnn.models`, by default on images of the size that it was made for.

    Dropout and stochastic depth are left out, for everybody: no two frameworks draw the same.
    """
    network = changed(models.create(name), lambda path, layer: chain() if isinstance(layer, Dropout) else layer)
    size, _, channels = models.ABOUT[name].image_shape
    return Problem(name, network, (image_size or size, channels), batch_size or (FEW if size >= LARGE else MANY))


def training(task: Problem, precisions: Sequence[Precision], peers: Sequence[str]) -> Contest:
    """One training step: forward, backward, and SGD with momentum."""
    size, channels = task.image
    return Contest(
        "training step",
        f"{task.name}, {task.batch_size}×{size}×{size}×{channels}",
        _entrants(precisions, peers, partial(_our_training, task), partial(_peers_training, task)),
        lambda precision: {"step": task.work(task.batch_size, train=True)},
    )


def inference(task: Problem, n: int, precisions: Sequence[Precision], peers: Sequence[str]) -> Contest:
    """The logits of n images, from the images to when they are there; ours with batch norms folded, too."""
    size, channels = task.image
    has_any = any(isinstance(layer, BatchNorm) for _, layer in leaves(task.network))
    more = {FOLDED: partial(_folded_inference, task, n)} if has_any else {}
    return Contest(
        "inference",
        f"{task.name}, {n}×{size}×{size}×{channels}",
        _entrants(precisions, peers, partial(_our_inference, task, n), partial(_peers_inference, task, n), more),
        lambda precision: {"answer": task.work(n, train=False)},
    )


def _entrants(
    precisions: Sequence[Precision],
    peers: Sequence[str],
    ours: Callable[[Precision, Context], Prepared],
    theirs: Callable[[Peer, Precision], Prepared],
    more: Mapping[str, Callable[[Precision], Prepared]] | None = None,
) -> tuple[Entrant, ...]:
    """We, in each of our ways and in `more`, then the others; float32 is first, and the measure of the rest."""
    made = []
    for precision in precisions:
        made += [Entrant(by, precision, partial(ours, precision, context)) for by, context in ways().items()]
        made += [Entrant(by, precision, partial(way, precision)) for by, way in (more or {}).items()]
        made += [Entrant(p.name, precision, partial(theirs, p, precision)) for p in PEERS if p.package in peers]
    return tuple(made)


def _our_training(task: Problem, precision: Precision, context: Context) -> Prepared:
    """`jaxcnn.train`'s own step, which others' frameworks have no equal of, on images that need no preparation."""
    optimizer = task.sgd.by_optax()
    step = make_train_step(
        in_precision(task.network, precision),
        optimizer,
        ops.softmax_cross_entropy,
        normalise=lambda images: images,
    )
    params, state = jax.tree.map(jnp.copy, task.weights)
    train_state = TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(0))
    images, labels = jnp.asarray(task.images(task.batch_size)), jnp.asarray(task.labels)

    def call() -> Any:
        nonlocal train_state
        train_state, metrics = step(train_state, images, labels)
        return metrics.loss

    run = Run(call, jax.block_until_ready, together(context, within(precision)))
    return _with_losses(run, lambda loss: loss / task.batch_size)


def _peers_training(task: Problem, peer: Peer, precision: Precision) -> Prepared:
    network = peer.network(task.tree(task.batch_size), precision)
    return _with_losses(network.training(task.images(task.batch_size), task.labels, task.sgd), lambda loss: loss)


def _with_losses(run: Run, mean: Callable[[Any], Any]) -> Prepared:
    """Compared are the losses of the first steps: they agree only if weights, gradients and updates do."""

    def evidence(results: Results) -> "np.ndarray[Any, Any]":
        with run.within():
            losses = [results["step"], *(run.call() for _ in range(COMPARED_STEPS - 1))]
            return np.array([float(mean(loss)) for loss in losses])

    return Prepared({"step": run}, evidence)


def _our_inference(task: Problem, n: int, precision: Precision, context: Context) -> Prepared:
    return _answering((task.network, *task.weights), task.images(n), precision, context)


def _folded_inference(task: Problem, n: int, precision: Precision) -> Prepared:
    return _answering(fold_batch_norm(task.network, *task.weights), task.images(n), precision, nullcontext)


def _answering(
    model: tuple[Layer, Params, State], images: "np.ndarray[Any, Any]", precision: Precision, context: Context
) -> Prepared:
    network, x = in_precision(model[0], precision), jnp.asarray(images)
    answer = jax.jit(lambda params, state, x: network.apply(params, state, x)[0])
    entered = together(context, within(precision))
    return Prepared({"answer": Run(lambda: jax.block_until_ready(answer(*model[1:], x)), id, entered)})


def _peers_inference(task: Problem, n: int, peer: Peer, precision: Precision) -> Prepared:
    run = peer.network(task.tree(n), precision).answering(task.images(n))
    return Prepared({"answer": run}, lambda results: _numbers(results["answer"]))


def _numbers(y: Any) -> Any:
    """PyTorch's tensors, too, as an array that NumPy takes."""
    return y.float().cpu().numpy() if hasattr(y, "cpu") else y
