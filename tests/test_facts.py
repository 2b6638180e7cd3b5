"""Facts that courses and papers on convolutional networks state, with their numbers, as this library has them.

The numbers are typed in from the field; formulas are computed beside by NumPy and SciPy.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import signal

from jaxcnn import models, ops
from jaxcnn.layers import Conv, chain, summary
from jaxcnn.ops.geometry import output_size, resolve_padding, unseen


def only_row(layer, input_shape):
    (row,) = summary(chain(only=layer), input_shape).rows
    return row


def by_path(model, input_shape):
    return {row.path: row for row in summary(model, input_shape).rows}


def single(image, kernel, **options):
    """`conv` on one image (h, w) and one kernel (kh, kw)."""
    y = ops.conv(np.array(image, float)[None, :, :, None], np.array(kernel, float)[:, :, None, None], **options)
    return np.asarray(y)[0, :, :, 0]


def pulled_back(x, kernel, dout, stride):
    """(dx, dkernel, dbias) of an NCHW convolution without padding."""

    def convolve(x, kernel, bias):
        return ops.conv(x, kernel, bias, stride=stride, padding="VALID", layout="NCHW")

    return jax.vjp(convolve, x, kernel, np.zeros(kernel.shape[-1]))[1](dout)


# Shapes and parameters.


@pytest.mark.parametrize(("stride", "size", "never_seen"), [(1, 5, 0), (2, 3, 0), (3, 2, 1)])
def test_7x7_input_and_3x3_kernel(stride, size, never_seen):
    row = only_row(Conv(1, 3, stride=stride, padding="VALID"), (7, 7, 1))
    assert row.shape == (size, size, 1)
    assert row.unseen == (never_seen, never_seen)
    assert output_size(7, 3, stride=stride) == size
    assert unseen(7, 3, stride=stride) == never_seen
    assert single(np.ones((7, 7)), np.ones((3, 3)), stride=stride, padding="VALID").shape == (size, size)


def test_the_summary_says_that_stride_3_never_sees_one_row_and_one_column():
    stride = {s: str(summary(chain(conv=Conv(1, 3, stride=s, padding="VALID")), (7, 7, 1))) for s in (2, 3)}
    assert "1 row, 1 column" in stride[3]
    assert "1 row" not in stride[2]


def test_the_unseen_row_and_column_get_no_gradient():
    x = np.ones((1, 1, 7, 7), np.float32)
    dx, _, _ = pulled_back(x, np.ones((3, 3, 1, 1), np.float32), np.ones((1, 1, 2, 2), np.float32), stride=3)
    expected = np.zeros((7, 7))
    expected[:6, :6] = 1
    np.testing.assert_array_equal(dx[0, 0], expected)


@pytest.mark.parametrize(("k", "padding"), [(1, 0), (3, 1), (5, 2), (7, 3), (11, 5)])
def test_same_padding_for_odd_k_is_half_of_k_less_1(k, padding):
    assert resolve_padding("SAME", "SAME", (32,), (k,), (1,), (1,)) == ((padding, padding),)


def test_two_3x3x3_filters_on_a_6x6x3_image_give_4x4x2():
    assert only_row(Conv(2, 3, padding="VALID"), (6, 6, 3)).shape == (4, 4, 2)
    assert ops.conv(jnp.ones((1, 6, 6, 3)), jnp.ones((3, 3, 3, 2)), padding="VALID").shape == (1, 4, 4, 2)


@pytest.mark.parametrize("size", [3, 39, 1000])
def test_ten_3x3x3_filters_have_280_parameters_whatever_the_size(size):
    assert only_row(Conv(10, 3), (size, size, 3)).trainable == 280


def test_three_convs():
    rows = by_path(models.three_convs(10), (39, 39, 3))
    assert [rows[f"conv{i}"].shape for i in (1, 2, 3)] == [(37, 37, 10), (17, 17, 20), (7, 7, 40)]
    assert rows["flatten"].shape == (1960,)
    assert rows["head"].shape == (10,)


@pytest.mark.parametrize(("head", "classes"), [("softmax", 10), ("sigmoid", 1)])
def test_three_convs_with_a_softmax_or_logistic_head(head, classes, x64):
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.random((2, 39, 39, 3)))
    model = models.three_convs(classes)
    shapes, _ = jax.eval_shape(model.init, jax.random.key(0), jax.ShapeDtypeStruct(x.shape, x.dtype))
    params = jax.tree.map(lambda p: jnp.asarray(rng.normal(0, 0.05, p.shape)), shapes)
    logits, _ = model.apply(params, {}, x)
    y, _ = models.three_convs(classes, head=head).apply(params, {}, x)
    z = np.asarray(logits)
    expected = np.exp(z) / np.exp(z).sum(-1, keepdims=True) if head == "softmax" else 1 / (1 + np.exp(-z))
    np.testing.assert_allclose(y, expected, rtol=1e-12)


def test_conv_blocks():
    rows = by_path(models.conv_blocks(10), (224, 224, 3))
    assert (rows["conv1_1"].trainable, rows["conv1_1"].fixed) == (896, 0)
    assert (rows["conv1_2"].trainable, rows["conv1_2"].fixed) == (9248, 0)
    assert (rows["bn1"].trainable, rows["bn1"].fixed) == (64, 64)
    assert (rows["dropout1"].trainable, rows["dropout1"].fixed) == (0, 0)
    assert rows["conv1_2"].shape == (224, 224, 32)
    assert rows["pool1"].shape == (112, 112, 32)


@pytest.mark.parametrize("head", ["softmax", "sigmoid"])
def test_conv_blocks_end_in_a_dense_head_with(head):
    *_, dense, last = summary(models.conv_blocks(10, head=head), (224, 224, 3)).rows
    assert [(row.path, row.kind, row.shape) for row in (dense, last)] == [
        ("head", "Dense", (10,)),
        (head, "Activation", (10,)),
    ]


def test_a_filter_is_a_dot_product_of_75_terms_and_a_bias(x64):
    rng = np.random.default_rng(0)
    image, kernel, bias = rng.random((1, 32, 32, 3)), rng.standard_normal((5, 5, 3, 1)), rng.random(1)
    assert ops.flatten(image).shape == (1, 3072)
    assert only_row(Conv(1, 5), (32, 32, 3)).trainable == 75 + 1
    window = image[0, 4:9, 7:12].ravel()
    assert window.size == 75
    y = ops.conv(image, kernel, bias, padding="VALID")
    assert float(y[0, 4, 7, 0]) == pytest.approx(window @ kernel.ravel() + bias[0], rel=1e-13)


# Forward.


def test_the_cross_on_the_5x5_image():
    image = [[1, 1, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 1, 1], [0, 0, 1, 1, 0], [0, 1, 1, 0, 0]]
    kernel = [[1, 0, 1], [0, 1, 0], [1, 0, 1]]
    y = single(image, kernel, padding="VALID")
    np.testing.assert_array_equal(y, [[4, 3, 4], [2, 4, 3], [2, 3, 4]])


def test_two_filters_by_hand_by_a_loop_and_by_conv():
    diagonal = [[2, 1, 0, 0, 0], [1, 2, 1, 0, 0], [0, 1, 2, 1, 0], [0, 0, 1, 2, 1], [0, 0, 0, 1, 2]]
    frame = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 2, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    letter = [[2, 2, 2, 2, 0], [2, 0, 0, 0, 0], [2, 2, 1, 0, 0], [2, 0, 0, 0, 0], [2, 0, 0, 0, 1]]
    filter0 = [[[1, 0, 0], [0, 1, 0], [0, 0, 1]], [[0, -1, 0], [1, 0, 1], [0, -1, 0]], [[1, 0, -1]] * 3]
    filter1 = [[[0, 0, 1], [0, -1, 0], [1, 0, 0]], [[1] * 3, [0] * 3, [-1] * 3], [[0, 1, 0], [0, 1, -1], [0] * 3]]
    x = np.array([diagonal, frame, letter], np.float32).transpose(1, 2, 0)[None]
    kernel = np.array([filter0, filter1], np.float32).transpose(2, 3, 1, 0)
    bias = np.array([1, 0], np.float32)
    by_hand = [[[3, 3, 3], [-3, 9, -1], [1, 3, 5]], [[-3, 2, -1], [4, -1, 2], [5, 2, 0]]]

    y, _ = models.two_filters().apply({"conv": {"kernel": kernel, "bias": bias}}, {}, jnp.asarray(x))
    assert y.shape == (1, 3, 3, 2)
    np.testing.assert_array_equal(np.moveaxis(y[0], -1, 0), by_hand)
    loop = np.zeros((3, 3, 2))
    padded = np.pad(x[0], ((1, 1), (1, 1), (0, 0)))
    for p, q, o in np.ndindex(3, 3, 2):
        loop[p, q, o] = sum(padded[2 * p + h, 2 * q + w, i] * kernel[h, w, i, o] for h, w, i in np.ndindex(3, 3, 3))
        loop[p, q, o] += bias[o]
    np.testing.assert_array_equal(y[0], loop)
    np.testing.assert_array_equal(y, ops.conv(x, kernel, bias, stride=2, padding=1))


def test_convolution_proper_is_conv_with_the_kernel_flipped(x64):
    rng = np.random.default_rng(0)
    image, kernel = rng.standard_normal((6, 7)), rng.standard_normal((3, 2))
    for mode in ("valid", "full"):
        correlation, convolution = (f(image, kernel, mode) for f in (signal.correlate2d, signal.convolve2d))
        assert abs(correlation - convolution).max() > 1
        np.testing.assert_allclose(single(image, kernel, padding=mode.upper()), correlation, rtol=0, atol=1e-14)
        flipped = single(image, kernel[::-1, ::-1], padding=mode.upper())
        np.testing.assert_allclose(flipped, convolution, rtol=0, atol=1e-14)


# Backward.


def test_dw_written_out_is_a_sum_of_input_windows_times_dout(x64):
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((1, 3, 5, 5)), rng.standard_normal((1, 2, 2, 2))
    _, dkernel, _ = pulled_back(x, np.ones((3, 3, 3, 2)), dout, stride=2)
    dw = dkernel.transpose(3, 2, 0, 1)  # HWIO to (filter, channel, h, w)
    written_out = (
        x[0, 0, 0:3, 0:3] * dout[0, 0, 0, 0]
        + x[0, 0, 0:3, 2:5] * dout[0, 0, 0, 1]
        + x[0, 0, 2:5, 0:3] * dout[0, 0, 1, 0]
        + x[0, 0, 2:5, 2:5] * dout[0, 0, 1, 1]
    )
    np.testing.assert_allclose(dw[0, 0], written_out, rtol=0, atol=1e-14)


@pytest.mark.parametrize("stride", [1, 2])
def test_dw_db_and_dx_in_batches(stride, x64):
    rng = np.random.default_rng(stride)
    places = {1: 5, 2: 3}[stride]
    x, kernel = rng.standard_normal((2, 3, 7, 7)), rng.standard_normal((3, 3, 3, 4))
    dout = rng.standard_normal((2, 4, places, places))
    dx, dkernel, dbias = pulled_back(x, kernel, dout, stride)

    dw = np.zeros((4, 3, 3, 3))
    for n, o, i, p, q in np.ndindex(2, 4, 3, places, places):
        dw[o, i] += x[n, i, stride * p : stride * p + 3, stride * q : stride * q + 3] * dout[n, o, p, q]
    np.testing.assert_allclose(dkernel.transpose(3, 2, 0, 1), dw, rtol=0, atol=1e-13)
    np.testing.assert_allclose(dbias, dout.sum((0, 2, 3)), rtol=0, atol=1e-13)

    # Full convolution of δ: its full cross-correlation with the kernel turned by 180°. Stride 2 spreads δ with zeros.
    spread = np.zeros((2, 4, 5, 5))
    spread[:, :, ::stride, ::stride] = dout
    full = np.zeros(x.shape)
    for n, i, o in np.ndindex(2, 3, 4):
        full[n, i] += signal.correlate2d(spread[n, o], np.rot90(kernel[:, :, i, o], 2), mode="full")
    np.testing.assert_allclose(dx, full, rtol=0, atol=1e-13)


def pool_gradient(pool, x, dy):
    """dx of a pool with 2×2 windows on one image (h, w)."""
    pull = jax.vjp(lambda x: pool(x, 2), jnp.asarray(x, jnp.float32)[None, :, :, None])[1]
    (dx,) = pull(jnp.asarray(dy, jnp.float32)[None, :, :, None])
    return dx[0, :, :, 0]


def test_max_pools_gradient_lands_only_on_the_maximum():
    dx = pool_gradient(ops.max_pool, [[1, 5, 2, 2], [3, 4, 8, 0], [7, 7, 1, 2], [7, 0, 3, 4]], [[4, 8], [12, 16]])
    np.testing.assert_array_equal(dx, [[0, 4, 0, 0], [0, 0, 8, 0], [12, 0, 0, 0], [0, 0, 0, 16]])


def test_mean_pools_gradient_is_shared_evenly():
    dx = pool_gradient(ops.avg_pool, np.zeros((4, 4)), [[4, 8], [12, 16]])
    np.testing.assert_array_equal(dx, [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]])
