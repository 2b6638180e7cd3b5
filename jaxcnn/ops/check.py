"""What the doors of the operations share: refusing bad arrays with an error that says what to do."""

from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

Layout = Literal["NHWC", "NCHW"]


def floating(op: str, argument: str, x: ArrayLike) -> Array:
    """`x` as an array of floats; ValueError for integers, with how to scale pixels."""
    array = jnp.asarray(x)
    if not jnp.issubdtype(array.dtype, jnp.floating):
        raise ValueError(
            f"{op}: {argument} has dtype {array.dtype}; expected floats. "
            f"For 8-bit pixels write {argument}.astype(jnp.float32) / 255."
        )
    return array


def same_dtype(*arrays: Array | None) -> list[Array | None]:
    """The arrays promoted to their common dtype, so that each cotangent has the dtype its caller gave."""
    dtype = jnp.result_type(*(a for a in arrays if a is not None))
    return [None if a is None else a.astype(dtype) for a in arrays]


def spatial(op: str, x: Array, layout: Layout) -> tuple[Array, int]:
    """`x` with channels last, and its number of spatial axes (1, 2 or 3); ValueError for another rank."""
    if x.ndim not in (3, 4, 5):
        raise ValueError(
            f"{op}: x has shape {x.shape}; expected a batch with 1, 2 or 3 spatial axes and channels, "
            "such as (n, h, w, c). For a single image write x[None]; for images without channels x[..., None]."
        )
    return channels_last(op, x, layout), x.ndim - 2


def channels_last(op: str, x: Array, layout: Layout) -> Array:
    """(n, c, h, w) to (n, h, w, c) where `layout` is "NCHW", for any number of spatial axes."""
    if layout not in ("NHWC", "NCHW"):
        raise ValueError(
            f'{op}: layout is {layout!r}; expected "NHWC" (channels last) or "NCHW" (channels first), '
            "whatever the number of spatial axes."
        )
    return x if layout == "NHWC" else jnp.moveaxis(x, 1, -1)


def channels_back(y: Array, layout: Layout) -> Array:
    """Undo `channels_last` on an operation's output."""
    return y if layout == "NHWC" else jnp.moveaxis(y, -1, 1)


def concrete(x: ArrayLike) -> bool:
    """Whether the values can be looked at now; under `jit`, `grad` and `vmap` they can't."""
    return not isinstance(x, jax.core.Tracer)
