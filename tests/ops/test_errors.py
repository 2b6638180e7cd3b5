"""Bad input to every operation gets an error that names what is wrong and what to do."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops

X = jnp.zeros((2, 8, 6, 3))
KERNEL = jnp.zeros((3, 3, 3, 4))
PIXELS = np.zeros((2, 8, 6, 3), np.uint8)
KEY = jax.random.key(0)
C = jnp.ones(3)


def conv(x=X, kernel=KERNEL, *args, **options):
    return lambda: ops.conv(x, kernel, *args, **options)


def max_pool(x=X, size=2, **options):
    return lambda: ops.max_pool(x, size, **options)


def avg_pool(x=X, size=2, **options):
    return lambda: ops.avg_pool(x, size, **options)


def norm(x=X, scale=C, bias=C, **options):
    return lambda: ops.batch_norm(x, scale, bias, **options)


def norm_eval(*arrays, **options):
    return lambda: ops.batch_norm_eval(*arrays, **options)


def dropout(x=X, key=KEY, rate=0.5):
    return lambda: ops.dropout(x, key, rate=rate)


def softmax_loss(logits, labels, **options):
    return lambda: ops.softmax_cross_entropy(jnp.asarray(logits), labels, **options)


def sigmoid_loss(logits, labels):
    return lambda: ops.sigmoid_cross_entropy(logits, labels)


LOGITS = np.zeros((2, 3), np.float32)

# What is tried, and pieces that the message must hold: the argument, what was seen, the fix.
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
    "conv-kernel-empty": (conv(kernel=jnp.zeros((0, 3, 3, 4))), ["kernel has shape (0, 3, 3, 4)", "1 or longer"]),
    "conv-groups-bool": (conv(groups=True), ["groups is True"]),
    "conv-groups-no-divisor": (
        conv(kernel=jnp.zeros((3, 3, 1, 4)), groups=2),
        ["x has 3 channels", "2 groups do not divide 3 channels"],
    ),
    "conv-padding-array": (conv(padding=np.array([[1, 1], [0, -1]])), ["padding is array", "an int of 0 or more"]),
    "relu-none": (lambda: ops.relu(None), ["x is None", "expected an array of floats"]),
    "relu-text": (lambda: ops.relu("abc"), ["x is 'abc'", "expected an array of floats"]),
    "output_size-stride": (lambda: ops.output_size(7, 3, stride=0), ["stride is 0", "positive ints"]),
    "output_size-float": (lambda: ops.output_size(7.0, 3), ["size is 7.0", "positive ints"]),
    "pad-mode": (lambda: ops.pad(X, 1, mode="mirror"), ["mode is 'mirror'", "'reflect'"]),
    "pad-most": (
        lambda: ops.pad(X, ((0, 0), (6, 0)), mode="reflect"),
        ["padding (6, 0) along spatial axis 1", "mode 'reflect'", "its size 6", "at most 5"],
    ),
    "pad-word": (lambda: ops.pad(X, "SAME"), ["padding is 'SAME'; expected an int of 0 or more"]),
    "group_norm-groups": (lambda: ops.group_norm(X, C, C, groups=2), ["groups is 2", "divides the 3 channels of x"]),
    "layer_norm-row": (lambda: ops.layer_norm(C, C, C), ["x has shape (3,)", "x[None]"]),
    "rms_norm-scale": (lambda: ops.rms_norm(X, jnp.ones(4)), ["scale has shape (4,)", "x has 3 channels"]),
    "instance_norm-epsilon": (lambda: ops.instance_norm(X, C, C, epsilon=0), ["epsilon is 0", "positive number"]),
    "weight_standardize-rank": (lambda: ops.weight_standardize(C), ["kernel has shape (3,)", "(*window, in, out)"]),
    "weight_standardize-single": (
        lambda: ops.weight_standardize(jnp.ones((1, 1, 1, 4))),
        ["kernel has shape (1, 1, 1, 4)", "fewer than 2 weights for each output", "Leave such a kernel"],
    ),
    "weight_standardize-gain": (
        lambda: ops.weight_standardize(KERNEL, C),
        ["gain has shape (3,)", "expected (4,)", "(3, 3, 3, 4)"],
    ),
    "weight_standardize-epsilon": (lambda: ops.weight_standardize(KERNEL, epsilon=0), ["epsilon is 0", "positive"]),
    "weight_standardize-integers": (lambda: ops.weight_standardize(PIXELS), ["kernel has dtype uint8"]),
    "local_response_norm-rank": (lambda: ops.local_response_norm(C), ["x has shape (3,)", "x[None]"]),
    "local_response_norm-size": (lambda: ops.local_response_norm(X, 0), ["size is 0", "positive ints"]),
    "local_response_norm-alpha": (lambda: ops.local_response_norm(X, alpha=-1.0), ["alpha is -1.0", "positive number"]),
    "local_response_norm-beta": (lambda: ops.local_response_norm(X, beta="1"), ["beta is '1'", "positive number"]),
    "local_response_norm-k": (lambda: ops.local_response_norm(X, k=0), ["k is 0", "positive number"]),
    "prelu-slope": (lambda: ops.prelu(X, jnp.ones(4)), ["slope has shape (4,)", "(3,)"]),
    "elu-alpha": (lambda: ops.elu(X, alpha=-1.0), ["alpha is -1.0", "positive number"]),
    "celu-alpha": (lambda: ops.celu(X, alpha=0), ["alpha is 0", "positive number"]),
    "conv_transpose-channels": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 3, 4))),
        ["x has 3 channels", "takes 4", "Swap its last two axes"],
    ),
    "conv_transpose-output_padding": (
        lambda: ops.conv_transpose(X, jnp.zeros((3, 3, 4, 3)), stride=2, padding=1, output_padding=2),
        ["output_padding is 2", "stride (2, 2)"],
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
    "conv_wgrad-dy": (
        lambda: ops.conv_wgrad(X, jnp.zeros((2, 8, 6, 4)), (3, 3), stride=2),
        ["conv_wgrad: dy has shape (2, 8, 6, 4)", "returns (n, 4, 3, 4)"],
    ),
    "max_pool-single-image": (max_pool(X[0, :, :, 0]), ["max_pool: x has shape (8, 6)", "x[None]"]),
    "max_pool-integers": (max_pool(PIXELS), ["max_pool: x has dtype uint8", "/ 255"]),
    "max_pool-size-0": (max_pool(size=0), ["size is 0", "positive ints"]),
    "max_pool-three-sizes": (max_pool(size=(2, 2, 2)), ["size is (2, 2, 2)", "2 spatial axes"]),
    "max_pool-stride": (max_pool(stride=-1), ["stride is -1", "positive ints"]),
    "max_pool-large": (max_pool(size=7), ["spans 7 along spatial axis 1", "size 6 + padding 0 + 0"]),
    "max_pool-layout": (max_pool(layout="CHWN"), ["layout is 'CHWN'"]),
    "max_pool-padding": (max_pool(padding="valid"), ["padding is 'valid'", '"VALID"']),
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
    "lp_pool-p": (lambda: ops.lp_pool(X, 0.5, 2), ["p is 0.5", "1 or more"]),
    "lp_pool-infinity": (lambda: ops.lp_pool(X, float("inf"), 2), ["p is inf", "use max_pool"]),
    "lp_pool-size": (lambda: ops.lp_pool(X, 2, 7), ["spans 7 along spatial axis 1"]),
    "adaptive_avg_pool-sizes": (lambda: ops.adaptive_avg_pool(X, 0), ["sizes is 0", "positive ints"]),
    "adaptive_avg_pool-axes": (lambda: ops.adaptive_avg_pool(X, (1, 2, 3)), ["sizes is (1, 2, 3)", "2 spatial axes"]),
    "adaptive_max_pool-empty": (lambda: ops.adaptive_max_pool(X[:, :0], 2), ["sizes (0, 6)", "1 or longer"]),
    "resize_nearest-sizes": (lambda: ops.resize_nearest(X, 2.5), ["sizes is 2.5", "positive ints"]),
    "resize_nearest-integers": (lambda: ops.resize_nearest(PIXELS, 4), ["dtype uint8", "/ 255"]),
    "resize_bilinear-empty": (lambda: ops.resize_bilinear(X[:, :, :0], 2), ["sizes (8, 0)", "1 or longer"]),
    "resize_bilinear-layout": (lambda: ops.resize_bilinear(X, 2, layout="HWC"), ["layout is 'HWC'"]),
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
    "leaky_relu-negative": (lambda: ops.leaky_relu(X, slope=-0.1), ["slope is -0.1", "0 or more"]),
    "leaky_relu-text": (lambda: ops.leaky_relu(X, slope="0.1"), ["slope is '0.1'"]),
    "leaky_relu-nan": (lambda: ops.leaky_relu(X, slope=float("nan")), ["slope is nan"]),
    "softmax-axis": (lambda: ops.softmax(LOGITS, axis=2), ["softmax: axis is 2", "one of x's 2 axes (shape (2, 3))"]),
    "softmax-scalar": (lambda: ops.softmax(1.0), ["axis is -1", "0 axes (shape ())"]),
    "log_softmax-axis": (lambda: ops.log_softmax(LOGITS, axis=-3), ["log_softmax: axis is -3"]),
    "batch_norm-rank": (norm(jnp.zeros(3)), ["batch_norm: x has shape (3,)", "(n, c)"]),
    "batch_norm-integers": (norm(PIXELS), ["batch_norm: x has dtype uint8"]),
    "batch_norm-channels": (norm(scale=jnp.ones(5)), ["scale has shape (5,)", "x has 3 channels", "of shape (3,)"]),
    "batch_norm-bias": (norm(bias=jnp.ones((1, 3))), ["bias has shape (1, 3)", "of shape (3,)"]),
    "batch_norm-nchw-data": (norm(jnp.zeros((2, 3, 8, 6))), ["x has 6 channels", 'pass layout="NCHW"']),
    "batch_norm-nhwc-data": (norm(layout="NCHW"), ["x has 8 channels", 'pass layout="NHWC"']),
    "batch_norm-epsilon": (norm(epsilon=0), ["epsilon is 0", "positive number"]),
    "batch_norm-single-value": (
        norm(jnp.zeros((1, 1, 1, 3))),
        ["fewer than 2 values for each channel", "2 or more examples", "batch_norm_eval"],
    ),
    "batch_norm_eval-var": (norm_eval(X, C, C, C, jnp.ones(2)), ["batch_norm_eval: var has shape (2,)"]),
    "batch_norm_eval-layout": (norm_eval(X, C, C, C, C, layout="x"), ["layout is 'x'"]),
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
    "softmax_cross_entropy-integers": (softmax_loss(LOGITS.astype(int), [0, 1]), ["logits has dtype int"]),
    "softmax_cross_entropy-rank": (softmax_loss(X, [0, 1]), ["logits has shape (2, 8, 6, 3)", "(n, k)"]),
    "softmax_cross_entropy-labels": (
        softmax_loss(LOGITS, np.zeros(3, int)),
        ["labels has shape (3,)", "(2,)", "(2, 3)"],
    ),
    "softmax_cross_entropy-column": (softmax_loss(LOGITS, np.zeros((2, 1), int)), ["labels has shape (2, 1)"]),
    "softmax_cross_entropy-floats": (
        softmax_loss(LOGITS, np.zeros(2, np.float32)),
        ["dtype float32", "must be integers", "labels.astype(jnp.int32)"],
    ),
    "softmax_cross_entropy-too-large": (
        softmax_loss(LOGITS, [0, 3]),
        ["labels holds 3", "classes 0 to 2", "labels - 1", "more outputs"],
    ),
    "softmax_cross_entropy-negative": (softmax_loss(LOGITS, [-1, 2]), ["labels holds -1", "classes 0 to 2"]),
    "softmax_cross_entropy-smoothing": (
        softmax_loss(LOGITS, [0, 1], label_smoothing=1.1),
        ["label_smoothing is 1.1", "from 0 to 1"],
    ),
    "sigmoid_cross_entropy-classes": (
        sigmoid_loss(LOGITS, np.array([0, 1])),
        ["logits has shape (2, 3) and labels (2,)", "jax.nn.one_hot(labels, 3)"],
    ),
    "sigmoid_cross_entropy-column": (
        sigmoid_loss(LOGITS[:, :1], np.zeros(2, np.float32)),
        ["logits has shape (2, 1) and labels (2,)", "labels.reshape(logits.shape)"],
    ),
    "sigmoid_cross_entropy-range": (sigmoid_loss(LOGITS, LOGITS + 2), ["labels go from 2.0 to 2.0", "0 to 1"]),
    "sigmoid_cross_entropy-nan": (sigmoid_loss(LOGITS, LOGITS + np.nan), ["labels go from nan"]),
    "sigmoid_cross_entropy-scalar": (sigmoid_loss(0.0, 1.0), ["logits has shape ()", "(n, ...)"]),
    "softmax_cross_entropy-weights": (
        softmax_loss(LOGITS, [0, 1], class_weights=[1.0, 2]),
        ["class_weights has shape (2,) and logits (2, 3)", "expected one weight for each class, (3,)"],
    ),
    "softmax_cross_entropy-ignored-unknown": (
        softmax_loss(LOGITS, [-1, 7], ignore_index=-1),
        ["labels holds 7", "classes 0 to 2"],
    ),
    "softmax_cross_entropy-ignored-soft": (
        softmax_loss(LOGITS, LOGITS, ignore_index=0),
        ["ignore_index is 0 and labels has shape (2, 3)", "rows of zeros"],
    ),
    "softmax_cross_entropy-ignored-float": (
        softmax_loss(LOGITS, [0, 1], ignore_index=-1.0),
        ["ignore_index is -1.0", "expected an int such as -1 or 255, or None"],
    ),
    "sigmoid_cross_entropy-weight": (
        lambda: ops.sigmoid_cross_entropy(LOGITS, LOGITS, np.ones(2)),
        ["positive_weight has shape (2,) and logits (2, 3)", "expected one weight, ()"],
    ),
    "focal-alpha": (lambda: ops.focal(LOGITS, LOGITS, alpha=2), ["alpha is 2", "from 0 to 1, or None"]),
    "focal-gamma": (lambda: ops.focal(LOGITS, LOGITS, gamma=-1), ["gamma is -1", "0 or more, such as 2.0"]),
    "focal-range": (lambda: ops.focal(LOGITS, LOGITS - 1), ["labels go from -1.0 to -1.0", "0 to 1"]),
    "hinge-zeros": (
        lambda: ops.hinge(LOGITS, LOGITS.astype(int)),
        ["labels holds 0", "expected 1 and -1", "2 * labels - 1"],
    ),
    "hinge-shapes": (lambda: ops.hinge(LOGITS, np.ones(2)), ["scores has shape (2, 3) and labels (2,)"]),
    "multi_margin-rank": (lambda: ops.multi_margin(X, [0, 1]), ["scores has shape (2, 8, 6, 3)", "(n, k)"]),
    "multi_margin-labels": (
        lambda: ops.multi_margin(LOGITS, LOGITS),
        ["labels has shape (2, 3) and scores (2, 3)", "integer classes of shape (2,)"],
    ),
    "multi_margin-floats": (
        lambda: ops.multi_margin(LOGITS, np.zeros(2)),
        ["dtype float", "must be integers", "labels.astype(jnp.int32)"],
    ),
    "multi_margin-unknown": (lambda: ops.multi_margin(LOGITS, [0, 3]), ["labels holds 3", "classes 0 to 2"]),
    "multi_margin-margin": (lambda: ops.multi_margin(LOGITS, [0, 1], margin=0), ["margin is 0", "positive number"]),
    "multi_margin-p": (lambda: ops.multi_margin(LOGITS, [0, 1], p=3), ["p is 3", "expected 1 or 2"]),
    "triplet-rank": (lambda: ops.triplet(X, X, X), ["anchor has shape (2, 8, 6, 3)", "(n, d)"]),
    "triplet-shapes": (
        lambda: ops.triplet(LOGITS, LOGITS, LOGITS[:1]),
        ["anchor has shape (2, 3) and negative (1, 3)"],
    ),
    "triplet-margin": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, margin=-1), ["margin is -1", "positive number"]),
    "triplet-epsilon": (lambda: ops.triplet(LOGITS, LOGITS, LOGITS, epsilon=-1), ["epsilon is -1", "0 or more"]),
    "kl_divergence-negative": (
        lambda: ops.kl_divergence(LOGITS, LOGITS - 1),
        ["q holds -1.0", "not negative", "jnp.exp(q)"],
    ),
    "kl_divergence-shapes": (lambda: ops.kl_divergence(LOGITS, LOGITS[0]), ["log_p has shape (2, 3) and q (3,)"]),
    "l1-shapes": (lambda: ops.l1(LOGITS, LOGITS[:, 0]), ["prediction has shape (2, 3) and target (2,)"]),
    "huber-delta": (lambda: ops.huber(LOGITS, LOGITS, delta=0), ["delta is 0", "positive number"]),
    "mse-shapes": (lambda: ops.mse(LOGITS[:, :1], LOGITS[:, 0]), ["prediction has shape (2, 1) and target (2,)"]),
    "mse-integers": (lambda: ops.mse(LOGITS, np.zeros((2, 3), int)), ["mse: target has dtype int"]),
}


@pytest.mark.parametrize("name", BAD)
def test_the_message_says_what_is_wrong_and_what_to_do(name):
    attempt, pieces = BAD[name]
    with pytest.raises(ValueError) as caught:
        attempt()
    message = str(caught.value)
    assert all(piece in message for piece in pieces), message
    assert message.startswith(name.split("-")[0] + ": "), message


def test_numpy_scalars_are_numbers():
    for call in (
        lambda: ops.dropout(X, KEY, rate=np.float32(0.5)),
        lambda: ops.leaky_relu(X, slope=np.float32(0.1)),
        lambda: ops.batch_norm(X, C, C, epsilon=np.float32(1e-5))[0],
        lambda: ops.conv(X, KERNEL, groups=np.int64(1), padding=np.array([[1, 1], [1, 1]])),
    ):
        assert len(call()) == 2
    assert ops.softmax_cross_entropy(LOGITS, np.array([0, 1]), label_smoothing=np.float32(0.1)).shape == (2,)


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu", "softmax", "log_softmax"])
def test_activations_refuse_integers(name):
    with pytest.raises(ValueError, match=f"{name}: x has dtype uint8; expected floats"):
        getattr(ops, name)(PIXELS)


def test_full_padding_with_a_stride_has_no_window_in_the_padding():
    assert ops.max_pool(X, 3, stride=2, padding="FULL").shape == (2, 5, 4, 3)
