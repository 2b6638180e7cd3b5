"""Bad input to the dropouts."""

import jax
import jax.numpy as jnp

from jaxcnn import ops
from tests.ops.errors.arrays import KEY, PIXELS, C, X


def dropout(x=X, key=KEY, rate=0.5):
    return lambda: ops.dropout(x, key, rate=rate)


BAD = {
    "dropout-rate-1": (dropout(rate=1), ["rate is 1", "0 <= rate < 1", "dropping"]),
    "dropout-rate-negative": (dropout(rate=-0.1), ["rate is -0.1"]),
    "dropout-rate-text": (dropout(rate="half"), ["rate is 'half'"]),
    "dropout-seed": (dropout(key=0), ["key is 0", "jax.random.key(0)"]),
    "dropout-no-key": (dropout(key=None), ["key is None", "jax.random.key(0)"]),
    "dropout-many-keys": (dropout(key=jax.random.split(KEY)), ["an array of key", "shape (2,)"]),
    "dropout-floats": (dropout(key=jnp.zeros(2)), ["an array of float32 with shape (2,)"]),
    "dropout-integers": (dropout(PIXELS), ["dropout: x has dtype uint8"]),
    "spatial_dropout-rank": (lambda: ops.spatial_dropout(C, KEY, rate=0.5), ["x has shape (3,)", "x[None]"]),
    "spatial_dropout-rate": (
        lambda: ops.spatial_dropout(X, KEY, rate=1),
        ["rate is 1;", "0 <= rate < 1", "dropping a channel"],
    ),
    "spatial_dropout-key": (lambda: ops.spatial_dropout(X, 0, rate=0.5), ["key is 0", "jax.random.key(0)"]),
    "spatial_dropout-layout": (lambda: ops.spatial_dropout(X, KEY, rate=0.5, layout="HWC"), ["layout is 'HWC'"]),
    "stochastic_depth-scalar": (lambda: ops.stochastic_depth(1.0, KEY, rate=0.5), ["x is a scalar", "(n, ...)"]),
    "stochastic_depth-rate": (lambda: ops.stochastic_depth(X, KEY, rate=-1), ["rate is -1", "dropping an example"]),
    "stochastic_depth-key": (lambda: ops.stochastic_depth(X, None, rate=0.5), ["key is None", "jax.random.key(0)"]),
}
