"""Bad input to the convolutions."""

import jax.numpy as jnp
import numpy as np

from jaxcnn import ops
from tests.ops.errors.arrays import KERNEL, PIXELS, C, X


def conv(x=X, kernel=KERNEL, *args, **options):
    return lambda: ops.conv(x, kernel, *args, **options)


BAD = {
    "conv-single-image": (
        conv(X[0]),
        ["kernel has shape (3, 3, 3, 4)", "x has 1 spatial axes (shape (8, 6, 3)", "rank 3", "write x[None]"],
    ),
    "conv-no-channels": (conv(X[0, :, :, 0]), ["x has shape (8, 6)", "x[None]", "x[..., None]"]),
    "conv-rank-6": (conv(X[None, None]), ["x has shape (1, 1, 2, 8, 6, 3)"]),
    "conv-integers": (conv(PIXELS), ["x has dtype uint8", "x.astype(jnp.float32) / 255"]),
    "conv-integer-kernel": (conv(kernel=np.ones((3, 3, 3, 4), int)), ["kernel has dtype int"]),
    "conv-kernel-rank": (conv(kernel=jnp.zeros((3, 3, 4))), ["kernel has shape (3, 3, 4)", "rank 4", "(h, w, cin"]),
    "conv-channels": (conv(kernel=jnp.zeros((3, 3, 5, 4))), ["x has 3 channels", "takes 5", "(3, 3, 3, 4)"]),
    "conv-nchw-data": (conv(jnp.zeros((2, 3, 8, 6))), ["x has 6 channels", 'pass layout="NCHW"']),
    "conv-nhwc-data": (conv(layout="NCHW"), ["takes 3", 'pass layout="NHWC"']),
    "conv-layout": (conv(layout="NCWH"), ["layout is 'NCWH'", '"NHWC"', '"NCHW"']),
    "conv-large-kernel": (
        conv(kernel=jnp.zeros((9, 3, 3, 4)), padding="VALID"),
        ["spans 9 along spatial axis 0", "size 8 + padding 0 + 0", "would be empty", 'padding="SAME"'],
    ),
    "conv-large-dilated-kernel": (conv(padding=1, dilation=5), ["spans 11", "size 8 + padding 1 + 1"]),
    "conv-empty-axis": (conv(jnp.zeros((2, 0, 6, 3))), ["spatial sizes (0, 6)", "1 or longer"]),
    "conv-zero-stride": (conv(stride=0), ["stride is 0", "positive ints"]),
    "conv-negative-stride": (conv(stride=(1, -2)), ["stride is (1, -2)", "positive ints"]),
    "conv-float-stride": (conv(stride=1.5), ["stride is 1.5", "positive ints"]),
    "conv-bool-stride": (conv(stride=True), ["stride is True", "positive ints"]),
    "conv-three-strides": (conv(stride=(1, 1, 1)), ["stride is (1, 1, 1)", "3 values for 2 spatial axes"]),
    "conv-zero-dilation": (conv(dilation=0), ["dilation is 0", "positive ints"]),
    "conv-padding-case": (conv(padding="same"), ["padding is 'same'", '"SAME"', '"CAUSAL"', "((1, 1), (1, 1))"]),
    "conv-padding-flat": (conv(padding=(1, 2)), ["padding is (1, 2)", "pair for each of the 2 spatial axes"]),
    "conv-padding-one-pair": (conv(padding=((1, 2),)), ["padding is ((1, 2),)", "each of the 2 spatial axes"]),
    "conv-padding-negative": (conv(padding=-1), ["padding is -1", "an int of 0 or more"]),
    "conv-padding-float": (conv(padding=0.5), ["padding is 0.5"]),
    "conv-groups": (
        conv(kernel=jnp.zeros((3, 3, 1, 4)), groups=3),
        ["groups is 3", "divides the 4 channels of the kernel's output"],
    ),
    "conv-groups-0": (conv(groups=0), ["groups is 0", "1 or more"]),
    "conv-groups-channels": (conv(groups=2), ["x has 3 channels", "groups=2, takes 6"]),
    "conv-bias": (conv(X, KERNEL, jnp.zeros(3)), ["bias has shape (3,)", "expected (4,)"]),
    "conv-kernel-empty": (conv(kernel=jnp.zeros((0, 3, 3, 4))), ["kernel has shape (0, 3, 3, 4)", "1 or longer"]),
    "conv-groups-bool": (conv(groups=True), ["groups is True"]),
    "conv-groups-no-divisor": (
        conv(kernel=jnp.zeros((3, 3, 1, 4)), groups=2),
        ["x has 3 channels", "2 groups do not divide 3 channels"],
    ),
    "conv-padding-array": (
        conv(padding=np.array([[1, 1], [0, -1]])),
        ["padding is ((1, 1), (0, -1))", "an int of 0 or more"],
    ),
    "conv_dgrad-dy": (
        lambda: ops.conv_dgrad(jnp.zeros((2, 8, 5, 4)), KERNEL, (8, 6)),
        ["conv_dgrad: dy has shape (2, 8, 5, 4)", "returns (n, 8, 6, 4)"],
    ),
    "conv_dgrad-channels": (lambda: ops.conv_dgrad(X, KERNEL, (8, 6)), ["dy has shape (2, 8, 6, 3)", "(n, 8, 6, 4)"]),
    "conv_dgrad-rank": (
        lambda: ops.conv_dgrad(X, jnp.zeros((3, 3, 4)), (8, 6)),
        ["kernel has shape (3, 3, 4)", "rank"],
    ),
    "conv_dgrad-groups": (
        lambda: ops.conv_dgrad(jnp.zeros((2, 8, 6, 4)), KERNEL, (8, 6), groups=3),
        ["groups is 3", "divides the 4 channels of the kernel's output"],
    ),
    "conv_dgrad-sizes": (lambda: ops.conv_dgrad(X, KERNEL, (8,)), ["sizes is (8,)", "2 spatial axes"]),
    "conv_wgrad-batch": (
        lambda: ops.conv_wgrad(X, X[:1], 3),
        ["x has shape (2, 8, 6, 3) and dy (1, 8, 6, 3)", "batch"],
    ),
    "conv_wgrad-groups": (lambda: ops.conv_wgrad(X, X, 3, groups=2), ["groups is 2", "divides the 3 channels of x"]),
    "conv_wgrad-dy": (
        lambda: ops.conv_wgrad(X, jnp.zeros((2, 8, 6, 4)), (3, 3), stride=2),
        ["conv_wgrad: dy has shape (2, 8, 6, 4)", "returns (n, 4, 3, 4)"],
    ),
    "conv_transpose-channels": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 3, 4))),
        ["x has 3 channels", "takes 4", "Swap its last two axes"],
    ),
    "conv_transpose-output_padding": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), stride=2, padding=1, output_padding=2),
        ["output_padding is 2", "stride (2, 2)", "larger of stride and dilation less 1"],
    ),
    "conv_transpose-output_padding-dilation": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), dilation=(3, 2), padding=1, output_padding=2),
        ["output_padding is 2", "dilation (3, 2)"],
    ),
    "conv_transpose-output_padding-same": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), stride=2, output_padding=1),
        ["output_padding is 1", "0 with padding 'SAME'"],
    ),
    "conv_transpose-padding": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), padding=5),
        ["padding 5 cuts", "leaves [0, -2]", "pad less"],
    ),
    "conv_transpose-groups": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), groups=2),
        ["groups is 2", "divides the 3 channels of the kernel's input"],
    ),
    "conv_transpose-rank": (lambda: ops.conv_transpose(X, C), ["kernel has shape (3,)", "rank 4"]),
    "conv_transpose-bias": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), C),
        ["bias has shape (3,)", "expected (4,)"],
    ),
    "unfold-window": (lambda: ops.unfold(X, 9), ["spans 9 along spatial axis 0", "size 8 + padding 0 + 0"]),
    "unfold-windows": (lambda: ops.unfold(X, (1, 2, 3)), ["window is (1, 2, 3)", "2 spatial axes"]),
    "unfold-integers": (lambda: ops.unfold(PIXELS, 2), ["dtype uint8"]),
    "fold-rank": (lambda: ops.fold(X, (8, 6), 2), ["x has shape (2, 8, 6, 3)", "(n, places, channels times taps)"]),
    "fold-rows": (
        lambda: ops.fold(jnp.zeros((2, 34, 12)), (8, 6), 2),
        [
            "x has 34 rows of 12",
            "expected 35 rows",
            "at [7, 5] places of an image of sizes (8, 6)",
            "multiple of 4 taps",
        ],
    ),
    "fold-taps": (lambda: ops.fold(jnp.zeros((2, 35, 11)), (8, 6), 2), ["35 rows of 11", "multiple of 4 taps"]),
    "fold-nchw": (lambda: ops.fold(jnp.zeros((2, 12, 35)), (8, 6), 2), ["12 rows of 35", 'layout="NCHW"']),
    "fold-sizes": (lambda: ops.fold(jnp.zeros((2, 35, 12)), 8, 2), ["sizes is 8", "such as (8, 8)"]),
    "output_size-stride": (lambda: ops.output_size(7, 3, stride=0), ["stride is 0", "positive ints"]),
    "output_size-float": (lambda: ops.output_size(7.0, 3), ["size is 7.0", "positive ints"]),
}
