"""Single layers: parameters, options, errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers import (
    Activation,
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    Pad,
    PixelShuffle,
    PReLU,
    Resize,
)
from jaxcnn.layers.linear import INITIALIZERS, weights

KEY = jax.random.key(0)
IMAGES = jax.random.normal(jax.random.key(1), (4, 6, 5, 3))


def made(layer, x):
    return layer.init(KEY, ShapeDtypeStruct(x.shape, x.dtype))


def test_layers_are_values():
    assert Conv(8, padding=[[1, 1], [0, 2]]) == Conv(8, padding=((1, 1), (0, 2)))
    assert len({Conv(8), Conv(8, 3), Conv(8, 5), MaxPool(2), AvgPool(2)}) == 4
    assert repr(Conv(8, stride=2)) == "Conv(features=8, stride=2)"
    elu = Activation("elu", {"alpha": np.float64(2)})
    assert repr(elu) == "Activation(name='elu', options=(('alpha', 2.0),))"
    assert eval(repr(elu)) == elu and hash(elu) != hash(Activation("elu"))
    assert Activation("elu", {"alpha": 1.0}) == Activation("elu")


@pytest.mark.parametrize(
    "layer, operation",
    [
        (MaxPool(2, stride=1), lambda x: ops.max_pool(x, 2, stride=1)),
        (MaxPool((3, 2)), lambda x: ops.max_pool(x, (3, 2))),
        (AvgPool(3, padding=1), lambda x: ops.avg_pool(x, 3, padding=1)),
        (AvgPool(3, padding=1, count_padding=True), lambda x: ops.avg_pool(x, 3, padding=1, count_padding=True)),
        (
            MaxPool(2, stride=2, dilation=2, ceil_mode=True),
            lambda x: ops.max_pool(x, 2, stride=2, dilation=2, ceil_mode=True),
        ),
        (AvgPool(2, ceil_mode=True), lambda x: ops.avg_pool(x, 2, ceil_mode=True)),
        (AvgPool(2, dilation=2, divisor_override=3), lambda x: ops.avg_pool(x, 2, dilation=2, divisor_override=3)),
        (LpPool(2, dilation=2), lambda x: ops.lp_pool(x, 2, 2, dilation=2)),
        (Pad(((1, -1), (0, 2)), value=-1), lambda x: ops.pad(x, ((1, -1), (0, 2)), value=-1)),
        (LpPool(3, stride=2, padding=1, p=2), lambda x: ops.lp_pool(x, 2, 3, stride=2, padding=1)),
        (AdaptiveAvgPool((4, 2)), lambda x: ops.adaptive_avg_pool(x, (4, 2))),
        (AdaptiveMaxPool(3), lambda x: ops.adaptive_max_pool(x, 3)),
        (Resize(2), lambda x: ops.resize_nearest(x, (12, 10))),
        (Resize(0.5, method="bilinear"), lambda x: ops.resize_bilinear(x, (3, 2))),
        (
            Resize(sizes=(4, 9), method="bilinear", align_corners=True),
            lambda x: ops.resize_bilinear(x, (4, 9), align_corners=True),
        ),
        (
            Resize(1.5, method="bicubic", antialias=True),
            lambda x: ops.resize_bicubic(x, (9, 7), antialias=True),
        ),
        (PixelShuffle((3, 1)), lambda x: ops.pixel_shuffle(x, (3, 1))),
        (GlobalAvgPool(), ops.global_avg_pool),
        (GlobalMaxPool(), ops.global_max_pool),
        (Flatten(), ops.flatten),
        (Activation("gelu"), ops.gelu),
        (Activation("softmax"), ops.softmax),
        (Activation("leaky_relu", {"slope": 0.2}), lambda x: ops.leaky_relu(x, slope=0.2)),
    ],
    ids=lambda v: repr(v) if hasattr(v, "apply") else "",
)
def test_a_layer_without_parameters_is_its_operation(layer, operation):
    assert made(layer, IMAGES) == ({}, {})
    y, state = layer.apply({}, {}, IMAGES, train=True)
    np.testing.assert_array_equal(y, operation(IMAGES))
    assert state == {}


def test_conv_passes_every_option_on():
    layer = Conv(6, (3, 2), stride=2, padding=((1, 0), (0, 1)), dilation=(1, 2), groups=3)
    params, state = made(layer, IMAGES)
    assert params["kernel"].shape == (3, 2, 1, 6)
    assert params["bias"].shape == (6,)
    y, _ = layer.apply(params, state, IMAGES)
    expected = ops.conv(
        IMAGES, params["kernel"], params["bias"], stride=2, padding=((1, 0), (0, 1)), dilation=(1, 2), groups=3
    )
    np.testing.assert_array_equal(y, expected)


def test_conv_takes_its_spatial_axes_from_the_input():
    for spatial in [(7,), (7, 6), (7, 6, 5)]:
        params, _ = made(Conv(4, 3), jnp.zeros((1, *spatial, 2)))
        assert params["kernel"].shape == (*(3,) * len(spatial), 2, 4)


@pytest.mark.parametrize(
    "initializer, variance",
    [
        ("he_normal", 2 / 800),
        ("he_uniform", 2 / 800),
        ("glorot_normal", 2 / (800 + 1600)),
        ("glorot_uniform", 2 / (800 + 1600)),
        ("lecun_normal", 1 / 800),
    ],
)
def test_initial_variance(initializer, variance):
    params, _ = made(Conv(64, 5, initializer=initializer), jnp.zeros((1, 8, 8, 32)))
    assert np.var(params["kernel"]) == pytest.approx(variance, rel=0.03)
    assert not params["bias"].any()


@pytest.mark.parametrize("initializer", INITIALIZERS[:-1])
@pytest.mark.parametrize("shape", [(3, 2, 5, 7), (11, 6), (2, 3, 2, 1, 4)])
def test_initial_weights_are_those_of_jax(initializer, shape):
    expected = getattr(jax.nn.initializers, initializer)()(KEY, shape, jnp.float32)
    np.testing.assert_array_equal(weights(initializer, KEY, shape, jnp.dtype("float32")), expected)


def test_use_bias_false_has_no_bias():
    assert set(made(Conv(4, use_bias=False), IMAGES)[0]) == {"kernel"}
    assert set(made(Dense(4, use_bias=False), jnp.zeros((2, 3)))[0]) == {"kernel"}


def test_parameters_have_the_inputs_dtype(x64):
    made = Conv(4).init(KEY, ShapeDtypeStruct((1, 5, 5, 3), jnp.float64))
    assert {p.dtype for p in jax.tree.leaves(made)} == {jnp.dtype(jnp.float64)}


def test_batch_norm_keeps_running_statistics():
    layer = BatchNorm(momentum=0.75)
    params, state = made(layer, IMAGES)
    _, new = layer.apply(params, state, IMAGES, train=True)
    x = np.asarray(IMAGES).reshape(-1, 3)
    np.testing.assert_allclose(new["mean"], 0.25 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(new["var"], 0.75 + 0.25 * x.var(0), rtol=1e-5)
    y, kept = layer.apply(params, new, IMAGES, train=False)
    np.testing.assert_allclose(y, (IMAGES - new["mean"]) / np.sqrt(new["var"] + 1e-5), rtol=1e-5, atol=1e-6)
    assert kept is new


def test_batch_norm_without_momentum_averages_all_batches():
    layer = BatchNorm(momentum=None)
    params, state = made(layer, IMAGES)
    batches = [IMAGES, 2 * IMAGES + 1, IMAGES[:2] - 3]
    for batch in batches:
        _, state = layer.apply(params, state, batch, train=True)
    rows = [np.asarray(batch).reshape(-1, 3) for batch in batches]
    np.testing.assert_allclose(state["mean"], np.mean([x.mean(0) for x in rows], 0), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(state["var"], np.mean([x.var(0) for x in rows], 0), rtol=1e-5)
    assert state["count"] == 3
    assert layer.apply(params, state, IMAGES)[1] is state


def test_batch_norm_by_an_axis_name_keeps_the_statistics_of_the_whole_batch():
    whole, spread = BatchNorm(0.5), BatchNorm(0.5, axis_name="lanes")
    params, state = made(spread, IMAGES)
    train = jax.vmap(lambda x: spread.apply(params, state, x, train=True), axis_name="lanes")
    y, new = train(IMAGES.reshape(2, 2, 6, 5, 3))
    expected, kept = whole.apply(params, state, IMAGES, train=True)
    np.testing.assert_allclose(y.reshape(IMAGES.shape), expected, rtol=1e-4, atol=1e-5)
    for name, value in kept.items():
        np.testing.assert_allclose(new[name], np.broadcast_to(value, (2, 3)), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match="batch_norm: axis_name is 'lanes', and no axis has this name here"):
        spread.apply(params, state, IMAGES, train=True)


def test_batch_norm_of_bfloat16_keeps_its_state_in_float32():
    """The state's types must not change, or lax.scan can't carry it."""
    layer = BatchNorm()
    params, state = layer.init(KEY, ShapeDtypeStruct(IMAGES.shape, jnp.bfloat16))
    y, new = jax.eval_shape(
        lambda p, s, x: layer.apply(p, s, x, train=True), params, state, IMAGES.astype(jnp.bfloat16)
    )
    assert y.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in (*state.values(), *new.values())} == {jnp.dtype(jnp.float32)}


def test_batch_norm_of_wider_images_keeps_the_dtype_of_its_state(x64):
    layer = BatchNorm()
    params, state = layer.init(KEY, ShapeDtypeStruct(IMAGES.shape, jnp.float32))
    _, new = jax.eval_shape(lambda x: layer.apply(params, state, x, train=True), IMAGES.astype(jnp.float64))
    assert {leaf.dtype for leaf in new.values()} == {jnp.dtype(jnp.float32)}


def test_prelu_learns_a_slope_for_each_channel():
    params, _ = made(PReLU(0.5), IMAGES)
    np.testing.assert_array_equal(params["slope"], [0.5] * 3)
    y = PReLU()({"slope": jnp.array([0.0, 0.5, 2.0])}, IMAGES)
    np.testing.assert_allclose(y, np.where(IMAGES > 0, IMAGES, IMAGES * np.array([0, 0.5, 2])), rtol=1e-6)


def test_an_empty_batch_goes_through():
    for layer in (Flatten(), GlobalAvgPool(), GlobalMaxPool(), MaxPool(2), Activation("softmax")):
        empty, one = layer.apply({}, {}, IMAGES[:0])[0], layer.apply({}, {}, IMAGES[:1])[0]
        assert empty.shape == (0, *one.shape[1:])


def test_dropout_drops_only_in_training():
    layer = Dropout(0.5)
    y, _ = layer.apply({}, {}, IMAGES, train=True, key=KEY)
    assert set(np.unique(y == 0)) == {True, False}
    assert layer.apply({}, {}, IMAGES)[0] is IMAGES
    with pytest.raises(ValueError, match=r"Dropout: key is None in training; pass one"):
        layer.apply({}, {}, IMAGES, train=True)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Activation("rleu"), r"Activation: name is 'rleu'. Did you mean 'relu'\?"),
        (lambda: Activation("elu", {"slope": 2}), r"Activation: options is \{'slope': 2\}; expected a dict of 'alpha'"),
        (lambda: Activation("elu", 2), r"Activation: options is 2; expected a dict of 'alpha'"),
        (lambda: Activation("relu", {"slope": 2}), r"expected none: relu takes no options"),
        (lambda: PReLU("0.25"), r"PReLU: slope is '0.25'; expected a number"),
        (lambda: Conv(8, initializer="he"), r"Conv: initializer is 'he'; .*'he_normal'"),
        (lambda: Conv(0), r"Conv: features is 0; expected positive ints"),
        (lambda: Dense(-1), r"Dense: features is -1; expected positive ints"),
        (lambda: Dropout(1.0), r"Dropout: rate is 1.0; expected 0 or more and less than 1"),
        (lambda: Dropout(-0.1), r"Dropout: rate is -0.1"),
        (lambda: BatchNorm(momentum=1.0), r"BatchNorm: momentum is 1.0; .*\(PyTorch's momentum=0.1 is 0.9 here"),
        (lambda: made(Conv(8), jnp.zeros((2, 3))), r"Conv: the input has shape \(2, 3\); expected \(n, \*spatial"),
        (lambda: made(Conv(8, groups=2), IMAGES), r"Conv: groups is 2; .* divides the 3 channels of the input"),
        (lambda: Resize(), r"Resize: scale is None and sizes is None; give one of them"),
        (lambda: Resize(2, sizes=4), r"Resize: scale is 2 and sizes is 4"),
        (lambda: Resize(0), r"Resize: scale is 0; expected a positive number"),
        (lambda: Resize(2, method="linear"), r"Resize: method is 'linear'"),
        (lambda: Resize(2, antialias=True), r"Resize: antialias is True; .*\"bicubic\""),
        (lambda: Resize(2, align_corners=True), r"Resize: align_corners is True; .*\"bilinear\""),
        (lambda: Resize(0.1).apply({}, {}, IMAGES), r"Resize: scale 0.1 leaves nothing of sizes \(6, 5\)"),
        (lambda: Dropout(None), r"Dropout: rate is None"),
        (lambda: BatchNorm("0.9"), r"BatchNorm: momentum is '0.9'"),
        (lambda: Conv(8).init(KEY, (1, 8, 8, 3)), r"init: x is \(1, 8, 8, 3\); expected .*ShapeDtypeStruct"),
        (lambda: made(Dense(8), np.zeros((1, 8), np.uint8)), r"init: x has dtype uint8; .*jnp.float32"),
        (lambda: made(Conv(8, (3, 3, 3)), IMAGES), r"Conv: size is \(3, 3, 3\), 3 values for 2 spatial axes"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
