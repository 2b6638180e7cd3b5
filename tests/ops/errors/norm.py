"""Bad input to the norms."""

import jax.numpy as jnp

from jaxcnn import ops
from tests.ops.errors.arrays import KERNEL, PIXELS, C, X


def norm(x=X, scale=C, bias=C, **options):
    return lambda: ops.batch_norm(x, scale, bias, **options)


def norm_eval(*arrays, **options):
    return lambda: ops.batch_norm_eval(*arrays, **options)


BAD = {
    "group_norm-groups": (lambda: ops.group_norm(X, C, C, groups=2), ["groups is 2", "divides the 3 channels of x"]),
    "group_norm-row": (lambda: ops.group_norm(C, C, C, groups=1), ["x has shape (3,)", "x[None]"]),
    "group_norm-layout": (lambda: ops.group_norm(X[0, 0], C, C, groups=1, layout="CN"), ["layout is 'CN'"]),
    "layer_norm-scalar": (lambda: ops.layer_norm(jnp.float32(1), C, C), ["x is a scalar", "(..., c)"]),
    "layer_norm-axes": (
        lambda: ops.layer_norm(X, jnp.ones((8, 3)), jnp.ones((8, 3))),
        ["scale has shape (8, 3) and x (2, 8, 6, 3)", "the last axes of x, such as (3,)"],
    ),
    "layer_norm-bias": (lambda: ops.layer_norm(X, jnp.ones((6, 3)), C), ["bias has shape (3,)", "one shape for all"]),
    "rms_norm-axes": (lambda: ops.rms_norm(X, jnp.ones((1, 3))), ["scale has shape (1, 3) and x (2, 8, 6, 3)"]),
    "layer_norm-larger": (lambda: ops.layer_norm(C, X[0, 0], X[0, 0]), ["scale has shape (6, 3) and x (3,)"]),
    "rms_norm-scale": (lambda: ops.rms_norm(X, jnp.ones(4)), ["scale has shape (4,)", "x has 3 channels"]),
    "instance_norm-epsilon": (lambda: ops.instance_norm(X, C, C, epsilon=-1), ["epsilon is -1", "0 or more"]),
    "weight_standardize-rank": (lambda: ops.weight_standardize(C), ["kernel has shape (3,)", "(*window, in, out)"]),
    "weight_standardize-single": (
        lambda: ops.weight_standardize(jnp.ones((1, 1, 1, 4))),
        ["kernel has shape (1, 1, 1, 4)", "fewer than 2 weights for each output", "Leave such a kernel"],
    ),
    "weight_standardize-gain": (
        lambda: ops.weight_standardize(KERNEL, C),
        ["gain has shape (3,)", "expected (4,)", "(3, 3, 3, 4)"],
    ),
    "weight_standardize-epsilon": (lambda: ops.weight_standardize(KERNEL, epsilon=-1), ["epsilon is -1", "0 or more"]),
    "weight_standardize-integers": (lambda: ops.weight_standardize(PIXELS), ["kernel has dtype uint8"]),
    "local_response_norm-rank": (lambda: ops.local_response_norm(C), ["x has shape (3,)", "x[None]"]),
    "local_response_norm-size": (lambda: ops.local_response_norm(X, 0), ["size is 0", "positive ints"]),
    "local_response_norm-alpha": (lambda: ops.local_response_norm(X, alpha=-1.0), ["alpha is -1.0", "positive number"]),
    "local_response_norm-beta": (lambda: ops.local_response_norm(X, beta="1"), ["beta is '1'", "positive number"]),
    "local_response_norm-k": (lambda: ops.local_response_norm(X, k=0), ["k is 0", "positive number"]),
    "batch_norm-rank": (norm(jnp.zeros(3)), ["batch_norm: x has shape (3,)", "(n, c)"]),
    "batch_norm-integers": (norm(PIXELS), ["batch_norm: x has dtype uint8"]),
    "batch_norm-channels": (norm(scale=jnp.ones(5)), ["scale has shape (5,)", "x has 3 channels", "of shape (3,)"]),
    "batch_norm-bias": (norm(bias=jnp.ones((1, 3))), ["bias has shape (1, 3)", "of shape (3,)"]),
    "batch_norm-nchw-data": (norm(jnp.zeros((2, 3, 8, 6))), ["x has 6 channels", 'pass layout="NCHW"']),
    "batch_norm-nhwc-data": (norm(layout="NCHW"), ["x has 8 channels", 'pass layout="NHWC"']),
    "batch_norm-epsilon": (norm(epsilon=-1), ["epsilon is -1", "0 or more"]),
    "batch_norm-single-value": (
        norm(jnp.zeros((1, 1, 1, 3))),
        ["fewer than 2 values for each channel", "2 or more examples", "batch_norm_eval"],
    ),
    "batch_norm-axis-name": (norm(axis_name="d"), ["axis_name is 'd'", "no axis has this name", "jax.shard_map"]),
    "batch_norm_eval-var": (norm_eval(X, C, C, C, jnp.ones(2)), ["batch_norm_eval: var has shape (2,)"]),
    "batch_norm_eval-layout": (norm_eval(X, C, C, C, C, layout="x"), ["layout is 'x'"]),
}
