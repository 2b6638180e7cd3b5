"""Dense and flatten, batch normalisation, dropout, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    y = np.zeros((*x.shape[:-1], kernel.shape[1]))
    for at in np.ndindex(y.shape):
        y[at] = sum(x[at[:-1]][i] * kernel[i, at[-1]] for i in range(len(kernel))) + (
            0 if bias is None else bias[at[-1]]
        )
    return y


def flatten(x: Any) -> Any:
    return np.array([[float(v) for v in example.flat] for example in x]).reshape(len(x), math.prod(x.shape[1:]))


def batch_norm(x: Any, scale: Any, bias: Any, *, epsilon: Any = 1e-5) -> Any:
    mean, var = np.zeros(len(scale)), np.zeros(len(scale))
    for c in range(len(scale)):
        values = [float(v) for v in x[..., c].flat]
        mean[c] = sum(values) / len(values)
        var[c] = sum((v - mean[c]) ** 2 for v in values) / len(values)
    return batch_norm_eval(x, scale, bias, mean, var, epsilon=epsilon), mean, var


def batch_norm_eval(x: Any, scale: Any, bias: Any, mean: Any, var: Any, *, epsilon: Any = 1e-5) -> Any:
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        c = at[-1]
        y[at] = scale[c] * (x[at] - mean[c]) / math.sqrt(var[c] + epsilon) + bias[c]
    return y


def group_norm(x: Any, scale: Any, bias: Any, *, groups: Any = 32, epsilon: Any = 1e-5) -> Any:
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
    return group_norm(x, scale, bias, groups=x.shape[-1], epsilon=epsilon)


def layer_norm(x: Any, scale: Any, bias: Any, *, groups: Any = 1, epsilon: Any = 1e-5) -> Any:
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape[:-1]):
        mean = sum(x[at]) / x.shape[-1]
        var = sum((v - mean) ** 2 for v in x[at]) / x.shape[-1]
        y[at] = scale * (x[at] - mean) / math.sqrt(var + epsilon) + bias
    return y


def rms_norm(x: Any, scale: Any, *, epsilon: Any = 1e-6) -> Any:
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape[:-1]):
        y[at] = scale * x[at] / math.sqrt(sum(v * v for v in x[at]) / x.shape[-1] + epsilon)
    return y


def dropout(x: Any, key: Any, *, rate: Any) -> Any:
    """Which entries are kept is JAX's business: the key's Bernoulli draws."""
    kept = np.asarray(jax.random.bernoulli(key, 1.0 - rate, x.shape))
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        y[at] = x[at] / (1 - rate) if kept[at] else 0.0
    return y


LOOPS: list[Callable[..., Any]] = [
    dense,
    flatten,
    batch_norm,
    batch_norm_eval,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
    dropout,
]
