"""Batch normalisation as a layer: where the running statistics are kept."""

from dataclasses import dataclass

import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Layer, Params, State, described
from jaxcnn.ops.check import accumulator, is_number


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Normalise each channel: by the batch's statistics in training, by the running ones in evaluation.

    Trainable: scale γ and bias β. Not trainable: the running mean and variance, which after each training batch
    become momentum · old + (1 - momentum) · batch. The variance is the biased one, divided by the number of
    values, in both places (Ioffe & Szegedy 2015; PyTorch keeps the unbiased one).
    """

    momentum: float = 0.9
    epsilon: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.momentum) or not 0 <= self.momentum < 1:
            raise ValueError(
                f"BatchNorm: momentum is {self.momentum!r}; expected 0 or more and less than 1: the weight of the old "
                "running value (PyTorch's momentum=0.1 is 0.9 here)."
            )

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        x = described(x)
        zeros = jnp.zeros(x.shape[-1], x.dtype)
        running = jnp.zeros(x.shape[-1], accumulator(zeros))  # averages over many batches: float32 or wider
        return {"scale": zeros + 1, "bias": zeros}, {"mean": running, "var": running + 1}

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        scale, bias, mean, var = params["scale"], params["bias"], state["mean"], state["var"]
        if not train:
            return ops.batch_norm_eval(x, scale, bias, mean, var, epsilon=self.epsilon), state
        y, batch_mean, batch_var = ops.batch_norm(x, scale, bias, epsilon=self.epsilon)
        keep = self.momentum
        return y, {
            "mean": keep * mean + (1 - keep) * batch_mean,
            "var": keep * var + (1 - keep) * batch_var,
        }
