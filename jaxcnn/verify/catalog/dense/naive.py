"""Dense, flatten and bilinear, one number at a time."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def dense(x: Any, kernel: Any, bias: Any = None) -> Any:
    """y[o] = bias[o] + Σ_i x[i] kernel[i, o]."""
    y = np.zeros((*x.shape[:-1], kernel.shape[1]))
    for at in np.ndindex(y.shape):
        y[at] = sum(x[at[:-1]][i] * kernel[i, at[-1]] for i in range(len(kernel))) + (
            0 if bias is None else bias[at[-1]]
        )
    return y


def flatten(x: Any) -> Any:
    """Each example's numbers one after the other, the last axis running fastest."""
    return np.array([[float(v) for v in example.flat] for example in x]).reshape(len(x), math.prod(x.shape[1:]))


def bilinear(x1: Any, x2: Any, kernel: Any, bias: Any = None) -> Any:
    """y[o] = bias[o] + Σ_i Σ_j x1[i] kernel[i, j, o] x2[j]."""
    y = np.zeros((*x1.shape[:-1], kernel.shape[2]))
    for at in np.ndindex(y.shape):
        for i, j in np.ndindex(kernel.shape[:2]):
            y[at] += x1[at[:-1]][i] * kernel[i, j, at[-1]] * x2[at[:-1]][j]
        y[at] += 0 if bias is None else bias[at[-1]]
    return y


LOOPS: list[Callable[..., Any]] = [dense, flatten, bilinear]
