"""Weights for a network's tests, drawn by NumPy: JAX would compile a program for the shape of each kernel."""

import jax
import numpy as np


def drawn(net, x):
    """(params, state) of `net` for an input like x: kernels with the variance of He et al. 2015, vectors about 1."""
    rng = np.random.default_rng(0)
    params, state = jax.eval_shape(net.init, jax.random.key(0), x)

    def draw(a):
        values = rng.standard_normal(a.shape)
        scaled = values * np.sqrt(2 / np.prod(a.shape[:-1])) if a.ndim > 1 else 1 + values / 10
        return scaled.astype(a.dtype)

    return jax.tree.map(draw, params), jax.tree.map(lambda a: np.ones(a.shape, a.dtype), state)
