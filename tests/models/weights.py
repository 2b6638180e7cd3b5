"""Random weights by which activations stay of one size, and nothing is 0 or 1, by which a mistake would go unseen."""

import jax
import numpy as np
from jax import ShapeDtypeStruct


def random_weights(network, shape, seed=0):
    """(params, state) of float32 for images of this shape (h, w, c)."""
    rng = np.random.default_rng(seed)

    def filled(path, a):
        name = path[-1].key
        if name == "kernel":
            return np.float32(rng.standard_normal(a.shape) * (1.6 / max(1, a.size // a.shape[-1])) ** 0.5)
        if name in ("scale", "var"):
            return np.float32(rng.uniform(0.5, 1.5, a.shape))
        return np.float32(rng.standard_normal(a.shape) * 0.2)

    x = ShapeDtypeStruct((1, *shape), np.float32)
    return jax.tree.map_with_path(filled, jax.eval_shape(lambda: network.init(jax.random.key(0), x)))
