"""The fully connected layer, and flattening an image for it."""

from __future__ import annotations

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
    return x.reshape(x.shape[0], math.prod(x.shape[1:]))


def _flatten_forward(x: Array) -> tuple[Array, Any]:
    """y, and x's shape."""
    return _flatten_plain(x), shape_only(x)


def _flatten_backward(residuals: Any, dy: Array) -> tuple[Array]:
    """The cotangent dx: y holds x's entries unchanged, so dx holds dy's, put back into x's shape."""
    return (dy.reshape(dy.shape[0], *residuals.shape[1:]),)


@rule(_flatten_plain, _flatten_forward, _flatten_backward)
def flatten(x: ArrayLike) -> Array:
    """(n, ...) to (n, features), each example one row, channels running fastest.

    Raises: ValueError for integer data or an array without a batch axis. The backward pass: `flatten.backward`.
    """
    x = floating("flatten", "x", x)
    if x.ndim < 1:
        raise ValueError("flatten: x is a scalar; expected a batch (n, ...).")
    return flatten.apply(x)


def _bilinear_plain(
    x1: Rows, x2: Float[Array, "*batch j"], kernel: Float[Array, "i j o"], bias: Float[Array, " o"] | None
) -> Array:
    """y[n, o] = Σ_i Σ_j x1[n, i] x2[n, j] kernel[i, j, o] + bias[o]."""
    y = jnp.einsum("...i,...j,ijo->...o", x1, x2, kernel)
    return y if bias is None else y + bias


def _products(x1: Array, x2: Array) -> Array:
    """Every x1[n, i] x2[n, j]: (*batch, i, j)."""
    return x1[..., :, None] * x2[..., None, :]


def _bilinear_forward(x1: Array, x2: Array, kernel: Float[Array, "i j o"], bias: Array | None) -> tuple[Array, Any]:
    """y as a dense layer of the products, and the arguments."""
    y = jnp.tensordot(_products(x1, x2), kernel, 2)
    return (y if bias is None else y + bias), (x1, x2, kernel, bias)


def _bilinear_backward(residuals: Any, dy: Array) -> tuple[Array, Array, Array, Array | None]:
    """The cotangents (dx1, dx2, dkernel, dbias) of y[n, o] = Σ_i Σ_j p[n, i, j] kernel[i, j, o] + bias[o].

    In the products p[n, i, j] = x1[n, i] x2[n, j] it is a dense layer, so dp[n, i, j] = Σ_o dy[n, o] kernel[i, j, o],
    dkernel[i, j, o] = Σ_n p[n, i, j] dy[n, o] and dbias[o] = Σ_n dy[n, o]. A product's cotangent goes to each factor
    times the other: dx1[n, i] = Σ_j dp[n, i, j] x2[n, j], and dx2[n, j] = Σ_i dp[n, i, j] x1[n, i].
    """
    x1, x2, kernel, bias = residuals
    batch = tuple(range(dy.ndim - 1))
    dp = jnp.tensordot(dy, kernel, axes=((-1,), (2,)))
    dx1 = jnp.einsum("...ij,...j->...i", dp, x2)
    dx2 = jnp.einsum("...ij,...i->...j", dp, x1)
    dkernel = jnp.tensordot(_products(x1, x2), dy, axes=(batch, batch))
    return dx1, dx2, dkernel, None if bias is None else dy.sum(batch)


@rule(_bilinear_plain, _bilinear_forward, _bilinear_backward)
def bilinear(x1: ArrayLike, x2: ArrayLike, kernel: ArrayLike, bias: ArrayLike | None = None) -> Array:
    """y[o] = x1ᵀ kernel[:, :, o] x2 + bias[o] over the last axes of two inputs, as PyTorch's `nn.Bilinear`.

    Args:
      x1: a batch (n, in1), or (n, ..., in1) with further axes that are kept.
      x2: (n, ..., in2), of the same axes but the last.
      kernel: (in1, in2, out): inputs first and outputs last, as everywhere here; PyTorch's is (out, in1, in2).
      bias: (out,).

    Returns: (n, ..., out).

    Raises: ValueError for integer data and for shapes that do not match.

    The backward pass and its derivation: `bilinear.backward`.
    """
    op = "bilinear"
    x1, x2, kernel = floating(op, "x1", x1), floating(op, "x2", x2), floating(op, "kernel", kernel)
    bias = None if bias is None else floating(op, "bias", bias)
    if x1.ndim < 2 or x1.shape[:-1] != x2.shape[:-1]:
        raise ValueError(
            f"{op}: x1 has shape {x1.shape} and x2 {x2.shape}; expected (n, ..., in1) and (n, ..., in2), alike but for "
            "the last axis. For single examples write x1[None] and x2[None]."
        )
    if kernel.ndim != 3 or kernel.shape[:2] != (x1.shape[-1], x2.shape[-1]):
        raise ValueError(
            f"{op}: kernel has shape {kernel.shape}; expected ({x1.shape[-1]}, {x2.shape[-1]}, out), the features of "
            "x1 and of x2 first. From PyTorch's (out, in1, in2) write jnp.moveaxis(kernel, 0, -1)."
        )
    if bias is not None and bias.shape != kernel.shape[2:]:
        raise ValueError(
            f"{op}: bias has shape {bias.shape}; expected {kernel.shape[2:]}, one for each output of the kernel."
        )
    return bilinear.apply(*same_dtype(x1, x2, kernel, bias))
