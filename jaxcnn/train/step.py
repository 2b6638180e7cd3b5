"""One training step and one evaluation step, each a jitted pure function."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.layers import Layer, Params, State
from jaxcnn.primitive import promoting
from jaxcnn.train.state import Metrics, TrainState

Loss = Callable[[Array, Array], Array]  # (logits (n, classes), labels (n,)) -> one loss per example, (n,)
TrainStep = Callable[[TrainState, ArrayLike, ArrayLike], tuple[TrainState, Metrics]]
EvalStep = Callable[[Params, State, ArrayLike, ArrayLike, ArrayLike], tuple[Metrics, Array]]


def make_train_step(
    model: Layer,
    optimizer: optax.GradientTransformation,
    loss: Loss,
    *,
    normalise: Callable[[Array], Array],
    augment: Callable[[Array, Array], Array],
) -> TrainStep:
    """(train state, images uint8 (n, h, w, c), labels int (n,)) -> (train state, metrics), the old state donated.

    `augment(key, images)` changes the pixels and `normalise(images)` makes them floats, inside the step. The
    gradient of the mean loss is taken by `jax.grad` through the handwritten rules. Augmentation and dropout get keys
    from the state's key and step alone, so that a step is the same whenever it is run.
    """

    @promoting()
    def step(train: TrainState, images: Array, labels: Array) -> tuple[TrainState, Metrics]:
        augment_key, dropout_key = jax.random.split(jax.random.fold_in(train.key, train.step))
        x = normalise(augment(augment_key, images))

        def mean_loss(params: Params) -> tuple[Array, tuple[Array, State]]:
            logits, state = model.apply(params, train.state, x, train=True, key=dropout_key)
            return jnp.mean(loss(logits, labels)), (logits, state)

        (mean, (logits, state)), gradients = jax.value_and_grad(mean_loss, has_aux=True)(train.params)
        updates, opt_state = optimizer.update(gradients, train.opt_state, train.params)
        params = optax.apply_updates(train.params, updates)
        n, done = jnp.float32(len(labels)), train.step + 1
        correct = jnp.sum(jnp.argmax(logits, -1) == labels, dtype=jnp.float32)
        metrics = Metrics(mean * n, correct, n, jnp.where(jnp.isfinite(mean), 0, done))
        return TrainState(params, state, opt_state, done, train.key), metrics

    return jax.jit(step, donate_argnums=0)


def make_eval_step(
    model: Layer,
    loss: Loss,
    *,
    normalise: Callable[[Array], Array],
    probabilities: Callable[[Array], Array],
) -> EvalStep:
    """(params, state, images, labels, weights (n,)) -> (metrics, probabilities (n, classes)).

    A weight is 1 for an example and 0 for padding, which fills the last batch so that all have one shape.
    """

    @promoting()
    def step(params: Params, state: State, images: Array, labels: Array, weights: Array) -> tuple[Metrics, Array]:
        logits, _ = model.apply(params, state, normalise(images), train=False)
        # where, not a product: an infinite loss on padding times 0 would be NaN.
        losses = jnp.where(weights > 0, loss(logits, labels), 0.0)
        correct = jnp.sum((jnp.argmax(logits, -1) == labels) * weights)
        return Metrics(jnp.sum(losses), correct, jnp.sum(weights), jnp.int32(0)), probabilities(logits)

    return jax.jit(step)
