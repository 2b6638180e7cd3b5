"""Batch normalisation: with the batch's own statistics in training, with given ones in evaluation.

The statistics live in float32 or wider even for a half-precision x: they are sums over a whole batch. So do scale and
bias if their caller keeps them so; x and y keep x's dtype.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn import kernels
from jaxcnn.kernels.sums import first_entry
from jaxcnn.ops.check import (
    Layout,
    accumulator,
    channel_vectors,
    channels_back,
    channels_last,
    epsilon_of,
    fewer_than,
    floating,
)
from jaxcnn.ops.rule import rule

Image = Float[Array, "*n c"]
Channels = Float[Array, " c"]
AxisName = Hashable  # or a tuple of them


def _others(x: Image) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


def _train_plain(
    x: Image, scale: Channels, bias: Channels, *, epsilon: float, axis_name: AxisName | None = None
) -> tuple[Image, Channels, Channels]:
    """y, and the batch's mean and biased variance."""
    wide = x.astype(accumulator(x))
    one = first_entry(wide, _others(x))
    mean = _shared(one.sum(_others(x)) + (wide - one).mean(_others(x)), axis_name)
    var = _shared(jnp.square(wide - mean).mean(_others(x)), axis_name)
    return _eval_plain(x, scale, bias, mean, var, epsilon=epsilon), mean, var


def _shared(part: Channels, axis_name: AxisName | None) -> Channels:
    """The mean over the devices, whose parts of the batch are of one size."""
    return part if axis_name is None else lax.pmean(part, axis_name)


def _train_forward(
    x: Image, scale: Channels, bias: Channels, *, epsilon: float, axis_name: AxisName | None = None
) -> tuple[tuple[Image, Channels, Channels], Any]:
    """(y, mean, var), and x with what describes its channels.

    Over several devices var = mean_d (var_d + (mean_d - mean)²): Chan, Golub & LeVeque 1983, equation 2.1.
    """
    mean, var = kernels.moments(x.astype(accumulator(x)))
    if axis_name is not None:
        own, mean = mean, _shared(mean, axis_name)
        var = _shared(var + jnp.square(own - mean), axis_name)
    y = _eval_plain(x, scale, bias, mean, var, epsilon=epsilon)
    return (y, mean, var), (x, scale, bias, mean, var)


def _train_backward(
    residuals: Any, cotangents: Any, *, epsilon: float, axis_name: AxisName | None = None
) -> tuple[Image, Channels, Channels]:
    """The cotangents (dx, dscale, dbias), given those of y, mean and var.

    Per channel, over the m values j of batch and space, with r = (var + ε)^(-1/2):

        mean = 1/m Σ_j x[j],    var = 1/m Σ_j (x[j] - mean)²,    y[j] = scale r (x[j] - mean) + bias.

    dbias = Σ_j dy[j] and dscale = r Σ_j dy[j] (x[j] - mean) at once.

    dx has three paths. With x[j] moving alone, dy[j] scale r. Through the mean, ∂mean/∂x[j] = 1/m, and it meets
    dmean as an output and -scale r in every y (its effect on var is Σ_j (x[j] - mean) = 0). Through the
    variance, ∂var/∂x[j] = 2/m (x[j] - mean), and it meets dvar as an output and, since ∂r/∂var = -r³/2,
    -scale r³/2 (x[j] - mean) in every y. Together

        dx[j] = scale r dy[j] + (2 dvar - scale r² dscale) / m (x[j] - mean) + (dmean - scale r dbias) / m,

    one affine combination of dy and x for each channel: a single pass over them once both sums are known.

    With `axis_name` the batch lies on D devices, m values on each, and every x moves the y of all of them through mean
    and var: in place of m stands D m, and in place of scale dbias and scale dscale their sums over the devices, each
    with its own scale. With means over the devices m stays. dmean and dvar go through the transpose of that mean,
    which is JAX's to say: in `shard_map` mean is one value for all devices, under `vmap` one for each. scale and bias
    are a device's own, and so dscale and dbias are of its own values alone.

    Source: Ioffe & Szegedy 2015, "Batch normalization", section 3; over devices as PyTorch's SyncBatchNorm.
    """
    x, scale, bias, mean, var = residuals
    dy, dmean, dvar = cotangents
    m = math.prod(x.shape[:-1])
    r, centred, wide, dbias, dscale = _sums(x, dy, mean, var, epsilon)
    by_y = scale * r
    from_mean, from_var = by_y * dbias, by_y * r * dscale
    if axis_name is not None:
        share = partial(_shared, axis_name=axis_name)
        from_mean, from_var = share(from_mean), share(from_var)
        dmean, dvar = (jax.linear_transpose(share, dbias)(d)[0] for d in (dmean, dvar))
    by_x = (2 * dvar - from_var) / m
    dx = by_y * wide + by_x * centred + (dmean - from_mean) / m
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(bias.dtype)


def _sums(x: Image, dy: Image, mean: Channels, var: Channels, epsilon: float) -> tuple[Array, ...]:
    """r, x - mean, dy in the statistics' dtype, and the two sums that every cotangent is made of."""
    wide = dy.astype(mean.dtype)
    r = lax.rsqrt(var + epsilon)
    dbias, product = kernels.products(wide, x.astype(mean.dtype), mean)
    return r, x - mean, wide, dbias, r * product


@rule(_train_plain, _train_forward, _train_backward)
def batch_norm(
    x: ArrayLike,
    scale: ArrayLike,
    bias: ArrayLike,
    *,
    epsilon: float = 1e-5,
    axis_name: AxisName | None = None,
    layout: Layout = "NHWC",
) -> tuple[Array, Array, Array]:
    """Give every channel of the batch mean `bias` and deviation `scale`: the training mode.

    y = scale (x - mean) / √(var + epsilon) + bias, with mean and var over all axes but the channels'.

    Args:
      x: (n, c), or (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      scale, bias: (c,), γ and β of the paper.
      epsilon: added to the variance, so that a constant channel does not divide by 0.
      axis_name: the name, or a tuple of names, of the axis of `jax.shard_map`, `jax.pmap` or `jax.vmap` over which the
        batch is spread in equal parts: mean and var are then those of the whole batch (Flax's axis_name, PyTorch's
        SyncBatchNorm). Under `jax.jit` alone, whatever the sharding of x, they are so without a name.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Returns: y like x, and the mean and variance (c,), in float32 if x is half precision. The variance is the biased
      one, divided by m = n times the spatial sizes. Both may be differentiated. For the running statistics that
      `batch_norm_eval` takes, average them over batches.

    Raises: ValueError for a wrong rank, integer data, vectors that are not one per channel, an epsilon below 0, a
      name that no axis has here, and a batch with a single value per channel: y would be `bias` whatever x is.

    The backward pass and its derivation: `batch_norm.backward`.
    """
    op = "batch_norm"
    x, vectors = _checked(op, x, layout, scale=scale, bias=bias)
    epsilon = epsilon_of(op, epsilon)
    axis_name = tuple(axis_name) if isinstance(axis_name, list) else axis_name
    if fewer_than(2, (_devices(op, axis_name), *x.shape[:-1])):
        raise ValueError(
            f"{op}: x has shape {x.shape}, fewer than 2 values for each channel, which have no variance: the output "
            "would not depend on x. Train with 2 or more examples, or use batch_norm_eval."
        )
    shared = {} if axis_name is None else {"axis_name": axis_name}
    y, mean, var = batch_norm.apply(x, *vectors, epsilon=epsilon, **shared)
    return channels_back(y, layout), mean, var


def _devices(op: str, axis_name: AxisName | None) -> int:
    """The size of the axis of that name; ValueError where there is none."""
    try:
        return 1 if axis_name is None else lax.axis_size(axis_name)
    except (NameError, TypeError, ValueError) as error:
        raise ValueError(
            f"{op}: axis_name is {axis_name!r}, and no axis has this name here; it is that of an axis of the "
            "jax.shard_map, jax.pmap or jax.vmap(..., axis_name=...) around it. Under jax.jit alone leave it out."
        ) from error


def _eval_plain(x: Image, scale: Channels, bias: Channels, mean: Channels, var: Channels, *, epsilon: float) -> Image:
    """y = scale (x - mean) / √(var + ε) + bias."""
    return ((x - mean) * (scale * lax.rsqrt(var + epsilon)) + bias).astype(x.dtype)


def _eval_forward(
    x: Image, scale: Channels, bias: Channels, mean: Channels, var: Channels, *, epsilon: float
) -> tuple[Image, Any]:
    """y, and x with what describes its channels."""
    return _eval_plain(x, scale, bias, mean, var, epsilon=epsilon), (x, scale, bias, mean, var)


def _eval_backward(residuals: Any, dy: Image, *, epsilon: float) -> tuple[Array, ...]:
    """The cotangents (dx, dscale, dbias, dmean, dvar) of y[j] = scale r (x[j] - mean) + bias, r = (var + ε)^(-1/2).

    The statistics are given, so y[j] depends on x[j] alone: dx[j] = scale r dy[j]. The vectors serve every j:
    dbias = Σ_j dy[j], dscale = r Σ_j dy[j] (x[j] - mean), dmean = -scale r dbias, and with ∂r/∂var = -r³/2,
    dvar = -scale r³/2 Σ_j dy[j] (x[j] - mean) = -scale r²/2 dscale.

    Source: Ioffe & Szegedy 2015, "Batch normalization", section 3.1.
    """
    x, scale, _, mean, var = residuals
    r, _, wide, dbias, dscale = _sums(x, dy, mean, var, epsilon)
    by_y = scale * r
    cotangents = by_y * wide, dscale, dbias, -by_y * dbias, -by_y * r * dscale / 2
    return tuple(d.astype(a.dtype) for d, a in zip(cotangents, residuals, strict=True))


@rule(_eval_plain, _eval_forward, _eval_backward)
def batch_norm_eval(
    x: ArrayLike,
    scale: ArrayLike,
    bias: ArrayLike,
    mean: ArrayLike,
    var: ArrayLike,
    *,
    epsilon: float = 1e-5,
    layout: Layout = "NHWC",
) -> Array:
    """Normalise by given statistics: the evaluation mode, which treats every example alone.

    y = scale (x - mean) / √(var + epsilon) + bias. Arguments, shapes and errors as `batch_norm`; `mean` and `var`
    are (c,), usually running averages of what it returned.

    The backward pass and its derivation: `batch_norm_eval.backward`.
    """
    x, vectors = _checked("batch_norm_eval", x, layout, scale=scale, bias=bias, mean=mean, var=var)
    epsilon = epsilon_of("batch_norm_eval", epsilon)
    return channels_back(batch_norm_eval.apply(x, *vectors, epsilon=epsilon), layout)


def _checked(op: str, x: ArrayLike, layout: Layout, **vectors: ArrayLike) -> tuple[Array, list[Array]]:
    """x, channels last, and its vectors; y comes in x's dtype, so theirs are left as they are."""
    x = floating(op, "x", x)
    arrays = {argument: floating(op, argument, v) for argument, v in vectors.items()}
    if x.ndim not in (2, 3, 4, 5):
        raise ValueError(
            f"{op}: x has shape {x.shape}; expected a batch (n, c), or (n, *spatial, c) with 1, 2 or 3 spatial axes. "
            "For a single image write x[None]."
        )
    x = channels_last(op, x, layout)
    channel_vectors(op, x, layout, **arrays)
    return x, list(arrays.values())
