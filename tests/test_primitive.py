"""Operations as primitives: both modes and their mixtures under every transformation, what is kept, what is computed.

The oracle is the plain forward, which JAX differentiates itself. All in float64, but for the handlers' float32.
"""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import ops
from jaxcnn.primitive import Operation, TangentOf

RNG = np.random.default_rng(0)
X, KERNEL = RNG.standard_normal((2, 4, 4, 2)), RNG.standard_normal((3, 3, 2, 2))
SCALE = RNG.standard_normal(2)
POINT = X, KERNEL, SCALE
ALONG = tuple(RNG.standard_normal(a.shape) for a in POINT)
EACH = (0, 1, 2)


def network(x, kernel, scale):
    """A number: rules that keep their arguments, masks, taps and statistics, with one output and with several."""
    y = ops.conv(x, kernel, scale)
    y, mean, _ = ops.batch_norm(y, scale, scale)
    return jnp.square(ops.max_pool(ops.gelu(ops.relu(y) + y), 2)).sum() + mean.sum()


def layer(x, kernel, scale):
    """x again."""
    return ops.gelu(ops.conv(x, kernel, scale))


gradient = jax.grad(network, EACH)


def product(function):
    """The gradient of ⟨gradient, ALONG⟩: reverse over reverse."""
    return jax.grad(lambda *at: sum(jnp.vdot(d, v) for d, v in zip(function(*at), ALONG, strict=True)), EACH)


def mapped(*at):
    """`network` of three images and kernels, the third argument the same for all; the axes are not the first."""
    images, kernels = (jnp.stack([a, 2 * a, 3 * a], 1) for a in at[:2])
    return jax.vmap(network, (1, 1, None))(images, kernels, at[2]).sum()


def scanned(x, kernel, scale):
    """Three layers one after the other."""
    return jnp.square(jax.lax.scan(lambda y, _: (layer(y, kernel, scale), y.sum()), x, None, 3)[0]).sum()


def chosen(x, kernel, scale):
    """Either of two branches, both through rules."""
    return jax.lax.cond(x.sum() > 1e6, lambda: network(2 * x, kernel, scale), lambda: network(x, kernel, scale))


def forward_over_reverse(function):
    """A Hessian-vector product."""
    return lambda *at: jax.jvp(jax.grad(function, EACH), at, ALONG)


WAYS = {
    "value": lambda *at: network(*at),
    "grad": gradient,
    "jvp": lambda *at: jax.jvp(network, at, ALONG),
    "forward over reverse": forward_over_reverse(network),
    "reverse over forward": jax.grad(lambda *at: jax.jvp(network, at, ALONG)[1], EACH),
    "reverse over reverse": product(gradient),
    "forward over forward": lambda *at: jax.jvp(lambda *at: jax.jvp(network, at, ALONG)[1], at, ALONG),
    "linearize": lambda *at: jax.linearize(network, *at)[1](*ALONG),
    "linearize grad": lambda *at: jax.linearize(gradient, *at)[1](*ALONG),
    "jacfwd": lambda *at: jax.jacfwd(layer, 2)(*at),
    "jacrev": lambda *at: jax.jacrev(layer, 2)(*at),
    "hessian": lambda *at: jax.hessian(network, 2)(*at),
    "jacrev of jacrev": lambda *at: jax.jacrev(jax.jacrev(network, 2), 2)(*at),
    "vmap": mapped,
    "grad of vmap": jax.grad(mapped, EACH),
    "jvp of vmap": lambda *at: jax.jvp(mapped, at, ALONG),
    "forward over reverse of vmap": forward_over_reverse(mapped),
    "reverse over reverse of vmap": product(jax.grad(mapped, EACH)),
    "vmap of grad": lambda x, *rest: jax.vmap(gradient, (0, None, None))(jnp.stack([x, 2 * x]), *rest),
    "vmap of linearize": lambda *at: jax.vmap(jax.linearize(network, *at)[1])(*(jnp.stack([v, 2 * v]) for v in ALONG)),
    "checkpoint": jax.grad(jax.checkpoint(network), EACH),
    "forward over reverse of checkpoint": forward_over_reverse(jax.checkpoint(network)),
    "scan": jax.grad(scanned, EACH),
    "forward over reverse of scan": forward_over_reverse(scanned),
    "cond": jax.grad(chosen, EACH),
    "grad of jit": jax.grad(jax.jit(network), EACH),
    "jvp of jit of grad": lambda *at: jax.jvp(jax.jit(gradient), at, ALONG),
}


@pytest.mark.parametrize("name", WAYS)
def test_transformations_of_both_modes_equal_autodiff(name, x64):
    @jax.jit
    def both(*at):
        handwritten = WAYS[name](*at)
        with jaxcnn.backward("autodiff"):
            return handwritten, WAYS[name](*at)

    handwritten, derived = map(jax.tree.leaves, both(*POINT))
    for got, expected in zip(handwritten, derived, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize("name", ["grad", "jvp", "forward over reverse", "grad of vmap", "checkpoint", "scan"])
def test_without_jit_the_same(name, x64):
    handwritten = WAYS[name](*map(jnp.asarray, POINT))
    with jaxcnn.backward("autodiff"):
        derived = jax.jit(WAYS[name])(*POINT)
    for got, expected in zip(jax.tree.leaves(handwritten), jax.tree.leaves(derived), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


REVERSE = {
    "grad": jax.grad,
    "checkpoint": lambda f: jax.grad(jax.checkpoint(f)),
    "jacrev": jax.jacrev,
    "jit of grad": lambda f: jax.jit(jax.grad(f)),
    "grad of jit": lambda f: jax.grad(jax.jit(f)),
    "vmap of grad": lambda f: lambda x: jax.vmap(jax.grad(f))(x[None])[0],
    "grad of vmap": lambda f: jax.grad(lambda x: jax.vmap(f)(x[None]).sum()),
    "scan": lambda f: jax.grad(lambda x: jax.lax.scan(lambda c, _: (c + f(x), None), 0.0, None, 1)[0]),
    "linear_transpose": lambda f: lambda x: jax.linear_transpose(jax.linearize(f, x)[1], x)(jnp.ones(()))[0],
}


@pytest.mark.parametrize("name", REVERSE)
def test_reverse_mode_is_always_the_handwritten_backward(name, monkeypatch):
    """However JAX gets there: under checkpoint, for one, it comes by forward mode."""
    monkeypatch.setattr(ops.relu, "backward", lambda y, dy: (-100 * dy,))
    derivative = REVERSE[name](lambda x: ops.relu(x).sum())
    np.testing.assert_array_equal(derivative(jnp.ones(3)), [-100] * 3)


def names(jaxpr):
    """The primitives in a program and in those that it calls, each as often as it stands there."""
    found = []
    for equation in jaxpr.eqns:
        found.append(equation.primitive.name)
        for inner in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(inner, "eqns"):
                found += names(getattr(inner, "jaxpr", inner))
    return found


def test_a_jaxpr_names_the_operation_and_its_options():
    x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2))
    shown = str(jax.make_jaxpr(lambda x: ops.relu(ops.conv(x, kernel, stride=2)))(x))
    assert "= conv[\n      stride=(2, 2)" in shown
    assert "= relu " in shown
    assert "conv_general_dilated" not in shown


def test_a_profile_names_the_operation():
    x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2))
    program = jax.jit(jax.grad(lambda x: jnp.sum(ops.softplus(ops.conv(x, kernel))))).lower(x).compile().as_text()
    for scope in ("/conv/", "conv_backward", "conv_dgrad", "softplus_backward"):
        assert scope in program, scope


@pytest.mark.parametrize(("argument", "not_computed"), [(0, "conv_wgrad"), (1, "conv_dgrad"), (2, "conv_dgrad")])
def test_a_jaxpr_has_no_cotangent_that_nobody_asked_for(argument, not_computed):
    arrays = jnp.ones((1, 4, 4, 1)), jnp.ones((3, 3, 1, 2)), jnp.ones(2)
    derivative = jax.grad(lambda *arrays: ops.conv(*arrays).sum(), argument)
    assert not_computed not in names(jax.make_jaxpr(derivative)(*arrays).jaxpr)


def test_a_cotangent_that_nobody_asked_for_is_not_computed_outside_of_jit():
    computed = []

    def scaled(name, a, dy):
        def note(a):
            computed.append(name)
            return a

        return jax.pure_callback(note, jax.ShapeDtypeStruct(a.shape, a.dtype), a) * dy

    def backward(arrays, dy):
        x, w = arrays
        return scaled("dx", w, dy), scaled("dw", x, dy)

    multiply = Operation("multiply", lambda x, w: (x * w, (x, w)), backward, TangentOf(lambda x, w: x * w))
    x, w = jnp.array(3.0), jnp.array(5.0)
    assert jax.grad(multiply, 1)(x, w) == 3
    assert computed == ["dw"]
    assert jax.grad(lambda x: multiply(x, w))(x) == 5
    assert computed == ["dw", "dx"]


def kept(function, *arrays):
    """The sizes of the arrays that reverse mode keeps, in bytes."""
    pull = jax.vjp(function, *arrays)[1]
    return sorted(a.nbytes for a in jax.tree.leaves(pull) if hasattr(a, "nbytes"))


def test_reverse_mode_keeps_the_residuals_and_nothing_else():
    x = jnp.asarray(RNG.standard_normal((1, 4, 4, 8)), jnp.float32)
    assert kept(ops.gelu, x) == [x.nbytes]
    taps = kept(lambda x: ops.max_pool(x, 2), x)
    assert sum(taps) <= x.nbytes // 2, taps
    assert x.nbytes not in taps


def test_float32_through_the_handlers_is_differentiated_twice_in_every_order():
    """Channels enough for Winograd, groups, and batch norm's sums, where the handlers are; nothing sees inside them."""
    x = jnp.asarray(RNG.standard_normal((8, 12, 12, 32)), jnp.float32)
    kernel = jnp.asarray(0.05 * RNG.standard_normal((3, 3, 32, 32)), jnp.float32)
    at = x, kernel, jnp.linspace(0.5, 1.5, 32)
    along = tuple(jnp.asarray(RNG.standard_normal(a.shape), jnp.float32) for a in at)

    def loss(x, kernel, scale):
        y = ops.batch_norm(ops.conv(x, kernel), scale, scale)[0]
        y = ops.conv(ops.gelu(y), kernel[:, :, :1], groups=32, stride=2)
        return jnp.square(ops.conv_transpose(y, kernel, stride=2)).mean()

    @jax.jit
    def everything(*at):
        grad = jax.grad(loss, EACH)
        return (
            jax.jvp(grad, at, along),
            jax.grad(lambda *at: jax.jvp(loss, at, along)[1], EACH)(*at),
            jax.grad(lambda *at: sum(map(jnp.vdot, grad(*at), along)), EACH)(*at),
        )

    handwritten = everything(*at)
    with jaxcnn.kernels.use("xla"), jaxcnn.backward("autodiff"):
        derived = everything(*at)
    for got, expected in zip(jax.tree.leaves(handwritten), jax.tree.leaves(derived), strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5 * np.abs(expected).max())


def test_a_cotangent_of_another_shape_or_dtype_is_told(monkeypatch):
    monkeypatch.setattr(ops.relu, "backward", lambda y, dy: (dy[:1],))
    with pytest.raises(ValueError, match=r"relu.backward returned float32\[1\] .* float32\[3\]; expected the same"):
        jax.grad(lambda x: ops.relu(x).sum())(jnp.ones(3))
    monkeypatch.setattr(ops.relu, "backward", lambda y, dy: (dy.astype(jnp.float16),))
    with pytest.raises(ValueError, match=r"relu.backward returned float16\[3\] .* float32\[3\]"):
        jax.grad(lambda x: ops.relu(x).sum())(jnp.ones(3))


def test_a_cotangent_of_none_is_zeros(monkeypatch):
    monkeypatch.setattr(ops.relu, "backward", lambda y, dy: (None,))
    np.testing.assert_array_equal(jax.grad(lambda x: ops.relu(x).sum())(jnp.ones(3)), [0] * 3)


def test_an_operation_with_trees_and_integers():
    """Residuals and results are trees; an integer result has a float0 cotangent; an integer array never moves."""

    def forward(x, index, absent):
        assert absent is None
        return {"y": x[index], "first": index[:1]}, (x, {"index": index})

    def backward(residuals, dy):
        x, kept = residuals
        assert dy["first"].dtype == jax.dtypes.float0
        return jnp.zeros_like(x).at[kept["index"]].add(3 * dy["y"]), None, None

    pick = Operation("pick", forward, backward, TangentOf(lambda *arrays: forward(*arrays)[0]))
    x, index = jnp.arange(4.0), jnp.array([2, 2])
    assert pick(x, index, None)["first"] == 2
    np.testing.assert_array_equal(jax.grad(lambda x: pick(x, index, None)["y"].sum())(x), [0, 0, 6, 0])
    np.testing.assert_array_equal(jax.jvp(lambda x: pick(x, index, None)["y"], (x,), (x,))[1], [2, 2])
    np.testing.assert_array_equal(
        jax.vmap(jax.grad(lambda x, i: pick(x, i, None)["y"].sum()), (None, 0))(x, jnp.array([[0], [3]])),
        [[3, 0, 0, 0], [0, 0, 0, 3]],
    )


SHARDED = """
import jax, jax.numpy as jnp, numpy as np
from functools import partial
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
import jaxcnn
from jaxcnn import ops

mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
x = np.random.default_rng(0).standard_normal((4, 6, 6, 2)).astype("float32")
w = np.random.default_rng(1).standard_normal((3, 3, 2, 2)).astype("float32")

def loss(w, x):
    y = ops.batch_norm(ops.conv(x, w), w[0, 0, 0], w[0, 0, 1])[0]
    return jnp.square(ops.max_pool(ops.gelu(y), 2)).mean()

def hvp(w, x):
    return jax.jvp(jax.grad(loss), (w, x), (w, x))[1]

for f in (jax.grad(loss), hvp, lambda w, x: jax.jvp(loss, (w, x), (w, x))[1]):
    with jaxcnn.backward("autodiff"):
        expected = jax.jit(f)(w, x)
    sharded = jax.jit(f)(w, jax.device_put(x, NamedSharding(mesh, P("d"))))
    np.testing.assert_allclose(sharded, expected, atol=2e-4)

def local(w, x):  # without batch norm, since each device has its own images; JAX 0.12 can't differentiate its erf here
    return jax.lax.pmean(jnp.square(ops.silu(ops.conv(x, w))).mean(), "d")

def whole(w, x):
    return jnp.square(ops.silu(ops.conv(x, w))).mean()

shard_map = partial(jax.shard_map, mesh=mesh, in_specs=(P(), P("d")), out_specs=P())
for made in (jax.grad, lambda f: lambda w, x: jax.jvp(lambda w: jax.grad(f)(w, x), (w,), (w,))[1]):
    with jaxcnn.backward("autodiff"):
        expected = jax.jit(made(whole))(w, x)
    np.testing.assert_allclose(jax.jit(shard_map(made(local)))(w, x), expected, atol=1e-4)
    np.testing.assert_allclose(jax.jit(made(shard_map(local)))(w, x), expected, atol=1e-4)
print("right")
"""


def test_on_two_devices_both_modes_are_right():
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    environment = os.environ | {"XLA_FLAGS": flags}
    run = subprocess.run([sys.executable, "-c", SHARDED], capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == "right", run.stderr[-3000:]


def test_an_option_may_be_called_as_any_argument_of_jaxs_rules():
    """softmax has an `axis`, as JAX's rule of vmap has, and pad a `value`."""
    x = jnp.ones((2, 3, 2))
    np.testing.assert_allclose(jax.vmap(lambda x: ops.softmax(x, axis=0))(x), np.full(x.shape, 1 / 3), rtol=1e-6)
    y, dy = jax.jvp(lambda x: ops.pad(x, 1, value=2.0), (x,), (x,))
    assert y[0, :, 0].tolist() == [2, 1, 1, 1, 2] and dy[0, :, 0].tolist() == [0, 1, 1, 1, 0]
