"""Layers as users of other libraries write and call them: names, calls, and numbers that are not Python's."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import layers, ops
from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, chain, concat, residual

KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (2, 4, 4, 3))
NET = chain(Conv(4), BatchNorm(), Activation("relu"), residual(Conv(4)), Conv(2), Flatten(), head=Dense(5))


def test_a_layer_without_a_name_gets_its_kind_and_number():
    names = ["Conv_0", "BatchNorm_0", "Activation_0", "residual_0", "Conv_1", "Flatten_0", "head"]
    assert [name for name, _ in NET.parts] == names
    assert eval(repr(NET), vars(layers)) == NET
    branches = concat(Conv(2), chain(), concat(Dense(3)), chain(), layers.gated(Conv(2)))
    assert [name for name, _ in branches.parts] == ["Conv_0", "chain_0", "concat_0", "chain_1", "gated_0"]


def test_a_layer_of_another_kind_renames_none():
    before, _ = chain(Conv(3), Conv(3)).init(KEY, X)
    after, _ = chain(Conv(3), Activation("relu"), BatchNorm(), Conv(3)).init(KEY, X)
    for name, params in before.items():
        np.testing.assert_array_equal(params["kernel"], after[name]["kernel"])


def test_calling_a_network_is_y_in_evaluation():
    params, state = NET.init(KEY, X)
    state = jax.tree.map(lambda a: a + 0.5, state)
    y = NET.apply(params, state, X)[0]
    np.testing.assert_array_equal(NET(params, state, X), y)
    np.testing.assert_allclose(jax.jit(NET)(params, state, X), y, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(NET.apply(params=params, state=state, x=X)[0], y)
    stateless = Conv(4)
    params, _ = stateless.init(KEY, X)
    np.testing.assert_array_equal(stateless(params, X), stateless.apply(params, {}, X)[0])


PARAMS, STATE = jax.eval_shape(NET.init, KEY, X)
KERNEL = jnp.ones((3, 3, 3, 4))


@pytest.mark.parametrize(
    "call, seen",
    [
        (lambda: NET(X), r"^Chain: called with \(float32\[2,4,4,3\]\)"),
        (lambda: Conv(4)(X), r"^Conv: called with \(float32\[2,4,4,3\]\)"),
        (lambda: NET(), r"^Chain: called with \(\)"),
        (lambda: NET(PARAMS, STATE, X, train=True), r"a dict, a dict, float32\[2,4,4,3\], train=True\)"),
        (lambda: NET.apply(PARAMS, X), r"^Chain.apply: called with \(a dict, float32\[2,4,4,3\]\)"),
        (lambda: NET.apply((PARAMS, STATE), X), r"\(a tuple, float32"),
        (lambda: NET.apply(PARAMS, X, STATE), r"\(a dict, float32\[2,4,4,3\], a dict\)"),
        (lambda: NET.apply(PARAMS, None, X), r"\(a dict, None, float32"),
        (lambda: NET.apply(PARAMS, STATE, KEY, X), r"\(a dict, a dict, key<fry>\[\], float32"),
        (lambda: NET.apply(PARAMS, STATE, X, training=True), r"float32\[2,4,4,3\], training=True\)"),
        (lambda: Dropout(0.5).apply({}, X, train=True), r"^Dropout.apply: called with \(a dict, .*train=True\)"),
    ],
)
def test_a_wrong_call_is_told_what_to_write(call, seen):
    with pytest.raises(TypeError, match=seen) as error:
        call()
    assert "params, state = net.init(jax.random.key(0), x)" in str(error.value)
    assert "y, state = net.apply(params, state, x)" in str(error.value)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: jax.eval_shape(NET, PARAMS, X),
            ValueError,
            "layer 'BatchNorm_0': params or state lacks 'mean'; both must",
        ),
        (lambda: Conv(4)({}, X), ValueError, "^params or state lacks 'kernel'"),
        (lambda: Conv(4)({"kernel": KERNEL}, X), ValueError, "^params or state lacks 'bias'; both must come from"),
        (lambda: Dense(4)({"kernel": KERNEL[0, 0]}, X), ValueError, "^params or state lacks 'bias'"),
        (
            lambda: chain(c=Conv(4, use_bias=False))({"c": {"kernel": KERNEL, "bias": KERNEL[0, 0, 0]}}, X),
            ValueError,
            "^layer 'c': params has 'bias', but this layer takes 'kernel'; both params and state must come from",
        ),
        (lambda: NET.init(0, X), ValueError, r"layer 'Conv_0': key is 0; expected one random key, such as jax.random"),
        (lambda: NET.init(X, KEY), ValueError, r"init: x has dtype key<fry>; describe what the network takes"),
        (
            lambda: chain([Conv(4), Dense(2)]),
            TypeError,
            r"chain: argument 0 is \[.*Conv\(32\).* Write chain\(\*layers",
        ),
        (lambda: chain(Conv(4), jnp.tanh), TypeError, r"chain: argument 1 is .*; expected a layer, such as"),
        (lambda: concat(Conv), TypeError, r"concat: argument 0 is <class .*; expected a layer"),
        (lambda: chain(Conv(4), Conv_0=Conv(2)), ValueError, "chain: 'Conv_0' is also the name of a layer"),
    ],
)
def test_mistakes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


WORDS = [  # of Keras, Flax and PyTorch
    (
        lambda: Conv(4, strides=2),
        "Conv: unknown argument 'strides'. Did you mean 'stride'? It takes features",
    ),
    (lambda: Conv(4, kernel_size=3), "Conv: unknown argument 'kernel_size'. Did you mean 'size'? It takes features"),
    (lambda: Conv(4, activation="relu"), "Conv: unknown argument 'activation'. It takes features, size, stride"),
    (lambda: Dense(units=4), "Dense: unknown argument 'units'. It takes features, use_bias, initializer."),
    (lambda: Dense(4, bias=False), "Dense: unknown argument 'bias'. Did you mean 'use_bias'? It takes"),
    (lambda: layers.MaxPool(pool_size=2), "MaxPool: unknown argument 'pool_size'. Did you mean 'size'? It takes size,"),
    (lambda: BatchNorm(eps=1e-3), "BatchNorm: unknown argument 'eps'. Did you mean 'epsilon'? It takes momentum"),
    (lambda: Dropout(p=0.5), "Dropout: unknown argument 'p'. It takes rate."),
    (lambda: layers.SpatialDropout(p=0.5), "SpatialDropout: unknown argument 'p'. It takes rate."),
    (lambda: replace(Conv(4), strides=2), "Conv: unknown argument 'strides'. Did you mean 'stride'?"),
    (
        lambda: ops.conv(X, X, strides=2),
        "conv: unknown argument 'strides'. Did you mean 'stride'? It takes x, kernel,",
    ),
    (
        lambda: ops.max_pool(pool_size=2),
        "max_pool: unknown argument 'pool_size'. Did you mean 'size'? It takes x",
    ),
    (lambda: ops.softmax(X, dim=1), "softmax: unknown argument 'dim'. It takes x, axis."),
    (lambda: layers.summary(NET, input_size=3), "summary: unknown argument 'input_size'. Did you mean 'input_shape'?"),
]


@pytest.mark.parametrize("make, message", WORDS, ids=[message.split(".")[0] for _, message in WORDS])
def test_the_words_of_other_libraries_are_answered_with_ours(make, message):
    with pytest.raises(TypeError) as error:
        make()
    assert str(error.value).startswith(message)


@pytest.mark.parametrize("home", [ops, layers], ids=["ops", "layers"])
def test_everything_public_says_what_it_takes(home):
    takes_all = {
        "Backprop",
        "Int8",
        "Layer",
        "Params",
        "Rule",
        "State",
        "Summary",
        "backward",
        "chain",
        "concat",
        "override_backward",
        "rule",
    }
    for name in set(home.__all__) - takes_all:
        if callable(getattr(home, name)):
            with pytest.raises(TypeError, match=f"^{name}: unknown argument 'nonesuch'. It takes "):
                getattr(home, name)(nonesuch=1)


def test_other_mistakes_in_a_call_are_pythons():
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'features'"):
        Conv()
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'kernel'"):
        ops.conv(X)


@pytest.mark.parametrize(
    "given, plain",
    [
        (Conv(np.int64(8), jnp.array([3, 3]), np.array([2, 2])), Conv(8, (3, 3), (2, 2))),
        (Conv(8, (np.int32(3), jnp.int32(3)), use_bias=np.True_), Conv(8, (3, 3))),
        (Conv(8, padding=np.array([[1, 1], [0, 2]]), groups=jnp.int32(1)), Conv(8, padding=((1, 1), (0, 2)))),
        (Dropout(jnp.float32(0.5)), Dropout(0.5)),
        (Dropout(jnp.bfloat16(0.5)), Dropout(0.5)),
        (BatchNorm(np.float32(0.75), np.array(0.125)), BatchNorm(0.75, 0.125)),
        (layers.MaxPool(np.array(2), jnp.array([1, 2])), layers.MaxPool(2, (1, 2))),
        (layers.Resize(np.float16(0.5)), layers.Resize(0.5)),
        (layers.squeeze_excite(jnp.int32(8), np.int64(2)), layers.squeeze_excite(8, 2)),
    ],
    ids=lambda layer: repr(layer),
)
def test_a_layer_keeps_numbers_of_pythons(given, plain):
    assert given == plain and hash(given) == hash(plain) and repr(given) == repr(plain)
