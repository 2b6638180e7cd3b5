"""Normalisation as layers, each with a learned scale and bias; batch norm also keeps running statistics."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Function, Layer, Params, State, described, entries
from jaxcnn.ops.check import accumulator, is_number


def scale_and_bias(x: ShapeDtypeStruct) -> Params:
    """γ = 1 and β = 0 for each channel of x."""
    zeros = jnp.zeros(x.shape[-1], x.dtype)
    return {"scale": zeros + 1, "bias": zeros}


@dataclass(frozen=True, repr=False)
class BatchNorm(Layer):
    """Normalise each channel: by the batch's statistics in training, by the running ones in evaluation.

    Trainable: scale γ and bias β. Not trainable: the running mean and variance, which after each training batch
    become momentum · old + (1 - momentum) · batch. The variance is the biased one, divided by the number of
    values, in both places (Ioffe & Szegedy 2015; PyTorch keeps the unbiased one). With `momentum` None they are the
    averages over all batches so far, which the state then counts.

    `axis_name` is that of `ops.batch_norm`: in training the statistics are those of the batches on all devices of the
    axis of this name. Evaluation and `init` need no such axis.
    """

    momentum: float | None = 0.9
    epsilon: float = 1e-5
    axis_name: Hashable | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.momentum is not None and (not is_number(self.momentum) or not 0 <= self.momentum < 1):
            raise ValueError(
                f"BatchNorm: momentum is {self.momentum!r}; expected 0 or more and less than 1: the weight of the old "
                "running value (PyTorch's momentum=0.1 is 0.9 here), or None for the average over all batches."
            )

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        params = scale_and_bias(described(x))
        running = jnp.zeros(x.shape[-1], accumulator(params["bias"]))  # averages over many batches: float32 or wider
        state = {"mean": running, "var": running + 1}
        return params, state if self.momentum is not None else state | {"count": jnp.zeros((), jnp.int32)}

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        scale, bias = entries("params", params, "scale", "bias")
        mean, var, count = entries("state", state, "mean", "var", "count" if self.momentum is None else None)
        if not train:
            return ops.batch_norm_eval(x, scale, bias, mean, var, epsilon=self.epsilon), state
        y, batch_mean, batch_var = ops.batch_norm(x, scale, bias, epsilon=self.epsilon, axis_name=self.axis_name)
        keep: Any = self.momentum
        new = {}
        if keep is None:  # of n batches, the others weigh (n - 1) / n
            new["count"] = count + 1
            keep = 1 - 1 / new["count"].astype(mean.dtype)
        return y, new | {
            "mean": keep * mean + (1 - keep) * batch_mean.astype(mean.dtype),
            "var": keep * var + (1 - keep) * batch_var.astype(var.dtype),
        }


class ExampleNorm(Function):
    """What the norms of each example by itself share: γ and β."""

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return scale_and_bias(described(x)), {}

    def scale_and_bias(self, params: Params) -> list[Array]:
        return entries("params", params, "scale", "bias")


@dataclass(frozen=True, repr=False)
class LayerNorm(ExampleNorm):
    """Normalise over the channels, each place by itself, as `ops.layer_norm`, Flax and ConvNeXt do.

    PyTorch's `LayerNorm([c, h, w])` over all of an example is, but for the shape of γ and β, `GroupNorm(1)`.
    """

    epsilon: float = 1e-5

    def forward(self, params: Params, x: Array) -> Array:
        return ops.layer_norm(x, *self.scale_and_bias(params), epsilon=self.epsilon)


@dataclass(frozen=True, repr=False)
class GroupNorm(ExampleNorm):
    """Normalise groups of neighbouring channels over all places; see `ops.group_norm`."""

    groups: int = 32
    epsilon: float = 1e-5

    def forward(self, params: Params, x: Array) -> Array:
        return ops.group_norm(x, *self.scale_and_bias(params), groups=self.groups, epsilon=self.epsilon)


@dataclass(frozen=True, repr=False)
class InstanceNorm(ExampleNorm):
    """Normalise each channel over all places; see `ops.instance_norm`."""

    epsilon: float = 1e-5

    def forward(self, params: Params, x: Array) -> Array:
        return ops.instance_norm(x, *self.scale_and_bias(params), epsilon=self.epsilon)


@dataclass(frozen=True, repr=False)
class RMSNorm(Function):
    """Divide by the root mean square over the channels, each place by itself; see `ops.rms_norm`. γ, and no β."""

    epsilon: float = 1e-6

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return {"scale": scale_and_bias(described(x))["scale"]}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return ops.rms_norm(x, *entries("params", params, "scale"), epsilon=self.epsilon)


@dataclass(frozen=True, repr=False)
class LocalResponseNorm(Function):
    """Divide by a power of the neighbouring channels' squares; see `ops.local_response_norm`. Nothing is learned."""

    size: int = 5
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def forward(self, params: Params, x: Array) -> Array:
        return ops.local_response_norm(x, self.size, alpha=self.alpha, beta=self.beta, k=self.k)


@dataclass(frozen=True, repr=False)
class LayerScale(Function):
    """γ x, a learned factor for each channel, `value` at first: small, so that a residual block begins as the identity.

    It is batch norm's evaluation with mean 0 and variance 1. Source: Touvron et al. 2021, "Going deeper with image
    transformers", section 2.
    """

    value: float = 1e-6

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.value):
            raise ValueError(f"LayerScale: value is {self.value!r}; expected a number, such as 1e-6.")

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return {"scale": jnp.full(x.shape[-1], self.value, described(x).dtype)}, {}

    def forward(self, params: Params, x: Array) -> Array:
        (scale,) = entries("params", params, "scale")
        zeros = jnp.zeros_like(scale)
        return ops.batch_norm_eval(x, scale, zeros, zeros, zeros + 1, epsilon=0.0)
