"""Activations by Python's own mathematics, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def _each(f: Any, x: Any) -> Any:
    return np.array([f(float(v)) for v in x.flat]).reshape(x.shape)


def _sigmoid(v: Any) -> Any:
    return 1 / (1 + math.exp(-v)) if v > -700 else math.exp(v)


def relu(x: Any) -> Any:
    """max(v, 0)."""
    return _each(lambda v: v if v > 0 else 0.0, x)


def leaky_relu(x: Any, *, slope: Any = 0.01) -> Any:
    """v where v > 0, else slope v."""
    return _each(lambda v: v if v > 0 else slope * v, x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^-v)."""
    return _each(_sigmoid, x)


def tanh(x: Any) -> Any:
    """(e^v - e^-v) / (e^v + e^-v)."""
    return _each(math.tanh, x)


def gelu(x: Any, *, approximate: Any = False) -> Any:
    """v Φ(v), with erf or by the tanh that approximates it (Hendrycks & Gimpel 2016)."""
    if approximate:
        return _each(lambda v: v * (1 + math.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3))) / 2, x)
    return _each(lambda v: v * math.erfc(-v / math.sqrt(2)) / 2, x)


def silu(x: Any) -> Any:
    """v σ(v)."""
    return _each(lambda v: v * _sigmoid(v), x)


def relu6(x: Any) -> Any:
    """min(max(v, 0), 6)."""
    return _each(lambda v: min(max(v, 0.0), 6.0), x)


def prelu(x: Any, slope: Any) -> Any:
    """v where v > 0, else its slope times v; the slopes are broadcast to x."""
    slopes = np.broadcast_to(slope, x.shape)
    return np.array([v if v > 0 else s * v for v, s in zip(x.flat, slopes.flat, strict=True)]).reshape(x.shape)


def elu(x: Any, *, alpha: Any = 1.0) -> Any:
    """v where v > 0, else α (e^v - 1)."""
    return _each(lambda v: v if v > 0 else alpha * math.expm1(v), x)


def celu(x: Any, *, alpha: Any = 1.0) -> Any:
    """v where v > 0, else α (e^(v / α) - 1)."""
    return _each(lambda v: v if v > 0 else alpha * math.expm1(v / alpha), x)


def selu(x: Any) -> Any:
    """λ v where v > 0, else λ α (e^v - 1), with α and λ to the digits of the paper's appendix."""
    alpha, scale = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946
    return _each(lambda v: scale * (v if v > 0 else alpha * math.expm1(v)), x)


def softplus(x: Any, *, beta: Any = 1.0, threshold: Any = None) -> Any:
    """log(1 + e^(β v)) / β, and v where β v is above the threshold."""
    limit = math.inf if threshold is None else threshold
    return _each(lambda v: v if beta * v > limit else _softplus(beta * v) / beta, x)


def softsign(x: Any) -> Any:
    """v / (1 + |v|)."""
    return _each(lambda v: v / (1 + abs(v)), x)


def mish(x: Any) -> Any:
    """v tanh(log(1 + e^v))."""
    return _each(lambda v: v * math.tanh(_softplus(v)), x)


def hard_sigmoid(x: Any, *, slope: Any = 1 / 6, offset: Any = 0.5) -> Any:
    """min(max(slope v + offset, 0), 1)."""
    return _each(lambda v: min(max(slope * v + offset, 0.0), 1.0), x)


def hard_swish(x: Any) -> Any:
    """v min(max(v + 3, 0), 6) / 6."""
    return _each(lambda v: v * min(max(v + 3, 0.0), 6.0) / 6, x)


def _softplus(v: Any) -> Any:
    return v if v > 700 else math.log1p(math.exp(v))


def glu(x: Any, *, axis: Any = -1) -> Any:
    """The first half along the axis, each number times the sigmoid of its partner in the second."""
    half = x.shape[axis] // 2
    rows = np.moveaxis(x, axis, 0)
    y = np.array([a * _sigmoid(float(b)) for a, b in zip(rows[:half].flat, rows[half:].flat, strict=True)])
    return np.moveaxis(y.reshape(half, *rows.shape[1:]), 0, axis)


def softmax(x: Any, *, axis: Any = -1) -> Any:
    """e^v / Σ e^v, the sum over one axis."""
    return _along(lambda row: np.array([math.exp(v) for v in row - max(row)]) / _total(row), axis, x)


def log_softmax(x: Any, *, axis: Any = -1) -> Any:
    """v - log Σ e^v, the sum over one axis."""
    return _along(lambda row: row - max(row) - math.log(_total(row)), axis, x)


def _along(of_row: Callable[[Any], Any], axis: int, x: Any) -> Any:
    return np.apply_along_axis(of_row, axis, x) if x.size else np.zeros(x.shape)


def _total(row: Any) -> Any:
    return math.fsum(math.exp(v - max(row)) for v in row)


LOOPS: list[Callable[..., Any]] = [
    relu,
    leaky_relu,
    sigmoid,
    tanh,
    gelu,
    silu,
    relu6,
    prelu,
    elu,
    celu,
    selu,
    softplus,
    softsign,
    mish,
    hard_sigmoid,
    hard_swish,
    glu,
    softmax,
    log_softmax,
]
