"""Bad input to dense and bilinear layers and to the dropouts."""

import jax
import jax.numpy as jnp

from jaxcnn import ops
from tests.ops.errors.arrays import KERNEL, KEY, PIXELS, C, X


def dropout(x=X, key=KEY, rate=0.5):
    return lambda: ops.dropout(x, key, rate=rate)


BAD = {
    "dense-single": (lambda: ops.dense(jnp.zeros(4), jnp.zeros((4, 2))), ["x has shape (4,)", "x[None]"]),
    "dense-integers": (lambda: ops.dense(PIXELS, jnp.zeros((3, 2))), ["dense: x has dtype uint8"]),
    "dense-kernel-rank": (lambda: ops.dense(X, KERNEL), ["kernel has shape (3, 3, 3, 4)", "(in, out)"]),
    "dense-features": (
        lambda: ops.dense(jnp.zeros((2, 5)), jnp.zeros((4, 3))),
        ["x has 5 features", "takes 4", "Give a kernel of shape (5, 3)"],
    ),
    "dense-image": (lambda: ops.dense(X, jnp.zeros((144, 3))), ["takes 144", "dense(flatten(x), kernel)"]),
    "dense-bias": (
        lambda: ops.dense(jnp.zeros((2, 4)), jnp.zeros((4, 3)), jnp.zeros(4)),
        ["bias has shape (4,)", "expected (3,)"],
    ),
    "bilinear-batch": (
        lambda: ops.bilinear(jnp.zeros((2, 3)), jnp.zeros((4, 3)), jnp.zeros((3, 3, 2))),
        ["x1 has shape (2, 3) and x2 (4, 3)", "alike but for the last axis"],
    ),
    "bilinear-single": (lambda: ops.bilinear(C, C, jnp.zeros((3, 3, 2))), ["x1 has shape (3,)", "x1[None]"]),
    "bilinear-kernel": (
        lambda: ops.bilinear(jnp.zeros((2, 3)), jnp.zeros((2, 4)), jnp.zeros((5, 3, 4))),
        ["kernel has shape (5, 3, 4)", "expected (3, 4, out)", "jnp.moveaxis(kernel, 0, -1)"],
    ),
    "bilinear-bias": (
        lambda: ops.bilinear(jnp.zeros((2, 3)), jnp.zeros((2, 4)), jnp.zeros((3, 4, 5)), C),
        ["bias has shape (3,)", "expected (5,)"],
    ),
    "bilinear-integers": (lambda: ops.bilinear(X, PIXELS, KERNEL), ["x2 has dtype uint8"]),
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
