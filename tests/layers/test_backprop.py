"""Backpropagation layer by layer: against jax.grad of the whole network under autodiff, and by its own contract."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import ShapeDtypeStruct

import jaxcnn
from jaxcnn import ops
from jaxcnn.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPool,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LocalResponseNorm,
    MaxPool,
    Pad,
    RMSNorm,
    SpatialDropout,
    SpectralNorm,
    StochasticDepth,
    WeightNorm,
    WeightStandardizedConv,
    chain,
    concat,
    gated,
    residual,
    separable_conv,
    squeeze_excite,
)

KEY = jax.random.key(3)

NETS = {
    "plain": chain(conv=Conv(4, stride=2), act=Activation("tanh"), pool=AvgPool(2), flatten=Flatten(), head=Dense(3)),
    "everything": chain(
        conv=Conv(4),
        bn=BatchNorm(),
        relu=Activation("relu"),
        block=residual(
            chain(conv=Conv(6, stride=2), bn=BatchNorm(), gelu=Activation("gelu")), chain(conv=Conv(6, 1, stride=2))
        ),
        wide=concat(a=Conv(2, 1), b=chain(pool=MaxPool(3, stride=1, padding=1), conv=Conv(3))),
        drop=Dropout(0.3),
        pool=GlobalMaxPool(),
        head=Dense(3),
    ),
    "norms": chain(
        lrn=LocalResponseNorm(3, alpha=0.5),
        conv=WeightStandardizedConv(4),
        group=GroupNorm(2),
        layer=LayerNorm(),
        up=ConvTranspose(4, 3, stride=2, groups=2),
        instance=InstanceNorm(),
        separable=separable_conv(6, stride=2),
        rms=RMSNorm(),
        spectral=SpectralNorm(Conv(3, 1)),
        head=WeightNorm(Dense(3)),
        pool=GlobalMaxPool(),
    ),
    "gates": chain(
        pad=Pad(1, "circular"),
        conv=Conv(4),
        se=squeeze_excite(4, reduction=2),
        channels=SpatialDropout(0.4),
        block=residual(chain(conv=Conv(4), depth=StochasticDepth(0.5))),
        glu=gated(chain(conv=Conv(3, 1), sigmoid=Activation("sigmoid")), Conv(3, 1)),
        flatten=Flatten(),
        rows=gated(Dense(216), chain(drop=Dropout(0.2))),
        head=Dense(3),
    ),
    "one layer": Dense(3),
}


def setup(name):
    net = NETS[name]
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.standard_normal((5, 4) if name == "one layer" else (5, 7, 6, 2)))
    params, state = net.init(jax.random.key(1), ShapeDtypeStruct(x.shape, x.dtype))
    return net, params, state, (x, jnp.asarray([0, 2, 1, 1, 0]))


def mean_loss(net, params, state, batch):
    logits, new = net.apply(params, state, batch[0], train=True, key=KEY)
    return ops.softmax_cross_entropy(logits, batch[1]).mean(), new


def assert_same(got, expected):
    assert jax.tree.structure(got) == jax.tree.structure(expected)
    for g, e in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(g, e, rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NETS)
def test_equals_jax_grad_under_autodiff(name, x64):
    net, params, state, batch = setup(name)
    got = jax.jit(lambda p: jaxcnn.backprop(net, p, state, batch, ops.softmax_cross_entropy, key=KEY))(params)
    with jaxcnn.backward("autodiff"):
        grad = jax.jit(jax.value_and_grad(lambda p: mean_loss(net, p, state, batch), has_aux=True))
        (loss, new), gradients = grad(params)
    assert_same(got.gradients, gradients)
    assert_same(got.loss, loss)
    assert_same(got.state, new)


def test_every_layers_delta_is_the_gradient_of_the_loss_at_its_output(x64):
    """δ of layer l against jax.grad of the rest of the network with respect to layer l's output."""
    net, params, state, (x, labels) = setup("plain")
    got = jaxcnn.backprop(net, params, state, (x, labels), ops.softmax_cross_entropy)
    assert list(got.deltas) == ["conv", "act", "pool", "flatten", "head"]
    for i, (name, _) in enumerate(net.parts):
        until, rest = chain(**dict(net.parts[: i + 1])), chain(**dict(net.parts[i + 1 :]))
        y, _ = until.apply(params, state, x, train=True)

        def loss(y, rest=rest):
            return ops.softmax_cross_entropy(rest.apply(params, state, y, train=True)[0], labels).mean()

        with jaxcnn.backward("autodiff"):
            np.testing.assert_allclose(got.deltas[name], jax.grad(loss)(y), rtol=0, atol=1e-14)


def test_deltas_of_branches_are_named_by_path(x64):
    net, params, state, batch = setup("everything")
    got = jax.eval_shape(
        lambda p: jaxcnn.backprop(net, p, state, batch, ops.softmax_cross_entropy, key=KEY).deltas, params
    )
    assert list(got) == [row.path for row in jaxcnn.summary(net, (7, 6, 2)).rows]
    assert got["wide"].shape[-1] == 5 and got["wide/a"].shape[-1] == 2 and got["wide/b/conv"].shape[-1] == 3


def test_runs_the_handwritten_backward_whatever_mode_is_set(monkeypatch):
    """With relu's handwritten backward made seven times too large, so is every δ below it."""
    net = chain(conv=Conv(2), relu=Activation("relu"), flatten=Flatten(), head=Dense(2))
    x, labels = jnp.ones((1, 3, 3, 1)), jnp.asarray([0])
    params, state = net.init(KEY, ShapeDtypeStruct(x.shape, x.dtype))
    right = jaxcnn.backprop(net, params, state, (x, labels), ops.softmax_cross_entropy).deltas
    backward = ops.relu.backward
    monkeypatch.setattr(ops.relu, "backward", lambda residuals, dy: (7 * backward(residuals, dy)[0],))
    with jaxcnn.backward("autodiff"):
        wrong = jaxcnn.backprop(net, params, state, (x, labels), ops.softmax_cross_entropy).deltas
    assert np.any(right["conv"])
    np.testing.assert_allclose(wrong["conv"], 7 * right["conv"], rtol=1e-6)
    np.testing.assert_array_equal(wrong["relu"], right["relu"])


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="backprop: the batch is empty"):
        jaxcnn.backprop(chain(relu=Activation("relu")), {}, {}, (jnp.zeros((0, 3)), jnp.zeros(0, int)), ops.mse)
