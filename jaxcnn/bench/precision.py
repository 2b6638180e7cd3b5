"""The precisions that are compared, and what each means for a JAX program."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array

from jaxcnn.layers import Layer, Params, State

Precision = Literal["float32", "tensorfloat32", "bfloat16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

# How far results may be from jaxcnn's in float32, and still be those of the same work: tensorfloat32 keeps 11 bits of
# a value and bfloat16 8, where float32 keeps 24.
AGREEMENT: dict[Precision, float] = {"float32": 1e-3, "tensorfloat32": 4e-3, "bfloat16": 3e-2}


def available() -> tuple[Precision, ...]:
    """All of them on a GPU; a CPU multiplies no tensorfloat32."""
    return tuple(p for p in PRECISIONS if p != "tensorfloat32" or jax.default_backend() != "cpu")


def dtype(precision: Precision) -> Any:
    """Of the arrays that an operation gets."""
    return jnp.dtype(jnp.bfloat16 if precision == "bfloat16" else jnp.float32)


def within(precision: Precision) -> Callable[[], AbstractContextManager[Any]]:
    """The context in which a JAX program multiplies float32 arrays as `precision` says.

    Without it GPUs multiply float32 in tensorfloat32, a CPU in float32.
    """
    if jax.default_backend() == "cpu" and precision == "float32":
        return nullcontext
    return lambda: jax.default_matmul_precision(precision)


def in_precision(model: Layer, precision: Precision) -> Layer:
    """The network that computes in this precision; its parameters and logits stay float32.

    On a CPU only the convolutions' products are in bfloat16: `within` says so to them, and all between them is faster
    in float32. A GPU is faster with every array in bfloat16.
    """
    return Half(model) if precision == "bfloat16" and jax.default_backend() != "cpu" else model


@dataclass(frozen=True, repr=False)
class Half(Layer):
    """A network that computes in bfloat16 with parameters that are kept in float32."""

    network: Layer

    def apply(
        self, params: Params, state: State, x: Array, *, train: bool = False, key: Array | None = None
    ) -> tuple[Array, State]:
        params, x = jax.tree.map(lambda a: a.astype(jnp.bfloat16), (params, x))
        y, state = self.network.apply(params, state, x, train=train, key=key)
        return y.astype(jnp.float32), state
