"""Every layer and a network under JAX's switches, and with a batch whose length is left open: traced only.

The layers come from their classes, so that a new one is here unasked.
"""

import inspect
from dataclasses import MISSING, fields

import jax
import jax.numpy as jnp
import pytest
from jax import export

from jaxcnn import layers, ops
from jaxcnn.layers import Conv, Layer, chain
from tests.ops.test_switches import nothing_is_promoted

KEY = jax.random.key(0)
X = jax.ShapeDtypeStruct((2, 6, 5, 4), jnp.float32)

# What a class is made with where it asks for something, or its defaults do not fit X.
FIELDS = {"features": 4, "rate": 0.5, "name": "gelu", "sizes": 3, "padding": 1, "layer": Conv(4)}
OPTIONS = {"GroupNorm": {"groups": 2}, "Resize": {"scale": 2}, "BatchNorm": {"momentum": None}}


def made(kind):
    asked = {f.name: FIELDS[f.name] for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    return kind(**asked | OPTIONS.get(kind.__name__, {}))


KINDS = [v for v in vars(layers).values() if inspect.isclass(v) and issubclass(v, Layer) and v is not Layer]
NETS = {kind.__name__: made(kind) for kind in KINDS} | {
    "bilinear": layers.Resize(0.5, method="bilinear"),
    "reflected": Conv(4, padding_mode="reflect"),
    "momentum": layers.BatchNorm(),
}
NETS["branches"] = chain(
    layers.Activation("relu"),
    layers.residual(Conv(4)),
    layers.concat(Conv(2), layers.Activation("relu")),
    layers.gated(Conv(6)),
    layers.gated(layers.GlobalAvgPool(), Conv(6)),
)
NETS["network"] = chain(
    stem=Conv(4),
    norm=layers.BatchNorm(),
    block=layers.residual(chain(Conv(4), layers.GroupNorm(2), layers.Activation("relu"))),
    both=layers.concat(layers.MaxPool(2), layers.AvgPool(2)),
    gate=layers.squeeze_excite(8),
    mix=layers.separable_conv(6),
    drop=layers.Dropout(0.5),
    flat=layers.Flatten(),
    head=layers.Dense(3),
)


def everything(net):
    """(params, state, x, key) -> evaluation, training, and the gradients of both by the layer's own backpropagation."""

    def run(params, state, x, key):
        y = net.apply(params, state, x)[0]
        trained, new, pull = net.backprop(params, state, x, key=key)
        gradients, dx, _ = pull(jnp.ones_like(trained))
        evaluated = jax.grad(lambda params: net.apply(params, state, x)[0].sum())(params)
        return y, trained, new, gradients, dx, evaluated

    return run


@pytest.mark.parametrize("of_params, of_x", [("float32",) * 2, ("bfloat16",) * 2, ("float32", "bfloat16")])
@pytest.mark.parametrize("name", NETS)
def test_nothing_is_promoted(name, of_params, of_x):
    net, x = NETS[name], jax.ShapeDtypeStruct(X.shape, of_x)
    with nothing_is_promoted():
        params, state = jax.eval_shape(lambda: net.init(KEY, jnp.ones(X.shape, of_params)))
        y, trained, new, gradients, dx, evaluated = jax.eval_shape(everything(net), params, state, x, KEY)
    assert y.dtype == trained.dtype and dx.dtype == of_x
    assert of_params != of_x or y.dtype == of_x
    assert jax.tree.map(lambda a: (a.shape, a.dtype), new) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
    assert gradients == evaluated == params  # of their shapes and dtypes


@pytest.mark.parametrize("name", NETS)
def test_the_batch_may_be_left_open(name):
    net, (n,) = NETS[name], export.symbolic_shape("n")
    x = jax.ShapeDtypeStruct((n, *X.shape[1:]), X.dtype)
    params, state = jax.eval_shape(lambda: net.init(KEY, X))
    exported = export.export(jax.jit(everything(net)), platforms=["cpu"])(params, state, x, KEY)
    assert exported.out_avals[0].shape[0] == n


def test_the_loss_of_an_open_batch_is_exported():
    """Backpropagation through a whole network, and the loss with it."""
    net, (n,) = NETS["network"], export.symbolic_shape("n")
    params, state = jax.eval_shape(lambda: net.init(KEY, X))
    x, labels = jax.ShapeDtypeStruct((n, *X.shape[1:]), X.dtype), jax.ShapeDtypeStruct((n,), jnp.int32)

    def step(params, state, x, labels, key):
        result = layers.backprop(net, params, state, (x, labels), ops.softmax_cross_entropy, key=key)
        return result.loss, result.gradients, result.state

    exported = export.export(jax.jit(step), platforms=["cpu"])(params, state, x, labels, KEY)
    assert exported.in_avals[-2].shape == (n,)
