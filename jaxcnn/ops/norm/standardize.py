"""Zero mean and unit variance over some axes: the core of every norm."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

from jaxcnn.kernels.sums import first_entry


def standardized(x: Array, axes: Sequence[int], epsilon: float) -> tuple[Array, Array]:
    """u = r (x - mean) and r = (var + ε)^(-1/2), with mean and biased variance over `axes`; in x's dtype.

    What is lost of a rounded mean may be large beside √ε, so it is taken of what x has beyond its `first_entry`.
    """
    near = x - first_entry(x, axes)
    centred = near - near.mean(axes, keepdims=True)
    r = lax.rsqrt(jnp.square(centred).mean(axes, keepdims=True) + epsilon)
    return centred * r, r


def standardized_back(unit: Array, r: Array, du: Array, axes: Sequence[int]) -> Array:
    """The cotangent dx of u = r (x - mean), given du.

    Among the m values that share a mean and a variance, u[j] depends on x[i] directly, through the mean and through
    the variance:

        ∂u[j] / ∂x[i] = r ([i = j] - 1/m) - r³/m (x[i] - mean) (x[j] - mean) = r ([i = j] - 1/m - u[i] u[j] / m).

    Summed over j, dx[i] = r (du[i] - mean(du) - u[i] mean(du u)): what of du would only shift or stretch all m values
    is taken out, because u does not change with it.
    """
    along = (du * unit).mean(axes, keepdims=True)
    return r * (du - du.mean(axes, keepdims=True) - unit * along)
