"""Every layer and some networks, forward and both gradients, under JAX's switches (`tests/switches.py`).

The layers come from their classes, so that a new one is here unasked.
"""

import inspect
from dataclasses import MISSING, fields, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AbstractMesh, AxisType, NamedSharding, PartitionSpec

from jaxcnn import layers, ops
from jaxcnn.layers import Activation, Conv, Layer, chain, concat, gated, residual
from jaxcnn.layers.combine import Chain
from tests import switches
from tests.switches import SWITCHES, Subject, shapes

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
    "residual": residual(Conv(4)),
    "concat": concat(Conv(2), Activation("relu")),
    "gated": gated(Conv(6), Conv(6)),
    "separable_conv": layers.separable_conv(6),
    "squeeze_excite": layers.squeeze_excite(4),
    "features": layers.features(chain(conv=Conv(4), head=Activation("relu"))),
    "momentum": layers.BatchNorm(),
    "reflected": Conv(4, padding_mode="reflect"),
    "bilinear": layers.Resize(0.5, method="bilinear"),
    "spectral, transposed": layers.SpectralNorm(layers.ConvTranspose(4, stride=2)),
    "weight, dense": layers.WeightNorm(layers.Dense(4)),
    "chain": chain(
        stem=Conv(4),
        norm=layers.BatchNorm(),
        block=residual(chain(Conv(4), layers.GroupNorm(2), Activation("relu"))),
        both=concat(layers.MaxPool(2), layers.AvgPool(2)),
        gate=layers.squeeze_excite(8),
        mix=layers.separable_conv(6),
        drop=layers.Dropout(0.5),
        flat=layers.Flatten(),
        head=layers.Dense(3),
    ),
}


def test_every_public_layer_is_here():
    public = {name: getattr(layers, name) for name in layers.__all__}
    functions = {name: inspect.signature(f).return_annotation for name, f in public.items() if inspect.isfunction(f)}
    made = {name for name, kind in (public | functions).items() if inspect.isclass(kind) and issubclass(kind, Layer)}
    assert {"Dense", "chain", "squeeze_excite"} < made
    assert made - {"Layer"} <= NETS.keys()


def subject(net, of_params=np.float32, of_x=np.float32):
    """The net as a function of its parameters and x.

    In training backwards, by its own backpropagation; in evaluation forwards. The state, which has no batch, is only
    looked at.
    """
    rng = np.random.default_rng(0)

    def random(a):
        return rng.normal(size=a.shape).astype(a.dtype)

    described = jax.ShapeDtypeStruct(X.shape, of_params)
    with switches.nothing_is_promoted():
        params, state = jax.eval_shape(lambda: net.init(KEY, described))
    params, state = jax.tree.map(random, params), jax.tree.map(np.abs, jax.tree.map(random, state))  # variances
    leaves, tree = jax.tree.flatten(params)

    def reverse(*arrays):
        *params, x = arrays
        y, new, pull = net.backprop(jax.tree.unflatten(tree, params), state, x, key=KEY)
        assert shapes(new) == shapes(state)
        gradients, dx, _ = pull(jnp.cos(y))
        return y, [*jax.tree.leaves(gradients), dx]

    def evaluated(*arrays):
        *params, x = arrays
        return net.apply(jax.tree.unflatten(tree, params), state, x)[0]

    def forward(*arrays):
        return jax.jvp(evaluated, arrays, arrays)

    return Subject(reverse, forward, [*leaves, random(X).astype(of_x)], [False] * len(leaves) + [True])


SUBJECTS = {name: subject(net) for name, net in NETS.items()}


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("switch", SWITCHES)
def test_every_layer(switch, name):
    SWITCHES[switch](SUBJECTS[name])


def test_every_layer_on_two_devices():
    switches.on_two_devices(__name__)


@pytest.mark.parametrize("cut", ["params", "x"])
@pytest.mark.parametrize("name", SUBJECTS)
def test_explicit_axes_may_cut_features(cut, name):
    """Those of the parameters or of the images, not only the batch; a cotangent is cut as its array."""
    types = SUBJECTS[name].types()
    features = [len(types) - 1] if cut == "x" else [i for i, a in enumerate(types[:-1]) if a.shape[-1] % 2 == 0]
    cut_up = [cut_by_features(a) if i in features else a for i, a in enumerate(types)]
    _, cotangents = jax.eval_shape(SUBJECTS[name].modes, *cut_up)
    for i in features:
        assert cotangents[i].sharding.spec == cut_up[i].sharding.spec


def cut_by_features(a):
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))
    by = NamedSharding(mesh, PartitionSpec(*[None] * (len(a.shape) - 1), "d"))
    return jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=by)


@pytest.mark.parametrize("of_params, of_x", [("bfloat16",) * 2, ("float32", "bfloat16")])
@pytest.mark.parametrize("name", NETS)
def test_nothing_is_promoted_in_half_precision(name, of_params, of_x):
    half = subject(NETS[name], of_params, of_x)
    SWITCHES["nothing is promoted"](half)
    (y, (evaluated, dy)), _ = jax.eval_shape(half.modes, *half.types())
    assert y.dtype == evaluated.dtype == dy.dtype
    assert of_params != of_x or y.dtype == of_x


def test_the_loss_of_an_open_batch_is_exported():
    """Backpropagation through a whole network, and the loss with it."""
    net, (n,) = NETS["chain"], export.symbolic_shape("n")
    params, state = jax.eval_shape(lambda: net.init(KEY, X))
    x, labels = jax.ShapeDtypeStruct((n, *X.shape[1:]), X.dtype), jax.ShapeDtypeStruct((n,), jnp.int32)

    def step(params, state, x, labels, key):
        result = layers.backprop(net, params, state, (x, labels), ops.softmax_cross_entropy, key=key)
        return result.loss, result.gradients, result.state

    exported = export.export(jax.jit(step), platforms=["cpu"])(params, state, x, labels, KEY)
    assert exported.in_avals[-2].shape == (n,)


@pytest.mark.parametrize("name", [kind.__name__ for kind in KINDS])
def test_a_layer_takes_its_own_params_and_state_and_no_others(name):
    """One that is missing or beside them is named, and would be left out in silence."""
    net = NETS[name]
    given = jax.eval_shape(lambda: net.init(KEY, X))

    def apply(params, state):
        jax.eval_shape(lambda p, s, x: net.apply(p, s, x, train=True, key=KEY), params, state, X)

    apply(*given)
    for which, word in enumerate(["params", "state"]):
        changed = list(given)
        changed[which] = given[which] | {"nonesuch": X}
        with pytest.raises(ValueError, match=f"^{word} has 'nonesuch', but this layer takes .*network's init"):
            apply(*changed)
        for key in given[which]:
            changed[which] = {other: value for other, value in given[which].items() if other != key}
            with pytest.raises(ValueError, match=f"^params or state lacks '{key}'; both must come from"):
                apply(*changed)


@pytest.mark.parametrize("name", [kind.__name__ for kind in KINDS])
def test_a_layer_takes_all_kinds_of_numbers_and_no_others(name, x64):
    """It keeps Python's, and refuses what is none where it is made or first used."""
    net = NETS[name]
    for field in fields(net):
        value = getattr(net, field.name)
        if isinstance(field.default, bool):
            assert repr(replace(net, **{field.name: np.bool_(value)})) == repr(net)
            with pytest.raises(ValueError, match=f"^{name}: {field.name} is 'no'; expected True or False"):
                replace(net, **{field.name: "no"})
        elif isinstance(value, int | float):
            for given in (np.array(value), np.array(value)[()], jnp.asarray(value)):
                same = replace(net, **{field.name: given})
                assert repr(same) == repr(net) and hash(same) == hash(net)
            for wrong in (True, "2", b"2", [value] * 4, 1j):
                with pytest.raises(ValueError, match=f"{field.name} is"):
                    traced(replace(net, **{field.name: wrong}))


def traced(net):
    """Training's forward, for a fresh net."""
    params, state = jax.eval_shape(lambda: net.init(KEY, X))
    return jax.eval_shape(lambda p, s, x: net.apply(p, s, x, train=True, key=KEY), params, state, X)


def test_some_of_a_networks_layers_take_the_params_of_all():
    params, state = jax.eval_shape(lambda: NETS["chain"].init(KEY, X))
    first = Chain(NETS["chain"].parts[:2])
    y = jax.eval_shape(lambda p, s, x: first.apply(p, s, x)[0], params, state, X)
    assert y.shape == X.shape
