"""Normalisation, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def batch_norm(x: Any, scale: Any, bias: Any, *, epsilon: Any = 1e-5) -> Any:
    """γ (x - mean) / √(var + ε) + β by each channel's mean and biased variance over batch and places; and these two."""
    mean, var = np.zeros(len(scale)), np.zeros(len(scale))
    for c in range(len(scale)):
        values = [float(v) for v in x[..., c].flat]
        mean[c] = sum(values) / len(values)
        var[c] = sum((v - mean[c]) ** 2 for v in values) / len(values)
    return batch_norm_eval(x, scale, bias, mean, var, epsilon=epsilon), mean, var


def batch_norm_eval(x: Any, scale: Any, bias: Any, mean: Any, var: Any, *, epsilon: Any = 1e-5) -> Any:
    """γ (x - mean) / √(var + ε) + β by the given mean and variance of each channel."""
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        c = at[-1]
        y[at] = scale[c] * (x[at] - mean[c]) / math.sqrt(var[c] + epsilon) + bias[c]
    return y


def group_norm(x: Any, scale: Any, bias: Any, *, groups: Any = 32, epsilon: Any = 1e-5) -> Any:
    """γ (x - mean) / √(var + ε) + β by the mean and variance of each example's group of neighbouring channels."""
    y, width = np.zeros(x.shape), x.shape[-1] // groups
    for n in range(len(x)):
        for first in range(0, x.shape[-1], width):
            values = [float(v) for v in x[n, ..., first : first + width].flat]
            mean = sum(values) / len(values)
            var = sum((v - mean) ** 2 for v in values) / len(values)
            for at in np.ndindex(x.shape[1:]):
                if first <= at[-1] < first + width:
                    y[n][at] = scale[at[-1]] * (x[n][at] - mean) / math.sqrt(var + epsilon) + bias[at[-1]]
    return y


def instance_norm(x: Any, scale: Any, bias: Any, *, groups: Any = None, epsilon: Any = 1e-5) -> Any:
    """γ (x - mean) / √(var + ε) + β by each example's and channel's own mean and variance."""
    return group_norm(x, scale, bias, groups=x.shape[-1], epsilon=epsilon)


def layer_norm(x: Any, scale: Any, bias: Any, *, groups: Any = 1, epsilon: Any = 1e-5) -> Any:
    """γ (x - mean) / √(var + ε) + β by the mean and variance over the axes of γ at each place before them."""
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape[: -scale.ndim]):
        mean = sum(x[at].flat) / scale.size
        var = sum((v - mean) ** 2 for v in x[at].flat) / scale.size
        y[at] = scale * (x[at] - mean) / math.sqrt(var + epsilon) + bias
    return y


def rms_norm(x: Any, scale: Any, *, epsilon: Any = 1e-6) -> Any:
    """γ x / √(mean x² + ε), the mean over the axes of γ at each place before them."""
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape[: -scale.ndim]):
        y[at] = scale * x[at] / math.sqrt(sum(v * v for v in x[at].flat) / scale.size + epsilon)
    return y


def weight_standardize(kernel: Any, gain: Any = None, *, epsilon: Any = 1e-5) -> Any:
    """gain (kernel - mean) / √(var + ε) by the mean and variance of each output's weights."""
    y = np.zeros(kernel.shape)
    for o in range(kernel.shape[-1]):
        weights = [float(v) for v in kernel[..., o].flat]
        mean = sum(weights) / len(weights)
        var = sum((v - mean) ** 2 for v in weights) / len(weights)
        y[..., o] = (kernel[..., o] - mean) / math.sqrt(var + epsilon) * (1 if gain is None else gain[o])
    return y


def local_response_norm(x: Any, size: Any = 5, *, alpha: Any = 1e-4, beta: Any = 0.75, k: Any = 1.0) -> Any:
    """x / (k + α/size Σ x²)^β, the sum over the `size` channels around it."""
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        first = at[-1] - size // 2
        near = [x[at[:-1]][c] for c in range(first, first + size) if 0 <= c < x.shape[-1]]
        y[at] = x[at] / (k + alpha * sum(v * v for v in near) / size) ** beta
    return y


LOOPS: list[Callable[..., Any]] = [
    batch_norm,
    batch_norm_eval,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
    weight_standardize,
    local_response_norm,
]
