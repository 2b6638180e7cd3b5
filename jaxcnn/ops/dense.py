"""The fully connected layer, and flattening an image for it."""

import math
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import floating, same_dtype, shape_only
from jaxcnn.ops.rule import rule

Rows = Float[Array, "*batch i"]
Kernel = Float[Array, "i o"]


def _dense_plain(x: Rows, kernel: Kernel, bias: Float[Array, " o"] | None) -> Array:
    """y = x kernel + bias."""
    y = x @ kernel
    return y if bias is None else y + bias


def _dense_forward(x: Rows, kernel: Kernel, bias: Array | None) -> tuple[Array, Any]:
    """y, and what the backward needs: x for dkernel, kernel for dx."""
    return _dense_plain(x, kernel, bias), (x, kernel, bias)


def _dense_backward(residuals: Any, dy: Array) -> tuple[Rows, Kernel, Array | None]:
    """The cotangents (dx, dkernel, dbias) of y[n, o] = Σ_i x[n, i] kernel[i, o] + bias[o], n any batch index.

    ∂y[n, o] / ∂x[n, i] = kernel[i, o], so dx[n, i] = Σ_o dy[n, o] kernel[i, o]: dx = dy kernelᵀ.
    ∂y[n, o] / ∂kernel[i, o] = x[n, i], and the kernel serves every n: dkernel = xᵀ dy. The bias is added for every
    n: dbias[o] = Σ_n dy[n, o].

    Source: Rumelhart, Hinton & Williams 1986, "Learning representations by back-propagating errors".
    """
    x, kernel, bias = residuals
    batch = tuple(range(dy.ndim - 1))
    dx = jnp.tensordot(dy, kernel, axes=((-1,), (1,)))
    dkernel = jnp.tensordot(x, dy, axes=(batch, batch))
    return dx, dkernel, None if bias is None else dy.sum(batch)


@rule(_dense_plain, _dense_forward, _dense_backward)
def dense(x: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """Every output a weighted sum of all inputs: y = x kernel + bias over x's last axis.

    Args:
      x: a batch (n, in), or (n, ..., in) with further axes that are kept.
      kernel: (in, out).
      bias: (out,).

    Returns: (n, ..., out).

    Raises: ValueError for integer data and for shapes that do not match.

    The backward pass and its derivation: `dense.backward`.
    """
    x, kernel = floating("dense", "x", x), floating("dense", "kernel", kernel)
    bias = None if bias is None else floating("dense", "bias", bias)
    if x.ndim < 2:
        raise ValueError(
            f"dense: x has shape {x.shape}; expected a batch (n, ..., in). For a single example write x[None]."
        )
    if kernel.ndim != 2:
        raise ValueError(f"dense: kernel has shape {kernel.shape}; expected rank 2, (in, out).")
    if x.shape[-1] != kernel.shape[0]:
        hint = f"Give a kernel of shape ({x.shape[-1]}, {kernel.shape[1]})."
        if x.ndim > 2:
            hint = f"To connect all of an image, flatten it first: dense(flatten(x), kernel). Or: {hint}"
        raise ValueError(
            f"dense: x has {x.shape[-1]} features (shape {x.shape}), but the kernel, shape {kernel.shape}, takes "
            f"{kernel.shape[0]}. {hint}"
        )
    if bias is not None and bias.shape != kernel.shape[1:]:
        raise ValueError(
            f"dense: bias has shape {bias.shape}; expected {kernel.shape[1:]}, one for each output of the kernel."
        )
    return dense.apply(*same_dtype(x, kernel, bias))


def _flatten_plain(x: Float[Array, "n *features"]) -> Float[Array, "n i"]:
    """Each example's entries in one row, the last axis running fastest."""
    return x.reshape(len(x), math.prod(x.shape[1:]))


def _flatten_forward(x: Array) -> tuple[Array, Any]:
    """y, and x's shape."""
    return _flatten_plain(x), shape_only(x)


def _flatten_backward(residuals: Any, dy: Array) -> tuple[Array]:
    """The cotangent dx: y holds x's entries unchanged, so dx holds dy's, put back into x's shape."""
    return (dy.reshape(len(dy), *residuals.shape[1:]),)


@rule(_flatten_plain, _flatten_forward, _flatten_backward)
def flatten(x: ArrayLike) -> Array:
    """(n, ...) to (n, features), each example one row, channels running fastest.

    Raises: ValueError for integer data or an array without a batch axis. The backward pass: `flatten.backward`.
    """
    x = floating("flatten", "x", x)
    if x.ndim < 1:
        raise ValueError("flatten: x is a scalar; expected a batch (n, ...).")
    return flatten.apply(x)
