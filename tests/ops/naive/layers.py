"""Dense and flatten, batch normalisation, dropout, one number at a time."""

import math

import jax
import numpy as np


def dense(x, kernel, bias=None):
    y = np.zeros((*x.shape[:-1], kernel.shape[1]))
    for at in np.ndindex(y.shape):
        y[at] = sum(x[at[:-1]][i] * kernel[i, at[-1]] for i in range(len(kernel))) + (
            0 if bias is None else bias[at[-1]]
        )
    return y


def flatten(x):
    return np.array([[float(v) for v in example.flat] for example in x])


def batch_norm(x, scale, bias, *, epsilon=1e-5):
    mean, var = np.zeros(len(scale)), np.zeros(len(scale))
    for c in range(len(scale)):
        values = [float(v) for v in x[..., c].flat]
        mean[c] = sum(values) / len(values)
        var[c] = sum((v - mean[c]) ** 2 for v in values) / len(values)
    return batch_norm_eval(x, scale, bias, mean, var, epsilon=epsilon), mean, var


def batch_norm_eval(x, scale, bias, mean, var, *, epsilon=1e-5):
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        c = at[-1]
        y[at] = scale[c] * (x[at] - mean[c]) / math.sqrt(var[c] + epsilon) + bias[c]
    return y


def dropout(x, key, *, rate):
    """Which entries are kept is JAX's business: the key's Bernoulli draws."""
    kept = np.asarray(jax.random.bernoulli(key, 1.0 - rate, x.shape))
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        y[at] = x[at] / (1 - rate) if kept[at] else 0.0
    return y
