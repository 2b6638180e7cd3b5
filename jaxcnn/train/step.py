"""One training step and one evaluation step, each a jitted pure function."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.layers import Layer, Params, State
from jaxcnn.primitive import promoting
from jaxcnn.train.freeze import stopped
from jaxcnn.train.loss_scale import LossScale
from jaxcnn.train.placement import ONE_DEVICE, Placement
from jaxcnn.train.precision import Precision, computed_in
from jaxcnn.train.program import Program
from jaxcnn.train.remat import rematerialised
from jaxcnn.train.state import Metrics, TrainState

# (logits (n, classes), labels (n,), or probabilities (n, classes)) -> one loss per example, (n,)
Loss = Callable[[Array, Array], Array]
# (key, images, labels) -> (images, labels, or probabilities where it mixes them); see `jaxcnn.data.augment`
Augment = Callable[[Array, Array, Array], tuple[Array, Array]]
EvalStep = Callable[[Params, State, ArrayLike, ArrayLike, ArrayLike], tuple[Metrics, Array]]


@dataclass(frozen=True)
class StepOptions:
    """What a step does beside a gradient and an update.

    Attributes:
      accumulate: parts of a batch that are computed one after the other. The gradient is that of the whole batch, but
        batch norm takes its statistics from each part, and dropout draws for each.
      precision: what activations are computed in, see `computed_in`. In float16 the loss is scaled: the train state
        begins with a `LossScale.initial()`, and a step whose gradients overflow is left out, see `LossScale`.
      freeze: paths of parameters that get no gradient, see `freeze.frozen`.
      ema: the share of the average that each step keeps, or None for no average, see `TrainState.averaged`.
      remat: whether activations are computed once more on the way back, block by block, rather than kept, see `Blocks`.
        On a CPU only where the step is a program of its own: within another one XLA keeps them.
      skip: whether a step whose loss or gradient is not finite leaves everything as it was but its own number.
    """

    accumulate: int = 1
    precision: Precision = "float32"
    freeze: str = ""
    ema: float | None = None
    remat: bool = False
    skip: bool = False


def make_train_step(
    model: Layer,
    optimizer: optax.GradientTransformation,
    loss: Loss,
    *,
    normalise: Callable[[Array], Array],
    augment: Augment | None = None,
    options: StepOptions | None = None,
    placement: Placement = ONE_DEVICE,
) -> Program:
    """(train state, images uint8 (n, h, w, c), labels int (n,)) -> (train state, metrics), the old state donated.

    `augment(key, images, labels)` changes the pixels and perhaps the labels, and `normalise(images)` makes them floats,
    inside the step. The gradient of the mean loss is taken by `jax.grad` through the handwritten rules. Augmentation
    and dropout get keys from the state's key and step alone, so that a step is the same whenever it is run.

    A step whose loss or gradient is not finite is named by its metrics, as `diverged_at`; a gradient is where its norm
    is, in float32.
    """
    options = options or StepOptions()
    network = rematerialised(model) if options.remat else model

    def gradient(
        params: Params, state: State, images: Array, labels: Array, key: Array, factor: Array | None
    ) -> tuple[Params, State, Array, Array]:
        """The gradient of the mean loss, the new state, the mean loss and the number of right answers."""
        augment_key, dropout_key = jax.random.split(key)
        if augment is not None:
            images, labels = augment(augment_key, images, labels)
        x = normalise(images)

        def mean_loss(params: Params) -> tuple[Array, tuple[Array, Array, State]]:
            trained, inputs = computed_in(options.precision, model, stopped(params, options.freeze), x)
            logits, new = network.apply(placement.gathered(trained), state, inputs, train=True, key=dropout_key)
            logits = logits.astype(x.dtype)
            mean = jnp.mean(loss(logits, labels))
            new = {**state, **new}  # of a network of some of another's parts the others' stays
            return mean if factor is None else mean * factor, (mean, logits, new)

        gradients, (mean, logits, new) = jax.grad(mean_loss, has_aux=True)(params)
        if factor is not None:
            gradients = jax.tree.map(lambda g: g / factor, gradients)
        answers = labels if labels.ndim == 1 else jnp.argmax(labels, -1)
        return gradients, new, mean, jnp.sum(jnp.argmax(logits, -1) == answers, dtype=jnp.float32)

    def accumulated(
        params: Params, state: State, images: Array, labels: Array, key: Array, factor: Array | None
    ) -> Any:
        """The same, part by part: means over the parts, which are of one size."""
        parts = [parts_of(a, options.accumulate) for a in (images, labels)]

        def add(carry: Any, part: Any) -> tuple[Any, None]:
            state, sums = carry
            images, labels, number = part
            gradients, state, *measured = gradient(params, state, images, labels, part_key(key, number), factor)
            return (state, jax.tree.map(jnp.add, sums, (gradients, *measured))), None

        first = [a[0] for a in parts]
        gradients, _, *measured = jax.eval_shape(gradient, params, state, *first, key, factor)
        zero = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), (gradients, *measured))
        (state, (gradients, mean, correct)), _ = jax.lax.scan(
            add, (state, zero), (*parts, jnp.arange(options.accumulate))
        )
        gradients, mean = jax.tree.map(lambda a: a / options.accumulate, (gradients, mean))
        return gradients, state, mean, correct

    @promoting()
    def step(train: TrainState, images: Array, labels: Array) -> tuple[TrainState, Metrics]:
        if (options.precision == "float16") != isinstance(train.scale, LossScale):
            raise ValueError(
                f"precision is {options.precision!r}, and the train state's scale {train.scale!r}; expected a loss "
                "scale with float16 and none without: TrainState(..., scale=LossScale.initial())."
            )
        factor = train.scale.factor if train.scale else None
        compute = gradient if options.accumulate == 1 else accumulated
        gradients, state, mean, correct = compute(train.params, train.state, images, labels, step_key(train), factor)
        updates, opt_state = optimizer.update(gradients, train.opt_state, train.params)
        params = optax.apply_updates(train.params, updates)
        n, done, scale = jnp.float32(len(labels)), train.step + 1, train.scale
        size = norm(gradients)
        finite = jnp.isfinite(mean) & jnp.isfinite(size)  # asked of each entry, it takes long to compile
        broken = ~finite
        if isinstance(scale, LossScale):  # a smaller one may help, unless the loss itself is not finite
            overflowed = broken & jnp.isfinite(mean)
            broken &= ~(overflowed & scale.may_fall)
            scale = scale.after(finite, overflowed)
        after = TrainState(params, state, opt_state, done, train.key, train.average, scale)
        if options.ema is not None:
            after = after.averaged(options.ema)
        size = jnp.where(jnp.isfinite(size), size, 0.0)
        metrics = Metrics(mean * n, correct, n, jnp.where(broken, done, 0), size * n)
        if options.skip or train.scale:
            unchanged = replace(train, step=done, scale=scale)
            after = jax.tree.map(lambda new, old: jnp.where(finite, new, old), after, unchanged)
        if options.skip:
            metrics = jax.tree.map(lambda m: jnp.where(broken, jnp.zeros_like(m), m), metrics)
        return placement.kept(after), placement.gathered(metrics)

    return Program(step, options.remat)


def norm(tree: Any) -> Array:
    """The Euclidean norm of all arrays together."""
    return jnp.sqrt(jnp.sum(jnp.stack([jnp.sum(jnp.square(a), dtype=jnp.float32) for a in jax.tree.leaves(tree)])))


def step_key(train: TrainState) -> Array:
    """The key of the step that comes next, to be split for augmentation and dropout."""
    return jax.random.fold_in(train.key, train.step)


def parts_of(batch: Array, number: int) -> Array:
    """A batch (n, ...) as (number, n / number, ...): the parts that are accumulated.

    A part is every so many-th example, so that each of several devices, which hold neighbours, has its share of it.
    """
    return batch.reshape(-1, number, *batch.shape[1:]).swapaxes(0, 1)


def part_key(key: Array, number: ArrayLike) -> Array:
    """The same for one of the parts of a batch that is accumulated, from the step's key."""
    return jax.random.fold_in(key, number)


def make_eval_step(
    model: Layer,
    loss: Loss,
    *,
    normalise: Callable[[Array], Array],
    probabilities: Callable[[Array], Array],
    placement: Placement = ONE_DEVICE,
) -> EvalStep:
    """(params, state, images, labels, weights (n,)) -> (metrics, probabilities (n, classes)).

    A weight is 1 for an example and 0 for padding, which fills the last batch so that all have one shape.
    """

    @promoting()
    def step(params: Params, state: State, images: Array, labels: Array, weights: Array) -> tuple[Metrics, Array]:
        logits, _ = model.apply(*placement.gathered((params, state)), normalise(images), train=False)
        # where, not a product: an infinite loss on padding times 0 would be NaN.
        losses = jnp.where(weights > 0, loss(logits, labels), 0.0)
        correct = jnp.sum((jnp.argmax(logits, -1) == labels) * weights)
        metrics = Metrics(jnp.sum(losses), correct, jnp.sum(weights), jnp.int32(0), jnp.float32(0))
        return placement.gathered((metrics, probabilities(logits)))

    return jax.jit(step)
