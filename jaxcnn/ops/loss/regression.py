"""Losses of the difference between prediction and target: one number for each example of the batch.

All are the mean over the entries of an example of some f(d), d = prediction - target. So with m entries the cotangents
are dprediction = dloss / m f'(d) and dtarget = -dprediction.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxcnn.ops.check import accumulator, floating, positive, same_dtype, same_shape
from jaxcnn.ops.loss.per_example import PerExample, example_mean, share
from jaxcnn.ops.rule import rule


def _difference(prediction: Array, target: Array) -> Array:
    wide = accumulator(prediction)
    return prediction.astype(wide) - target.astype(wide)


def _cotangents(dloss: PerExample, slope: Array, prediction: Array) -> tuple[Array, Array]:
    """(dprediction, dtarget) from f'(d)."""
    dprediction = (share(dloss, prediction) * slope).astype(prediction.dtype)
    return dprediction, -dprediction


def _same(op: str, prediction: ArrayLike, target: ArrayLike) -> list[Array | None]:
    """The two as floats of one shape (n, ...) and one dtype; ValueError otherwise."""
    prediction, target = floating(op, "prediction", prediction), floating(op, "target", target)
    same_shape(op, "prediction", prediction, "target", target)
    return same_dtype(prediction, target)


def _mse_plain(prediction: Array, target: Array) -> PerExample:
    """The mean of d²."""
    return example_mean(jnp.square(_difference(prediction, target)), prediction)


def _mse_forward(prediction: Array, target: Array) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _mse_plain(prediction, target), (prediction, target)


def _mse_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents of the mean of f(d) = d²: f'(d) = 2 d."""
    prediction, target = residuals
    return _cotangents(dloss, 2 * _difference(prediction, target), prediction)


@rule(_mse_plain, _mse_forward, _mse_backward)
def mse(prediction: ArrayLike, target: ArrayLike) -> Array:
    """The squared difference, averaged over all axes but the first: (n, ...) and (n, ...) to (n,).

    Raises: ValueError for integer data or shapes that differ; nothing is broadcast. The backward: `mse.backward`.
    """
    return mse.apply(*_same("mse", prediction, target))


def _l1_plain(prediction: Array, target: Array) -> PerExample:
    """The mean of |d|, as d sign(d), which has the derivative 0 at 0 (that of `jnp.abs` is 1)."""
    d = _difference(prediction, target)
    return example_mean(d * jnp.sign(d), prediction)


def _l1_forward(prediction: Array, target: Array) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _l1_plain(prediction, target), (prediction, target)


def _l1_backward(residuals: Any, dloss: PerExample) -> tuple[Array, Array]:
    """The cotangents of the mean of f(d) = |d|: f'(d) is the sign of d, and 0 at d = 0, midway between -1 and 1."""
    prediction, target = residuals
    return _cotangents(dloss, jnp.sign(_difference(prediction, target)), prediction)


@rule(_l1_plain, _l1_forward, _l1_backward)
def l1(prediction: ArrayLike, target: ArrayLike) -> Array:
    """The absolute difference, averaged over all axes but the first: (n, ...) and (n, ...) to (n,).

    Where the two are equal the gradient is 0, as in PyTorch's `l1_loss`. Errors as `mse`. The backward: `l1.backward`.
    """
    return l1.apply(*_same("l1", prediction, target))


def _huber_plain(prediction: Array, target: Array, *, delta: float) -> PerExample:
    """The mean of d²/2 where |d| <= delta, else delta (|d| - delta/2)."""
    d = _difference(prediction, target)
    size = jnp.abs(d)
    return example_mean(jnp.where(size <= delta, d * d / 2, delta * (size - delta / 2)), prediction)


def _huber_forward(prediction: Array, target: Array, *, delta: float) -> tuple[PerExample, Any]:
    """The loss and its arguments."""
    return _huber_plain(prediction, target, delta=delta), (prediction, target)


def _huber_backward(residuals: Any, dloss: PerExample, *, delta: float) -> tuple[Array, Array]:
    """The cotangents of Huber's f: f'(d) = d where |d| <= delta, else delta times the sign of d.

    The two meet at |d| = delta, so f has no kink: its slope is d held between -delta and delta.
    Source: Huber 1964, "Robust estimation of a location parameter".
    """
    prediction, target = residuals
    d = _difference(prediction, target)
    slope = jnp.where(jnp.abs(d) <= delta, d, delta * jnp.sign(d))  # clip would halve the second derivative at delta
    return _cotangents(dloss, slope, prediction)


@rule(_huber_plain, _huber_forward, _huber_backward)
def huber(prediction: ArrayLike, target: ArrayLike, *, delta: float = 1.0) -> Array:
    """The squared difference, halved, up to `delta` and the absolute one beyond, averaged over all axes but the first.

    d²/2 where |d| <= delta, else delta (|d| - delta/2): PyTorch's `huber_loss`, and delta times its `smooth_l1_loss`
    with beta = delta. (n, ...) and (n, ...) to (n,).

    Raises: ValueError as `mse`, and for a delta that is not a positive number. The backward: `huber.backward`.
    """
    delta = positive("huber", "delta", delta)
    return huber.apply(*_same("huber", prediction, target), delta=delta)
