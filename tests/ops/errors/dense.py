"""Bad input to dense and bilinear layers and to flattening."""

import jax.numpy as jnp

from jaxcnn import ops
from tests.ops.errors.arrays import KERNEL, PIXELS, C, X

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
    "flatten-scalar": (lambda: ops.flatten(1.0), ["scalar", "(n, ...)"]),
    "flatten-integers": (lambda: ops.flatten(PIXELS), ["flatten: x has dtype uint8"]),
}
