"""Bad input to pooling and unpooling."""

import jax.numpy as jnp
import numpy as np

from jaxcnn import ops
from tests.ops.errors.arrays import PIXELS, X


def max_pool(x=X, size=2, **options):
    return lambda: ops.max_pool(x, size, **options)


def avg_pool(x=X, size=2, **options):
    return lambda: ops.avg_pool(x, size, **options)


BAD = {
    "max_pool-single-image": (max_pool(X[0, :, :, 0]), ["max_pool: x has shape (8, 6)", "x[None]"]),
    "max_pool-integers": (max_pool(PIXELS), ["max_pool: x has dtype uint8", "/ 255"]),
    "max_pool-size-0": (max_pool(size=0), ["size is 0", "positive ints"]),
    "max_pool-three-sizes": (max_pool(size=(2, 2, 2)), ["size is (2, 2, 2)", "2 spatial axes"]),
    "max_pool-stride": (max_pool(stride=-1), ["stride is -1", "positive ints"]),
    "max_pool-large": (max_pool(size=7), ["spans 7 along spatial axis 1", "size 6 + padding 0 + 0"]),
    "max_pool-layout": (max_pool(layout="CHWN"), ["layout is 'CHWN'"]),
    "max_pool-padding": (max_pool(padding="valid"), ["padding is 'valid'", '"VALID"']),
    "max_pool-causal": (
        max_pool(padding="CAUSAL"),
        ["padding is 'CAUSAL'", 'expected "VALID", "SAME", "FULL", an int'],
    ),
    "max_pool-first-in-padding": (
        max_pool(size=(2, 3), padding=((0, 0), (3, 0))),
        ["along spatial axis 1 the first window", "padding (3, 0)", "size 6 there, the window 3", "at most 2 at each"],
    ),
    "max_pool-last-in-padding": (
        max_pool(size=2, padding=((0, 3), (0, 0))),
        ["along spatial axis 0 the last window", "padding (0, 3)", "at most 1 at each end"],
    ),
    "max_pool-dilation": (max_pool(dilation=0), ["dilation is 0", "positive ints"]),
    "max_pool-dilated-over-the-input": (
        max_pool(X[:, :1], 2, stride=1, dilation=2, padding=1),
        ["along spatial axis 0 the first window", "padding (1, 1)", "taps are 2 apart", "dilate less"],
    ),
    "max_pool-ceil-too-large": (
        max_pool(size=9, stride=1, ceil_mode=True),
        ["spans 9 along spatial axis 0", "size 8 + padding 0 + 0"],
    ),
    "avg_pool-in-padding": (avg_pool(padding=2, count_padding=True), ["avg_pool: along spatial axis 0 the first"]),
    "avg_pool-integers": (avg_pool(PIXELS), ["avg_pool: x has dtype uint8"]),
    "avg_pool-rank": (avg_pool(jnp.zeros((2, 3))), ["avg_pool: x has shape (2, 3)"]),
    "avg_pool-dilation": (avg_pool(dilation=0), ["dilation is 0", "positive ints"]),
    "avg_pool-dilated": (avg_pool(dilation=7), ["spans 8 along spatial axis 1", "size 6 + padding 0 + 0"]),
    "avg_pool-divisor-float": (avg_pool(divisor_override=4.0), ["divisor_override is 4.0"]),
    "avg_pool-divisor": (avg_pool(divisor_override=0), ["divisor_override is 0", "an int other than 0, or None"]),
    "lp_pool-dilation": (lambda: ops.lp_pool(X, 2, 2, dilation=(1, 2, 1)), ["dilation is (1, 2, 1)", "2 spatial axes"]),
    "adaptive_max_pool_with_indices-sizes": (
        lambda: ops.adaptive_max_pool_with_indices(X, 0),
        ["sizes is 0", "positive ints"],
    ),
    "lp_pool-p": (lambda: ops.lp_pool(X, 0.5, 2), ["p is 0.5", "1 or more"]),
    "lp_pool-infinity": (lambda: ops.lp_pool(X, float("inf"), 2), ["p is inf", "use max_pool"]),
    "lp_pool-causal": (lambda: ops.lp_pool(X, 2, 2, padding="CAUSAL"), ["padding is 'CAUSAL'"]),
    "lp_pool-size": (lambda: ops.lp_pool(X, 2, 7), ["spans 7 along spatial axis 1"]),
    "adaptive_avg_pool-sizes": (lambda: ops.adaptive_avg_pool(X, 0), ["sizes is 0", "positive ints"]),
    "adaptive_avg_pool-axes": (lambda: ops.adaptive_avg_pool(X, (1, 2, 3)), ["sizes is (1, 2, 3)", "2 spatial axes"]),
    "adaptive_max_pool-empty": (lambda: ops.adaptive_max_pool(X[:, :0], 2), ["sizes (0, 6)", "1 or longer"]),
    "max_pool_with_indices-rank": (lambda: ops.max_pool_with_indices(X[0, 0], 2), ["x has shape (6, 3)"]),
    "max_unpool-floats": (lambda: ops.max_unpool(X, X, 9), ["indices has dtype float32", "max_pool_with_indices"]),
    "max_unpool-shape": (
        lambda: ops.max_unpool(X, np.zeros((2, 8, 6, 1), int), 9),
        ["shape (2, 8, 6, 1)", "x's shape (2, 8, 6, 3)"],
    ),
    "max_unpool-range": (
        lambda: ops.max_unpool(X, np.full(X.shape, 12), (3, 4)),
        ["from 12 to 12", "places 0 to 11", "the image that was pooled"],
    ),
    "max_unpool-sizes": (lambda: ops.max_unpool(X, X.astype(int), (3,)), ["sizes is (3,)", "2 spatial axes"]),
    "global_avg_pool-rank": (lambda: ops.global_avg_pool(jnp.zeros((2, 3))), ["global_avg_pool: x has shape (2, 3)"]),
    "global_avg_pool-integers": (lambda: ops.global_avg_pool(PIXELS), ["dtype uint8"]),
    "global_avg_pool-empty": (lambda: ops.global_avg_pool(jnp.zeros((2, 0, 4, 3))), ["sizes (0, 4)", "1 or longer"]),
    "global_max_pool-empty": (lambda: ops.global_max_pool(jnp.zeros((2, 4, 0, 3))), ["sizes (4, 0)", "1 or longer"]),
    "global_max_pool-layout": (lambda: ops.global_max_pool(X, layout="HWC"), ["layout is 'HWC'"]),
}
