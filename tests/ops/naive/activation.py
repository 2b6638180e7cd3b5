"""Activations by Python's own mathematics, one number at a time."""

import math

import numpy as np


def _each(f, x):
    return np.array([f(float(v)) for v in x.flat]).reshape(x.shape)


def _sigmoid(v):
    return 1 / (1 + math.exp(-v)) if v > -700 else math.exp(v)


def relu(x):
    return _each(lambda v: v if v > 0 else 0.0, x)


def leaky_relu(x, *, slope=0.01):
    return _each(lambda v: v if v > 0 else slope * v, x)


def sigmoid(x):
    return _each(_sigmoid, x)


def tanh(x):
    return _each(math.tanh, x)


def gelu(x, *, approximate=False):
    if approximate:
        return _each(lambda v: v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2, x)
    return _each(lambda v: v * math.erfc(-v / math.sqrt(2)) / 2, x)


def silu(x):
    return _each(lambda v: v * _sigmoid(v), x)


def softmax(x, *, axis=-1):
    return np.apply_along_axis(lambda row: np.array([math.exp(v) for v in row - max(row)]) / _total(row), axis, x)


def log_softmax(x, *, axis=-1):
    return np.apply_along_axis(lambda row: row - max(row) - math.log(_total(row)), axis, x)


def _total(row):
    return math.fsum(math.exp(v - max(row)) for v in row)
