"""What training changes from step to step, and what it measures, as pytrees that live on the device."""

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.layers import Params, State
from jaxcnn.train.loss_scale import LossScale


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class TrainState:
    """Everything that the next step depends on; a checkpoint of it continues a run bit for bit."""

    params: Params
    state: State  # batch norm's running statistics
    opt_state: Any
    step: Array  # int32, steps done; tells the epoch and the place in it
    key: Array  # the run's key; each step folds `step` into it and never changes it
    average: tuple[Params, State] | tuple[()] = ()  # of params and state over the steps, where it is kept
    scale: LossScale | tuple[()] = ()  # of the loss, where it is computed in float16

    @property
    def evaluated(self) -> tuple[Params, State]:
        """The params and state to evaluate and to keep: their average, where there is one."""
        return self.average or (self.params, self.state)

    def averaged(self, decay: float) -> "TrainState":
        """The average moved by this step: a <- d a + (1 - d) p, with d = min(decay, (1 + t) / (10 + t)) at step t.

        The smaller d lets the first steps, far from where training ends, be forgotten sooner (TensorFlow's
        ExponentialMovingAverage does so given the number of updates). Batch norm's running statistics are averaged
        alike: those of an averaged network lie between those of the networks that it is the average of.
        """
        t = self.step.astype(jnp.float32)
        d = jnp.minimum(decay, (1 + t) / (10 + t))

        def moved(a: Array, p: Array) -> Array:
            return (d * a + (1 - d) * p).astype(a.dtype)

        return replace(self, average=jax.tree.map(moved, self.average, (self.params, self.state)))


class Metrics(NamedTuple):
    """Sums over examples: of a batch, or, added up by `plus`, of an epoch so far."""

    loss: Array
    correct: Array
    examples: Array
    diverged_at: Array  # int32, the first step (counted from 1) that was not finite; 0 for none
    gradient: Array  # the norm of the gradient of each example's step

    @classmethod
    def zero(cls) -> "Metrics":
        return cls(jnp.float32(0), jnp.float32(0), jnp.float32(0), jnp.int32(0), jnp.float32(0))

    @jax.jit
    def plus(self, later: "Metrics") -> "Metrics":
        """These examples and those of `later`, which came after them."""
        diverged_at = jnp.where(self.diverged_at > 0, self.diverged_at, later.diverged_at)
        return Metrics(
            self.loss + later.loss,
            self.correct + later.correct,
            self.examples + later.examples,
            diverged_at,
            self.gradient + later.gradient,
        )

    def means(self) -> tuple[float, float]:
        """(mean loss, accuracy), fetched from the device; NaN before the first example."""
        loss, correct, examples = map(float, jax.device_get(self[:3]))
        return (loss / examples, correct / examples) if examples else (float("nan"), float("nan"))
