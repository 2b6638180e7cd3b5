"""Bad input to resizing."""

import jax.numpy as jnp
import numpy as np

from jaxcnn import ops
from tests.ops.errors.arrays import PIXELS, X

BAD = {
    "resize_nearest-sizes": (lambda: ops.resize_nearest(X, 2.5), ["sizes is 2.5", "positive ints"]),
    "resize_nearest-none": (lambda: ops.resize_nearest(X), ["sizes is None and scale is None", "give one of them"]),
    "resize_nearest-both": (lambda: ops.resize_nearest(X, 4, scale=2), ["sizes is 4 and scale is 2", "give one"]),
    "resize_nearest-scale": (lambda: ops.resize_nearest(X, scale=0), ["scale is 0", "positive number"]),
    "resize_nearest-scales": (lambda: ops.resize_nearest(X, scale=(1, 2, 3)), ["scale is (1, 2, 3)", "2 spatial axes"]),
    "resize_nearest-text": (lambda: ops.resize_nearest(X, scale="2"), ["scale is '2'", "positive number"]),
    "resize_nearest-small": (
        lambda: ops.resize_nearest(X, scale=0.1),
        ["scale is 0.1", "leaves nothing of sizes (8, 6)", "take a larger one"],
    ),
    "resize_nearest-coordinates": (
        lambda: ops.resize_nearest(X, 4, coordinates="half-pixel"),
        ["coordinates is 'half-pixel'", "'pytorch_half_pixel', 'asymmetric', 'align_corners'"],
    ),
    "resize_nearest-rounding": (
        lambda: ops.resize_nearest(X, 4, rounding="round"),
        ["rounding is 'round'", "'round_prefer_ceil'"],
    ),
    "resize_nearest-integers": (lambda: ops.resize_nearest(PIXELS, 4), ["dtype uint8", "/ 255"]),
    "resize_bilinear-empty": (lambda: ops.resize_bilinear(X[:, :, :0], 2), ["sizes (8, 0)", "1 or longer"]),
    "resize_bilinear-layout": (lambda: ops.resize_bilinear(X, 2, layout="HWC"), ["layout is 'HWC'"]),
    "resize_bilinear-corners": (
        lambda: ops.resize_bilinear(X, 2, align_corners=True, coordinates="asymmetric"),
        ["align_corners is True and coordinates is 'asymmetric'", "give one of them"],
    ),
    "resize_bilinear-coordinates": (lambda: ops.resize_bilinear(X, 2, coordinates=0), ["coordinates is 0"]),
    "resize_bicubic-a": (lambda: ops.resize_bicubic(X, 4, a=0.75), ["a is 0.75", "0 or less, such as -0.75"]),
    "resize_bicubic-a-nan": (lambda: ops.resize_bicubic(X, 4, a=float("nan")), ["a is nan"]),
    "resize_bicubic-integers": (lambda: ops.resize_bicubic(PIXELS, 4), ["dtype uint8", "/ 255"]),
    "pixel_shuffle-channels": (
        lambda: ops.pixel_shuffle(X, 2),
        ["x has 3 channels", "factor (2, 2)", "blocks of 4 pixels", "a multiple of 4"],
    ),
    "pixel_shuffle-factor": (lambda: ops.pixel_shuffle(X, 0), ["factor is 0", "positive ints"]),
    "pixel_shuffle-mode": (lambda: ops.pixel_shuffle(X, 1, mode="RCD"), ["mode is 'RCD'", "'CRD', 'DCR'"]),
    "pixel_unshuffle-mode": (lambda: ops.pixel_unshuffle(X, 2, mode=""), ["mode is ''", "'CRD', 'DCR'"]),
    "pixel_unshuffle-sizes": (
        lambda: ops.pixel_unshuffle(X, (2, 4)),
        ["x has spatial sizes (8, 6)", "factor (2, 4) does not divide", "pad or crop"],
    ),
    "pixel_unshuffle-integers": (lambda: ops.pixel_unshuffle(PIXELS, 2), ["dtype uint8"]),
    "grid_sample-axes": (
        lambda: ops.grid_sample(X, jnp.zeros((2, 4, 3))),
        ["grid has shape (2, 4, 3)", "(n, *out, 2)", "n = 2"],
    ),
    "grid_sample-batch": (
        lambda: ops.grid_sample(X, jnp.zeros((1, 4, 4, 2))),
        ["grid has shape (1, 4, 4, 2)", "n = 2", "jnp.broadcast_to"],
    ),
    "grid_sample-integers": (lambda: ops.grid_sample(X, np.zeros((2, 4, 4, 2), int)), ["grid has dtype int"]),
    "grid_sample-mode": (
        lambda: ops.grid_sample(X, jnp.zeros((2, 4, 4, 2)), mode="cubic"),
        ["mode is 'cubic'", "'bilinear', 'nearest', 'bicubic'"],
    ),
    "grid_sample-bicubic": (
        lambda: ops.grid_sample(X[:, None], jnp.zeros((2, 1, 4, 4, 3)), mode="bicubic"),
        ["mode is 'bicubic' and x has 3 spatial axes", "1 or 2", "mode='bilinear'"],
    ),
    "grid_sample-padding": (
        lambda: ops.grid_sample(X, jnp.zeros((2, 4, 4, 2)), padding_mode="reflect"),
        ["padding_mode is 'reflect'", "'zeros', 'border', 'reflection'"],
    ),
    "affine_grid-theta": (
        lambda: ops.affine_grid(jnp.zeros((2, 3)), 4),
        ["theta has shape (2, 3)", "(n, axes, axes + 1)", "theta[None]"],
    ),
    "affine_grid-sizes": (
        lambda: ops.affine_grid(jnp.zeros((2, 2, 3)), (2, 3, 4, 4)),
        ["sizes is (2, 3, 4, 4)", "2 spatial axes"],
    ),
}
