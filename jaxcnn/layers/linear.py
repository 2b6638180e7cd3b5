"""Layers with weights: convolution and the fully connected layer."""

from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Layer, Params, State, described, fold, one_of
from jaxcnn.layers.describe import Field
from jaxcnn.ops.check import group_count
from jaxcnn.ops.geometry import Padding, PerAxis, per_axis

INITIALIZERS = ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "zeros")


def weights(init: str, key: Array, shape: tuple[int, ...], dtype: Any) -> Array:
    """Initial weights (*window, in, out) by one of `INITIALIZERS`; the window counts towards the fan-in.

    he: variance 2 / fan_in (He et al. 2015), for relu. glorot: 2 / (fan_in + fan_out) (Glorot & Bengio 2010), for
    tanh and sigmoid. lecun: 1 / fan_in (LeCun et al. 1998).
    """
    initializers = jax.nn.initializers
    if init == "zeros":
        return jnp.zeros(shape, dtype)
    made: Array = getattr(initializers, init)()(key, shape, dtype)
    return made


@dataclass(frozen=True, repr=False)
class Conv(Layer):
    """Cross-correlation with learned kernels (*window, cin / groups, features); see `ops.conv` for the options.

    `size` is the window, one int for every axis or one for each; the number of spatial axes is the input's.
    """

    features: int
    size: PerAxis = 3
    stride: PerAxis = 1
    padding: Padding = "SAME"
    dilation: PerAxis = 1
    groups: int = 1
    use_bias: bool = True
    initializer: str = "he_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Conv", "initializer", self.initializer, INITIALIZERS)
        per_axis("Conv", "features", self.features, 1)

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        x = described(x)
        if len(x.shape) not in (3, 4, 5):
            raise ValueError(
                f"Conv: the input has shape {x.shape}; expected (n, *spatial, channels) with 1 to 3 spatial axes."
            )
        window, cin = per_axis("Conv", "size", self.size, len(x.shape) - 2), x.shape[-1]
        shape = (*window, cin // group_count("Conv", self.groups, cin, "the input"), self.features)
        params = {"kernel": weights(self.initializer, fold(key, "kernel"), shape, x.dtype)}
        return params | ({"bias": jnp.zeros(self.features, x.dtype)} if self.use_bias else {}), {}

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        y = ops.conv(
            x,
            params["kernel"],
            params.get("bias"),
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
        )
        return y, {}

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return field.through(x.shape[1:-1], self.size, self.stride, self.padding, self.dilation)

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        window = per_axis("Conv", "size", self.size, len(x.shape) - 2)
        return prod(y.shape[1:]) * prod(window) * (x.shape[-1] // self.groups)


@dataclass(frozen=True, repr=False)
class Dense(Layer):
    """Fully connected: y = x kernel + bias over the last axis; put `Flatten()` before it for images."""

    features: int
    use_bias: bool = True
    initializer: str = "he_normal"

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Dense", "initializer", self.initializer, INITIALIZERS)
        per_axis("Dense", "features", self.features, 1)

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        x = described(x)
        shape = (x.shape[-1], self.features)
        params = {"kernel": weights(self.initializer, fold(key, "kernel"), shape, x.dtype)}
        return params | ({"bias": jnp.zeros(self.features, x.dtype)} if self.use_bias else {}), {}

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ops.dense(x, params["kernel"], params.get("bias")), {}

    def look(self, x: ShapeDtypeStruct, field: Field) -> tuple[Field, tuple[int, ...]]:
        return (field.everything() if len(x.shape) == 2 else field), ()

    def multiply_adds(self, x: ShapeDtypeStruct, y: ShapeDtypeStruct) -> int:
        return prod(y.shape[1:]) * x.shape[-1]
