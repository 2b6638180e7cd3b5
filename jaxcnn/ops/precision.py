"""How a convolution multiplies float32: in all its bits, or in the 8 that bfloat16 keeps of them."""

from typing import Literal, get_args

import jax
import jax.numpy as jnp
from jax import Array, lax

Precision = Literal["float32", "bfloat16"]


def multiplied_in(op: str, precision: Precision | None) -> Precision | None:
    """`precision`, or the one that `jax.default_matmul_precision` sets where it is None; ValueError for others."""
    if precision is None:
        default = jax.config.jax_default_matmul_precision  # type: ignore[attr-defined]
        return "bfloat16" if default == "bfloat16" else None
    if precision not in get_args(Precision):
        raise ValueError(
            f'{op}: precision is {precision!r}; expected "float32", "bfloat16", or None for what '
            "jax.default_matmul_precision says."
        )
    return precision


def as_multiplied(precision: Precision | None, *operands: Array) -> tuple[Array, ...]:
    """The operands with the values that are multiplied: float32 rounded to bfloat16 where that is the precision."""
    if precision != "bfloat16":
        return operands
    return tuple(lax.reduce_precision(a, 8, 7) if a.dtype == jnp.float32 else a for a in operands)
