"""Transposed, depthwise and separable convolution, causal padding, and the padding layer."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers import (
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    GlobalAvgPool,
    Pad,
    WeightStandardizedConv,
    chain,
    separable_conv,
    summary,
)

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (2, 5, 4, 6))


def made(layer, x=X):
    return layer.init(KEY, ShapeDtypeStruct(x.shape, x.dtype))


def test_conv_transpose_passes_every_option_on():
    layer = ConvTranspose(4, (3, 2), stride=2, padding=1, output_padding=(1, 0), dilation=(1, 2), groups=2)
    params, state = made(layer)
    assert {name: p.shape for name, p in params.items()} == {"kernel": (3, 2, 2, 6), "bias": (4,)}
    expected = ops.conv_transpose(
        X, params["kernel"], params["bias"], stride=2, padding=1, output_padding=(1, 0), dilation=(1, 2), groups=2
    )
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], expected)
    assert set(made(ConvTranspose(4, use_bias=False))[0]) == {"kernel"}


@pytest.mark.parametrize("groups", [1, 2])
def test_the_kernel_of_conv_transpose_is_drawn_for_its_own_fan_in(groups):
    """Each output sums over 5 · 5 · 32 / groups inputs, if the stride is 1."""
    kernel = made(ConvTranspose(64, 5, groups=groups), jnp.zeros((1, 8, 8, 32)))[0]["kernel"]
    assert kernel.shape == (5, 5, 64 // groups, 32)
    assert np.var(kernel) == pytest.approx(2 / (25 * 32 / groups), rel=0.03)


def test_conv_transpose_in_the_summary():
    net = chain(down=Conv(8, 3, stride=2), up=ConvTranspose(3, 4, stride=2), last=Conv(1, 3))
    down, up, last = summary(net, (8, 6, 2)).rows
    assert up.shape == (8, 6, 3)
    assert up.trainable == 4 * 4 * 3 * 8 + 3
    assert up.multiply_adds == 4 * 3 * 8 * 16 * 3  # every input meets every tap
    # A window of 4 in steps of 2 joins two neighbours, 2 positions apart: 3 + 2. Then neighbours are 1 apart: 5 + 2.
    assert [str(row.field) for row in (down, up, last)] == ["3×3", "5×5", "7×7"]


def test_the_field_of_an_enlarged_image_is_counted_in_the_input():
    """After one enlargement by 2, a window of 3 spans 1 to 2 input positions: what jax.grad finds is no more."""
    net = chain(up=ConvTranspose(1, 2, stride=2), conv=Conv(1, 3))
    *_, row = summary(net, (8, 1)).rows
    params, _ = made(net, jnp.zeros((1, 8, 1)))
    x = jnp.ones((1, 8, 1))
    seen = jax.jacobian(lambda x: net.apply(params, {}, x)[0].ravel())(x).reshape(16, 8) != 0
    assert int(seen.sum(1).max()) == row.field.size[0] == 2


def test_depthwise_conv_is_conv_with_a_group_for_each_channel():
    layer = DepthwiseConv(3, stride=2, padding="VALID", multiplier=2)
    params, state = made(layer)
    assert {name: p.shape for name, p in params.items()} == {"kernel": (3, 3, 1, 12), "bias": (12,)}
    expected = ops.conv(X, params["kernel"], params["bias"], stride=2, padding="VALID", groups=6)
    np.testing.assert_array_equal(layer.apply(params, state, X)[0], expected)
    (row,) = summary(chain(conv=layer), (5, 4, 6)).rows
    assert (row.kind, row.shape, row.trainable) == ("DepthwiseConv", (2, 1, 12), 120)
    assert row.multiply_adds == 2 * 1 * 12 * 9
    assert row.unseen == (0, 1)


def test_separable_conv_is_depthwise_then_1x1():
    net = separable_conv(8, (3, 2), stride=2, multiplier=2)
    params, state = made(net)
    assert {name: set(p) for name, p in params.items()} == {"depthwise": {"kernel"}, "pointwise": {"kernel", "bias"}}
    between = ops.conv(X, params["depthwise"]["kernel"], stride=2, groups=6)
    expected = ops.conv(between, params["pointwise"]["kernel"], params["pointwise"]["bias"])
    np.testing.assert_array_equal(net.apply(params, state, X)[0], expected)


def test_separable_conv_takes_this_share_of_the_multiply_adds():
    whole = summary(chain(conv=Conv(64, 3)), (8, 8, 32)).multiply_adds
    assert summary(separable_conv(64, 3), (8, 8, 32)).multiply_adds == pytest.approx(whole * (1 / 64 + 1 / 9))


def test_a_separable_kernel_is_one_convolution():
    """A convolution whose kernel is window times mixing equals the two of them."""
    net = separable_conv(5, 3, use_bias=False)
    params, state = made(net)
    window, mixing = params["depthwise"]["kernel"][:, :, 0], params["pointwise"]["kernel"][0, 0]
    kernel = window[..., :, None] * mixing
    np.testing.assert_allclose(net.apply(params, state, X)[0], ops.conv(X, kernel), atol=1e-5)


def test_causal_conv_sees_nothing_later():
    layer = Conv(3, 3, padding="CAUSAL", dilation=2)
    x = X[:, :, 0]
    params, state = made(layer, x)
    y, changed = (layer.apply(params, state, a)[0] for a in (x, x.at[:, 3:].add(1)))
    assert y.shape == (2, 5, 3)
    np.testing.assert_array_equal(y[:, :3], changed[:, :3])
    assert (y[:, 3:] != changed[:, 3:]).any((0, 2)).all()


@pytest.mark.parametrize(
    "mode, of_numpy", [("reflect", "reflect"), ("replicate", "edge"), ("circular", "wrap"), ("symmetric", "symmetric")]
)
@pytest.mark.parametrize(
    "layer, pads",
    [
        (Conv(3, (4, 2)), [(1, 2), (0, 1)]),  # "SAME" of even windows pads one more behind
        (Conv(3, 3, stride=2), [(1, 1), (0, 1)]),
        (WeightStandardizedConv(3, 3, padding=((2, 1), (0, 3)), dilation=(2, 1)), [(2, 1), (0, 3)]),
        (DepthwiseConv(3, padding=2, stride=3), [(2, 2), (2, 2)]),
    ],
    ids=lambda v: type(v).__name__ if isinstance(v, Conv | DepthwiseConv) else "",
)
def test_padding_mode_is_what_numpy_pads(layer, pads, mode, of_numpy):
    params, _ = made(layer)
    padded = np.pad(X, [(0, 0), *pads, (0, 0)], mode=of_numpy)
    expected = replace(layer, padding="VALID")(params, padded)
    np.testing.assert_allclose(replace(layer, padding_mode=mode)(params, X), expected, rtol=1e-5, atol=1e-5)


def test_causal_padding_may_show_the_end():
    layer = Conv(3, 3, padding="CAUSAL", dilation=2, padding_mode="circular")
    x = X[:, :, 0]
    params, _ = made(layer, x)
    np.testing.assert_allclose(layer(params, x)[:, 0], layer(params, jnp.roll(x, -1, 1))[:, -1], rtol=1e-5, atol=1e-5)


def test_separable_conv_pads_alike():
    net = separable_conv(4, padding_mode="reflect")
    params, _ = made(net)
    padded = np.pad(X, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    np.testing.assert_allclose(net(params, X), separable_conv(4, padding="VALID")(params, padded), atol=1e-5)


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect"])
def test_what_padding_shows_is_seen(mode):
    """Against what jax.grad finds."""
    layer = Conv(1, 2, stride=3, padding=2, padding_mode=mode)
    params, _ = made(layer, jnp.ones((1, 7, 1)))
    dx = jax.grad(lambda x: layer(params, x).sum())(jnp.ones((1, 7, 1)))
    (row,) = summary(chain(conv=layer), (7, 1)).rows
    assert row.unseen == (int((dx == 0).sum()),)


def test_pad_is_its_operation():
    layer = Pad([[1, 2], [0, 1]], "reflect")
    assert made(layer) == ({}, {})
    np.testing.assert_array_equal(layer.apply({}, {}, X)[0], ops.pad(X, ((1, 2), (0, 1)), mode="reflect"))
    row, _ = summary(chain(pad=Pad(2), mean=GlobalAvgPool()), (5, 4, 6)).rows
    assert (row.kind, row.shape, row.trainable, str(row.field)) == ("Pad", (9, 8, 6), 0, "1×1")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: ConvTranspose(0), r"ConvTranspose: features is 0; expected positive ints"),
        (lambda: ConvTranspose(3, groups=2), r"ConvTranspose: groups is 2; .* divides the 3 channels of the output"),
        (lambda: ConvTranspose(4, initializer="he"), r"ConvTranspose: initializer is 'he'"),
        (
            lambda: made(ConvTranspose(4, groups=4)),
            r"ConvTranspose: groups is 4; .* divides the 6 channels of the input",
        ),
        (lambda: made(ConvTranspose(4), X[:, 0, 0]), r"ConvTranspose: the input has shape \(2, 6\)"),
        (lambda: DepthwiseConv(multiplier=0), r"DepthwiseConv: multiplier is 0"),
        (lambda: made(DepthwiseConv(), X[:, 0, 0]), r"Conv: the input has shape \(2, 6\)"),
        (lambda: Conv(4, padding_mode="reflct"), r"Conv: padding_mode is 'reflct'. Did you mean 'reflect'"),
        (lambda: DepthwiseConv(padding_mode="wrap"), r"DepthwiseConv: padding_mode is 'wrap'; expected one of 'zeros'"),
        (
            lambda: Conv(4, padding="CIRCULAR"),
            r"Conv: padding is 'CIRCULAR'; .*padding=\"SAME\", padding_mode='circular'",
        ),
        (
            lambda: ConvTranspose(4, padding_mode="reflect"),
            r"ConvTranspose: padding_mode is 'reflect'; only 'zeros' .* put Pad\(1, 'reflect'\) before it",
        ),
        (lambda: made(chain(conv=Conv(4, 11, padding_mode="reflect"))), r"layer 'conv': pad: padding \(5, 5\)"),
        (lambda: made(chain(pad=Pad(5, "reflect"), head=Dense(2))), r"layer 'pad': pad: padding \(5, 5\)"),
    ],
)
def test_bad_options_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
