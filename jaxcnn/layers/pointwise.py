"""Layers that act on each value: activations and the dropouts."""

from dataclasses import dataclass
from typing import ClassVar

import jax.numpy as jnp
from jax import Array, ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers.base import Function, Layer, Params, State, described, entries, one_of
from jaxcnn.ops.check import is_number
from jaxcnn.ops.rule import Rule

ACTIVATIONS = {
    f.name: f
    for f in (
        ops.relu,
        ops.relu6,
        ops.leaky_relu,
        ops.elu,
        ops.selu,
        ops.sigmoid,
        ops.hard_sigmoid,
        ops.tanh,
        ops.softplus,
        ops.gelu,
        ops.silu,
        ops.hard_swish,
        ops.mish,
        ops.softmax,
        ops.log_softmax,
    )
}


@dataclass(frozen=True, repr=False)
class Activation(Function):
    """An activation by its name in `ops`, with that operation's defaults: `Activation("relu")`."""

    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Activation", "name", self.name, ACTIVATIONS)

    def forward(self, params: Params, x: Array) -> Array:
        return ACTIVATIONS[self.name](x)


@dataclass(frozen=True, repr=False)
class PReLU(Function):
    """x where x > 0, else a multiple of it: a learned one for each channel, `slope` at first; see `ops.prelu`."""

    slope: float = 0.25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.slope):
            raise ValueError(f"PReLU: slope is {self.slope!r}; expected a number, such as 0.25.")

    def init(self, key: Array, x: ShapeDtypeStruct) -> tuple[Params, State]:
        return {"slope": jnp.full(x.shape[-1], self.slope, described(x).dtype)}, {}

    def forward(self, params: Params, x: Array) -> Array:
        return ops.prelu(x, *entries("params", params, "slope"))


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training, zero each value with probability `rate` and divide the rest by 1 - rate; else the identity."""

    rate: float

    operation: ClassVar[Rule[..., Array]] = ops.dropout

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.rate) or not 0 <= self.rate < 1:
            raise ValueError(
                f"{type(self).__name__}: rate is {self.rate!r}; expected 0 or more and less than 1: the probability "
                "of dropping."
            )

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        entries("params", params), entries("state", state)
        if not train:
            return x, {}
        if key is None:
            raise ValueError(
                f"{type(self).__name__}: key is None in training; pass one, such as "
                "apply(..., train=True, key=jax.random.key(0))."
            )
        return self.operation(x, key, rate=self.rate), {}


@dataclass(frozen=True, repr=False)
class SpatialDropout(Dropout):
    """In training, zero each channel of each example with probability `rate`; see `ops.spatial_dropout`."""

    operation = ops.spatial_dropout


@dataclass(frozen=True, repr=False)
class StochasticDepth(Dropout):
    """In training, zero each example with probability `rate`; see `ops.stochastic_depth`.

    As the last layer of a residual block's body: residual(chain(conv=Conv(64), drop=StochasticDepth(0.1))).
    """

    operation = ops.stochastic_depth
