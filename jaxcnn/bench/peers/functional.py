"""A JAX network as a pure function: how those of Flax, Equinox and Keras are trained and asked, all alike."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxcnn.bench.measure import Run
from jaxcnn.bench.peers.network import Sgd
from jaxcnn.bench.precision import Precision, within


@dataclass(frozen=True)
class Functional:
    """`forward(params, state, x, train) -> (logits, new state)`; `images` brings a batch (n, h, w, c) into x's layout.

    Each framework documents such a step, one jitted function whose old parameters are donated, as its fastest way
    to train; the loss and the optimizer are optax's for all of them.
    """

    forward: Callable[[Any, Any, Any, bool], tuple[Any, Any]]
    params: Any
    state: Any
    precision: Precision
    images: Callable[[Any], Any] = jnp.asarray

    def training(self, images: Any, labels: Any, sgd: Sgd) -> Run:
        """Each call makes one step on this batch and returns the loss before it."""
        optimizer = sgd.by_optax()

        @partial(jax.jit, donate_argnums=0)
        def step(carried: Any, x: Any, labels: Any) -> tuple[Any, Any]:
            params, state, opt_state = carried

            def mean_loss(params: Any) -> tuple[Any, Any]:
                logits, new = self.forward(params, state, x, True)
                return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), new

            (loss, state), gradients = jax.value_and_grad(mean_loss, has_aux=True)(params)
            updates, opt_state = optimizer.update(gradients, opt_state, params)
            return (optax.apply_updates(params, updates), state, opt_state), loss

        copied = jax.tree.map(jnp.copy, (self.params, self.state))  # the step is given its own to keep
        carried = (*copied, optimizer.init(copied[0]))
        x, labels = self.images(images), jnp.asarray(labels)

        def call() -> Any:
            nonlocal carried
            carried, loss = step(carried, x, labels)
            return loss

        return Run(call, jax.block_until_ready, within(self.precision))

    def answering(self, images: Any) -> Run:
        """Each call returns the logits of this batch, when they are there."""
        answer = jax.jit(lambda params, state, x: self.forward(params, state, x, False)[0])
        x = self.images(images)

        def call() -> Any:
            return jax.block_until_ready(answer(self.params, self.state, x))

        return Run(call, lambda _: None, within(self.precision))
