"""Normalisation of each example by its own statistics: group, instance and layer norm, and RMS norm.

Unlike batch norm they treat every example alone, in training as in evaluation, and keep nothing. Statistics are taken
in float32 or wider; y has x's dtype.
"""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
from jax import Array, lax
from jax.typing import ArrayLike
from jaxtyping import Float

from jaxcnn.ops.check import (
    Layout,
    accumulator,
    channel_vectors,
    channels_back,
    channels_last,
    epsilon_of,
    floating,
    group_count,
    spatial,
)
from jaxcnn.ops.norm.standardize import standardized, standardized_back
from jaxcnn.ops.rule import rule

Channels = Float[Array, " c"]
Groups = Float[Array, "n m g k"]  # examples, places, groups of channels, channels of a group
OVER = (1, 3)  # the axes of Groups that share one mean and one variance


def _grouped(x: Array, groups: int) -> Groups:
    return x.astype(accumulator(x)).reshape(x.shape[0], math.prod(x.shape[1:-1]), groups, x.shape[-1] // groups)


def _group_plain(x: Array, scale: Channels, bias: Channels, *, groups: int, epsilon: float) -> Array:
    """y = scale (x - mean) / √(var + ε) + bias, mean and var over each group of each example."""
    unit, _ = standardized(_grouped(x, groups), OVER, epsilon)
    return (unit.reshape(x.shape) * scale + bias).astype(x.dtype)


def _group_forward(x: Array, scale: Channels, bias: Channels, *, groups: int, epsilon: float) -> tuple[Array, Any]:
    """y, and x with its scale and bias: the statistics are cheap to take again."""
    return _group_plain(x, scale, bias, groups=groups, epsilon=epsilon), (x, scale, bias)


def _group_backward(residuals: Any, dy: Array, *, groups: int, epsilon: float) -> tuple[Array, Channels, Channels]:
    """The cotangents (dx, dscale, dbias) of group normalisation.

    Within a group, with r = (var + ε)^(-1/2) and u[j] = r (x[j] - mean): y[j] = scale[j] u[j] + bias[j]. Each
    channel's scale and bias serve all examples and places: dbias = Σ dy and dscale = Σ dy u. du[j] = scale[j] dy[j],
    and

        dx[i] = r (du[i] - mean(du) - u[i] mean(du u)),

    derived at `jaxcnn.ops.norm.standardize.standardized_back`.

    Source: Wu & He 2018, "Group normalization", equations 1 to 3.
    """
    x, scale, bias = residuals
    dwide = dy.astype(accumulator(dy))
    unit, r = standardized(_grouped(x, groups), OVER, epsilon)
    dx = standardized_back(unit, r, _grouped(dwide * scale, groups), OVER)
    others = range(x.ndim - 1)
    dscale = (dwide * unit.reshape(x.shape)).sum(others)
    return dx.reshape(x.shape).astype(x.dtype), dscale.astype(scale.dtype), dwide.sum(others).astype(bias.dtype)


@rule(_group_plain, _group_forward, _group_backward)
def group_norm(
    x: ArrayLike,
    scale: ArrayLike,
    bias: ArrayLike,
    *,
    groups: int = 32,
    epsilon: float = 1e-5,
    layout: Layout = "NHWC",
) -> Array:
    """Normalise the channels of each example in `groups` groups of neighbours, over all places (Wu & He 2018).

    Args:
      x: (n, c), or (n, *spatial, c) with 1, 2 or 3 spatial axes; with layout="NCHW" (n, c, *spatial).
      scale, bias: (c,), γ and β.
      groups: divides c. 1 is layer norm over the whole example, c is instance norm.
      epsilon: added to the variance, which is the biased one.
      layout: "NHWC" (channels last) or "NCHW" (channels first), whatever the number of spatial axes.

    Raises: ValueError for a wrong rank, integer data, vectors that are not one per channel, groups that do not divide
      the channels, and an epsilon below 0. The backward pass: `group_norm.backward`.
    """
    x, scale, bias = _image("group_norm", x, scale, bias, layout, flat=True)
    epsilon = epsilon_of("group_norm", epsilon)
    groups = group_count("group_norm", groups, x.shape[-1], "x")
    return channels_back(group_norm.apply(x, scale, bias, groups=groups, epsilon=epsilon), layout)


@rule(_group_plain, _group_forward, _group_backward)
def instance_norm(
    x: ArrayLike, scale: ArrayLike, bias: ArrayLike, *, epsilon: float = 1e-5, layout: Layout = "NHWC"
) -> Array:
    """Normalise each channel of each example over all places: `group_norm` with a group for each channel.

    Arguments and errors as `group_norm`. Source: Ulyanov, Vedaldi & Lempitsky 2016, "Instance normalization". The
    backward pass: `instance_norm.backward`.
    """
    x, scale, bias = _image("instance_norm", x, scale, bias, layout)
    epsilon = epsilon_of("instance_norm", epsilon)
    return channels_back(instance_norm.apply(x, scale, bias, groups=x.shape[-1], epsilon=epsilon), layout)


def _layer_plain(x: Array, scale: Array, bias: Array, *, epsilon: float) -> Array:
    """y = scale (x - mean) / √(var + ε) + bias, mean and var over the axes that scale has."""
    unit, _ = standardized(x.astype(accumulator(x)), _last(x, scale), epsilon)
    return (unit * scale + bias).astype(x.dtype)


def _last(x: Array, scale: Array) -> tuple[int, ...]:
    """The axes of x that scale has, too."""
    return tuple(range(x.ndim - scale.ndim, x.ndim))


def _layer_forward(x: Array, scale: Array, bias: Array, *, epsilon: float) -> tuple[Array, Any]:
    """y, and x with its scale and bias."""
    return _layer_plain(x, scale, bias, epsilon=epsilon), (x, scale, bias)


def _layer_backward(residuals: Any, dy: Array, *, epsilon: float) -> tuple[Array, Array, Array]:
    """The cotangents (dx, dscale, dbias): those of `group_norm.backward`, each place before scale's axes a group.

    Source: Ba, Kiros & Hinton 2016, "Layer normalization", equation 3.
    """
    x, scale, bias = residuals
    axes, places = _last(x, scale), range(x.ndim - scale.ndim)
    dwide = dy.astype(accumulator(dy))
    unit, r = standardized(x.astype(accumulator(x)), axes, epsilon)
    dx = standardized_back(unit, r, dwide * scale, axes)
    dscale, dbias = (dwide * unit).sum(places), dwide.sum(places)
    return dx.astype(x.dtype), dscale.astype(scale.dtype), dbias.astype(bias.dtype)


@rule(_layer_plain, _layer_forward, _layer_backward)
def layer_norm(x: ArrayLike, scale: ArrayLike, bias: ArrayLike, *, epsilon: float = 1e-5) -> Array:
    """Normalise over the last axis, x (..., c) with scale and bias (c,): `group_norm` of one group at each place.

    Over several axes where scale and bias have several: those that x ends in, such as (h, w, c), or all that it has, as
    a single row. Their shape is PyTorch's normalized_shape.

    Raises: ValueError for integer data, scale and bias of another shape than x ends in, and an epsilon below 0.
      Source: Ba, Kiros & Hinton 2016, "Layer normalization". The backward pass: `layer_norm.backward`.
    """
    x, scale, bias = _rows("layer_norm", x, scale=scale, bias=bias)
    return layer_norm.apply(x, scale, bias, epsilon=epsilon_of("layer_norm", epsilon))


def _rms_plain(x: Array, scale: Array, *, epsilon: float) -> Array:
    """y = scale x / √(mean(x²) + ε), the mean over the axes that scale has."""
    wide = x.astype(accumulator(x))
    return (wide * lax.rsqrt(_mean(jnp.square(wide), scale) + epsilon) * scale).astype(x.dtype)


def _mean(x: Array, scale: Array) -> Array:
    return x.mean(_last(x, scale), keepdims=True)


def _rms_forward(x: Array, scale: Array, *, epsilon: float) -> tuple[Array, Any]:
    """y, and x with its scale."""
    return _rms_plain(x, scale, epsilon=epsilon), (x, scale)


def _rms_backward(residuals: Any, dy: Array, *, epsilon: float) -> tuple[Array, Array]:
    """The cotangents (dx, dscale) of y[j] = scale[j] u[j], u = r x, r = (mean(x²) + ε)^(-1/2).

    dscale = Σ dy u over all rows, and du[j] = scale[j] dy[j]. In a row of c values ∂r/∂x[i] = -r³ x[i] / c, so
    ∂u[j]/∂x[i] = r ([i = j] - u[i] u[j] / c) and dx[i] = r (du[i] - u[i] mean(du u)): layer norm without the mean.

    Source: Zhang & Sennrich 2019, "Root mean square layer normalization", equation 4.
    """
    x, scale = residuals
    wide, dwide = x.astype(accumulator(x)), dy.astype(accumulator(dy))
    r = lax.rsqrt(_mean(jnp.square(wide), scale) + epsilon)
    unit, du = wide * r, dwide * scale
    dx = r * (du - unit * _mean(du * unit, scale))
    return dx.astype(x.dtype), (dwide * unit).sum(range(x.ndim - scale.ndim)).astype(scale.dtype)


@rule(_rms_plain, _rms_forward, _rms_backward)
def rms_norm(x: ArrayLike, scale: ArrayLike, *, epsilon: float = 1e-6) -> Array:
    """Divide by the root of the mean square over the last axis, x (..., c), and multiply by scale (c,).

    Over several axes, and errors, as `layer_norm`. Source: Zhang & Sennrich 2019. The backward pass:
    `rms_norm.backward`.
    """
    x, scale = _rows("rms_norm", x, scale=scale)
    return rms_norm.apply(x, scale, epsilon=epsilon_of("rms_norm", epsilon))


def _image(
    op: str, x: ArrayLike, scale: ArrayLike, bias: ArrayLike, layout: Layout, *, flat: bool = False
) -> tuple[Array, Array, Array]:
    """x, channels last, and its vectors; `flat` lets x be (n, c)."""
    image = floating(op, "x", x)
    image = channels_last(op, image, layout) if flat and image.ndim == 2 else spatial(op, image, layout)[0]
    scale, bias = floating(op, "scale", scale), floating(op, "bias", bias)
    channel_vectors(op, image, layout, scale=scale, bias=bias)
    return image, scale, bias


def _rows(op: str, x: ArrayLike, **vectors: ArrayLike) -> list[Array]:
    """x and its vectors: those are of one shape, which x ends in."""
    array = floating(op, "x", x)
    arrays = {argument: floating(op, argument, v) for argument, v in vectors.items()}
    shape = arrays["scale"].shape
    if array.ndim < 1:
        raise ValueError(f"{op}: x is a scalar; expected (..., c), rows of c values.")
    if len(shape) < 2:
        channel_vectors(op, array, "NHWC", **arrays)
    for argument, vector in arrays.items():
        if vector.shape != shape or array.shape[-len(shape) :] != shape:
            raise ValueError(
                f"{op}: {argument} has shape {vector.shape} and x {array.shape}; expected the last axes of x, such as "
                f"{array.shape[-1:]}, and one shape for all."
            )
    return [array, *arrays.values()]
