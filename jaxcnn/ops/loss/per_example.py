"""One loss for each example: the mean over its entries, its cotangent's share, and the hinge."""

import math

import jax.numpy as jnp
from jax import Array
from jaxtyping import Float

from jaxcnn.ops.check import accumulator

PerExample = Float[Array, " n"]


def example_mean(each: Array, like: Array) -> PerExample:
    """The mean over all axes but the first, in the dtype of `like`."""
    return each.mean(range(1, each.ndim)).astype(like.dtype)


def share(dloss: PerExample, x: Array) -> Array:
    """dloss / m for each of the m entries of an example."""
    return behind(dloss.astype(accumulator(x)) / math.prod(x.shape[1:]), x)


def behind(dloss: PerExample, x: Array) -> Array:
    """dloss with axes of length 1 behind it, to multiply x (n, ...)."""
    return dloss.astype(accumulator(x)).reshape(-1, *[1] * (x.ndim - 1))


def counted(value: Array, weight: Array | float) -> Array:
    """`value`, to be multiplied by `weight`; 0 where the weight is 0 and the value infinite or NaN.

    So what does not count adds 0, as 0 log 0 does by its limit, and not 0 times infinity.
    """
    return jnp.where((weight == 0) & ~jnp.isfinite(value), 0, value)


def hinged(x: Array) -> Array:
    """max(x, 0), with the derivative 0 at 0 (that of `jnp.maximum` is 1/2); NaN stays NaN."""
    return jnp.where(x <= 0, 0, x)
