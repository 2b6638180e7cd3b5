"""gated, squeeze and excitation, and the layers that drop whole channels and examples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

from jaxcnn import ops
from jaxcnn.layers import (
    Activation,
    Conv,
    Dense,
    GlobalAvgPool,
    SpatialDropout,
    StochasticDepth,
    chain,
    gated,
    residual,
    squeeze_excite,
    summary,
)

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (3, 4, 5, 8))


def made(layer, x=X):
    return layer.init(KEY, ShapeDtypeStruct(x.shape, x.dtype))


def test_a_gate_of_the_bodys_shape_multiplies_entry_by_entry():
    """A gated linear unit, as in WaveNet: tanh(V x) σ(W x)."""
    net = gated(chain(conv=Conv(2), sigmoid=Activation("sigmoid")), chain(conv=Conv(2), tanh=Activation("tanh")))
    params, _ = made(net)
    y, _ = net.apply(params, {}, X)
    body, gate = (
        ops.conv(X, params[name]["conv"]["kernel"], params[name]["conv"]["bias"]) for name in ("body", "gate")
    )
    np.testing.assert_allclose(y, jnp.tanh(body) * jax.nn.sigmoid(gate), rtol=1e-6)


def test_squeeze_excite_multiplies_each_channel_by_what_the_whole_image_says():
    net = squeeze_excite(8, reduction=4)
    params, _ = made(net)
    gate = params["gate"]
    assert {name: p["kernel"].shape for name, p in gate.items()} == {"reduce": (8, 2), "expand": (2, 8)}
    hidden = np.maximum(np.asarray(X).mean((1, 2)) @ gate["reduce"]["kernel"] + gate["reduce"]["bias"], 0)
    factors = 1 / (1 + np.exp(-(hidden @ gate["expand"]["kernel"] + gate["expand"]["bias"])))
    np.testing.assert_allclose(net.apply(params, {}, X)[0], np.asarray(X) * factors[:, None, None], rtol=1e-5)


def test_squeeze_excite_in_the_summary():
    *parts, joined = summary(chain(se=squeeze_excite(8, reduction=16)), (4, 5, 8)).rows
    assert [row.path for row in parts] == [f"se/gate/{n}" for n in ("squeeze", "reduce", "relu", "expand", "sigmoid")]
    assert (joined.path, joined.kind, joined.shape, str(joined.field)) == ("se", "multiply", (4, 5, 8), "all")
    assert sum(row.trainable for row in parts) == (8 + 1) + (1 + 1) * 8  # 8 // 16 units would be none: 1


def test_gated_prints_as_it_is_written():
    net = gated(chain(mean=GlobalAvgPool(), head=Dense(8)))
    assert repr(net) == "gated(body=chain(), gate=chain(mean=GlobalAvgPool(), head=Dense(features=8)))"
    assert eval(repr(net)) == net
    assert net != residual(net.parts[1][1])


@pytest.mark.parametrize("gate", [chain(mean=GlobalAvgPool(), head=Dense(3)), Conv(1, 1), Conv(8, stride=2)])
def test_a_gate_that_does_not_fit_is_refused(gate):
    with pytest.raises(ValueError, match=r"layer 'g': the gate ends in \(3, .* the body in \(3, 4, 5, 8\)"):
        made(chain(g=gated(gate), after=Conv(2)))


@pytest.mark.parametrize(
    ("layer", "operation"), [(SpatialDropout(0.5), ops.spatial_dropout), (StochasticDepth(0.5), ops.stochastic_depth)]
)
def test_whole_channels_and_whole_examples_are_dropped_only_in_training(layer, operation):
    assert made(layer) == ({}, {})
    y, _ = layer.apply({}, {}, X, train=True, key=KEY)
    np.testing.assert_array_equal(y, operation(X, KEY, rate=0.5))
    assert layer.apply({}, {}, X)[0] is X
    kind = type(layer).__name__
    with pytest.raises(ValueError, match=f"{kind}: key is None in training; pass one"):
        layer.apply({}, {}, X, train=True)
    with pytest.raises(ValueError, match=f"{kind}: rate is 1; expected 0 or more and less than 1"):
        type(layer)(1)
    (row,) = summary(chain(drop=layer), (4, 5, 8)).rows
    assert (row.kind, row.shape, row.trainable) == (kind, (4, 5, 8), 0)


def test_stochastic_depth_leaves_the_shortcut():
    """Of a residual block each example has the shortcut alone, or the body at 1 / (1 - rate)."""
    net = residual(chain(conv=Conv(8), drop=StochasticDepth(0.5)))
    x = jnp.concatenate([X] * 8)
    params, _ = made(net)
    y, _ = net.apply(params, {}, x, train=True, key=KEY)
    body = 2 * net.parts[0][1].apply(params["body"], {}, x)[0]
    dropped = np.array([np.array_equal(a, b) for a, b in zip(y, x, strict=True)])
    assert set(dropped) == {True, False}
    np.testing.assert_allclose(y[~dropped], (x + body)[~dropped], rtol=1e-5, atol=1e-5)
