"""Layers that act on each value: activations and dropout."""

from dataclasses import dataclass

from jax import Array

from jaxcnn import ops
from jaxcnn.layers.base import Layer, Params, State, one_of
from jaxcnn.ops.check import is_number

ACTIVATIONS = {
    f.name: f
    for f in (
        ops.relu,
        ops.leaky_relu,
        ops.sigmoid,
        ops.tanh,
        ops.gelu,
        ops.silu,
        ops.softmax,
        ops.log_softmax,
    )
}


@dataclass(frozen=True, repr=False)
class Activation(Layer):
    """An activation by its name in `ops`, with that operation's defaults: `Activation("relu")`."""

    name: str

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of("Activation", "name", self.name, ACTIVATIONS)

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        return ACTIVATIONS[self.name](x), {}


@dataclass(frozen=True, repr=False)
class Dropout(Layer):
    """In training, zero each value with probability `rate` and divide the rest by 1 - rate; else the identity."""

    rate: float

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_number(self.rate) or not 0 <= self.rate < 1:
            raise ValueError(
                f"Dropout: rate is {self.rate!r}; expected 0 or more and less than 1: the probability of dropping."
            )

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        if not train:
            return x, {}
        if key is None:
            raise ValueError(
                "Dropout: key is None in training; pass one, such as apply(..., train=True, key=jax.random.key(0))."
            )
        return ops.dropout(x, key, rate=self.rate), {}
