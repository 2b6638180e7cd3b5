"""chain, residual and concat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

from jaxcnn.layers import Activation, BatchNorm, Conv, Dense, Dropout, Flatten, Layer, MaxPool, chain, concat, residual

KEY = jax.random.key(0)


class NoDataclass(Layer):
    def apply(self, params, state, x, *, train=False, key=None):
        return x, {}


X = jax.random.normal(jax.random.key(1), (2, 4, 4, 3))


def made(layer, x=X, key=KEY):
    return layer.init(key, ShapeDtypeStruct(x.shape, x.dtype))


def test_chain_names_its_parts_and_leaves_out_the_empty_ones():
    net = chain(conv=Conv(4), bn=BatchNorm(), relu=Activation("relu"), flatten=Flatten(), head=Dense(5))
    params, state = made(net)
    assert {k: set(v) for k, v in params.items()} == {
        "conv": {"kernel", "bias"},
        "bn": {"scale", "bias"},
        "head": {"kernel", "bias"},
    }
    assert {k: set(v) for k, v in state.items()} == {"bn": {"mean", "var"}}
    y, new = net.apply(params, state, X, train=True)
    assert y.shape == (2, 5)
    assert jax.tree.structure(new) == jax.tree.structure(state)


def test_chain_is_function_composition():
    a, b = Conv(4), Conv(2)
    params, _ = made(chain(a=a, b=b))
    y, _ = chain(a=a, b=b).apply(params, {}, X)
    np.testing.assert_array_equal(y, b.apply(params["b"], {}, a.apply(params["a"], {}, X)[0])[0])


@pytest.mark.parametrize("pool", [MaxPool(2), MaxPool(3, 2, padding="SAME"), MaxPool(2, 1, dilation=2)])
def test_relu_before_max_pooling_is_computed_behind_it_to_the_same_numbers(pool):
    # Of few different values, so that there are ties, windows without a positive one, and zeros of both signs.
    x = jnp.round(jax.random.normal(KEY, (4, 8, 8, 3))).at[0, 0, 0, 0].set(-0.0).at[1, 5, 5].set(jnp.nan)
    relu = Activation("relu")

    def written(x):
        return pool({}, {}, relu({}, {}, x))

    def computed(x):
        return chain(relu=relu, pool=pool)({}, {}, x)

    (y, pull), (expected, pull_expected) = jax.vjp(computed, x), jax.vjp(written, x)
    np.testing.assert_array_equal(y, expected)
    dy = jax.random.normal(jax.random.key(2), y.shape)
    np.testing.assert_array_equal(*pull(dy), *pull_expected(dy))
    shapes = [equation.invars[0].aval.shape for equation in jax.make_jaxpr(computed)(x).eqns]
    assert shapes == [x.shape, y.shape], "pooled, then cut off at 0"


def test_the_empty_chain_is_the_identity():
    assert made(chain()) == ({}, {})
    assert chain().apply({}, {}, X)[0] is X


def test_a_new_layer_does_not_reshuffle_the_others():
    before, _ = made(chain(conv1=Conv(3), conv2=Conv(3)))
    after, _ = made(chain(conv1=Conv(3), relu=Activation("relu"), extra=Conv(3), conv2=Conv(3)))
    for name in before:
        np.testing.assert_array_equal(before[name]["kernel"], after[name]["kernel"])
    assert not np.array_equal(after["conv1"]["kernel"], after["extra"]["kernel"])


def test_dropout_in_two_places_drops_different_values():
    both = chain(one=Dropout(0.5))
    other = chain(two=Dropout(0.5))
    ones = jnp.ones((2, 64))
    one = both.apply({}, {}, ones, train=True, key=KEY)[0]
    two = other.apply({}, {}, ones, train=True, key=KEY)[0]
    assert not np.array_equal(one, two)


def test_residual_adds_and_concat_concatenates():
    conv = Conv(3, use_bias=False)
    params, _ = made(residual(conv))
    y, _ = residual(conv).apply(params, {}, X)
    np.testing.assert_allclose(y, X + conv.apply(params["body"], {}, X)[0], rtol=1e-6)

    two = concat(a=Conv(2), b=chain(c=Conv(5, 1)))
    params, _ = made(two)
    y, _ = two.apply(params, {}, X)
    assert y.shape == (2, 4, 4, 7)
    np.testing.assert_array_equal(y[..., :2], Conv(2).apply(params["a"], {}, X)[0])
    np.testing.assert_array_equal(y[..., 2:], Conv(5, 1).apply(params["b"]["c"], {}, X)[0])


def test_networks_are_values_and_print_as_they_are_written():
    net = chain(conv=Conv(4), block=residual(chain(conv=Conv(4, 1))))
    assert net == chain(conv=Conv(4), block=residual(chain(conv=Conv(4, 1))))
    assert len({net, chain(conv=Conv(4)), concat(a=Conv(4), b=Conv(2))}) == 3
    assert repr(net) == (
        "chain(conv=Conv(features=4), block=residual(body=chain(conv=Conv(features=4, size=1)), shortcut=chain()))"
    )
    assert eval(repr(net)) == net


def test_a_network_is_a_static_argument_of_jit():
    net = chain(conv=Conv(2))
    params, _ = made(net)
    apply = jax.jit(lambda net, params, x: net.apply(params, {}, x)[0], static_argnums=0)
    np.testing.assert_allclose(apply(net, params, X), net.apply(params, {}, X)[0], rtol=1e-5, atol=1e-6)


def test_an_error_names_the_layer():
    net = chain(block=chain(conv=Conv(4, 7, padding="VALID")))
    with pytest.raises(ValueError, match=r"layer 'block': layer 'conv': conv: the window spans 7"):
        made(net)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: chain(conv=Conv), TypeError, r"chain: conv is <class .*Conv'>; expected a layer, such as Conv\(32\)"),
        (lambda: chain(act=jnp.tanh), TypeError, r"chain: act is .*; expected a layer"),
        (lambda: concat(), TypeError, r"concat: no branches"),
        (lambda: residual(None), TypeError, r"residual: body is None"),
        (lambda: chain(**{"a/b": Conv(2)}), ValueError, r"chain: a layer is called 'a/b'"),
        (
            lambda: chain(a=NoDataclass()),
            TypeError,
            r"chain: a is a NoDataclass; write @dataclass\(frozen=True\) above",
        ),
        (
            lambda: chain(one=chain(conv=Conv(2))).apply({}, {}, X),
            ValueError,
            r"layer 'one': layer 'conv': params or state lacks 'kernel'; both must come from this network's init",
        ),
        (
            lambda: made(chain(block=residual(Conv(8, stride=2)), after=Conv(2))),
            ValueError,
            r"layer 'block': the branches end in different shapes: body in \(2, 2, 2, 8\), shortcut in "
            r"\(2, 4, 4, 3\)\. .* the shortcut a 1×1 Conv",
        ),
        (
            lambda: made(chain(block=concat(a=Conv(8, stride=2), b=Conv(8)), after=Conv(2))),
            ValueError,
            r"the branches end in different shapes",
        ),
    ],
)
def test_mistakes_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
