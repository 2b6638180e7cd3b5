"""The dropouts, one number at a time."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np


def dropout(x: Any, key: Any, *, rate: Any, shared: Any = ()) -> Any:
    """x / (1 - rate) where x is kept, else 0.

    Which entries are kept is JAX's business: the key's Bernoulli draws, each for all entries along `shared`.
    """
    draws = [1 if axis in shared else x.shape[axis] for axis in range(x.ndim)]
    kept = np.asarray(jax.random.bernoulli(key, 1.0 - rate, draws))
    y = np.zeros(x.shape)
    for at in np.ndindex(x.shape):
        y[at] = x[at] / (1 - rate) if kept[tuple(min(i, n - 1) for i, n in zip(at, draws, strict=True))] else 0.0
    return y


def spatial_dropout(x: Any, key: Any, *, rate: Any, shared: Any = None) -> Any:
    """x / (1 - rate) where one draw for each channel of each example keeps it, else 0."""
    return dropout(x, key, rate=rate, shared=range(1, x.ndim - 1))


def stochastic_depth(x: Any, key: Any, *, rate: Any, shared: Any = None) -> Any:
    """x / (1 - rate) where one draw for each example keeps it, else 0."""
    return dropout(x, key, rate=rate, shared=range(1, x.ndim))


LOOPS: list[Callable[..., Any]] = [dropout, spatial_dropout, stochastic_depth]
