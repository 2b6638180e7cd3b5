"""Facts about batch normalisation that the table of cases does not say."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import kernels, ops, verify
from jaxcnn.ops import batch_norm, batch_norm_eval

X = 5 + 3 * np.random.default_rng(0).standard_normal((8, 4, 4, 3)).astype(np.float32)
ONES, ZEROS = jnp.ones(3), jnp.zeros(3)


def test_every_channel_gets_mean_0_and_deviation_1():
    y, mean, var = batch_norm(X, ONES, ZEROS)
    np.testing.assert_allclose(y.mean((0, 1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(y.std((0, 1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(mean, X.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(var, X.var((0, 1, 2)), rtol=1e-5)  # divided by m, not m - 1


def test_evaluation_with_the_batchs_own_statistics_is_training():
    scale, bias = jnp.array([1.0, 2.0, -1.0]), jnp.array([0.0, 3.0, 1.0])
    y, mean, var = batch_norm(X, scale, bias)
    np.testing.assert_allclose(batch_norm_eval(X, scale, bias, mean, var), y, atol=1e-6)


def test_the_gradient_does_not_see_a_shift_or_a_stretch_of_the_channel():
    """y does not change when all of a channel is moved or scaled, so dx is orthogonal to both."""
    dy = np.random.default_rng(1).standard_normal(X.shape).astype(np.float32)
    dx = jax.grad(lambda x: jnp.vdot(batch_norm(x, ONES, ZEROS)[0], dy))(X)
    np.testing.assert_allclose(dx.sum((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose((dx * X).sum((0, 1, 2)), 0, atol=1e-3)


def test_a_large_mean_does_not_drown_the_variance():
    _, _, var = batch_norm(X + 1e4, ONES, ZEROS)
    np.testing.assert_allclose(var, X.var((0, 1, 2)), rtol=1e-2)


@pytest.mark.parametrize("chosen", ["auto", "xla"])
@pytest.mark.parametrize("norm", ["batch_norm", "instance_norm", "layer_norm", "group_norm", "rms_norm"])
def test_without_epsilon_the_size_does_not_matter(norm, chosen):
    x, ones = jax.random.normal(jax.random.key(0), (4, 6, 6, 8)), jnp.ones(8)
    vectors = (ones,) if norm == "rms_norm" else (ones, ones)
    words = {"groups": 2} if norm == "group_norm" else {}
    with kernels.use(chosen):
        large, small = (getattr(ops, norm)(scale * x, *vectors, epsilon=0, **words) for scale in (1, 2.0**-40))
    y = jax.tree.leaves(large)[0]
    np.testing.assert_array_equal(y, jax.tree.leaves(small)[0])
    assert np.isfinite(y).all()


def test_half_precision_x_with_float32_vectors():
    x = X.astype(jnp.bfloat16)
    (y, mean, var), pull = jax.vjp(batch_norm, x, ONES, ZEROS)
    dtypes = [a.dtype for a in (y, mean, var, *pull((y, mean, var)))]
    assert dtypes == [jnp.bfloat16, np.float32, np.float32, jnp.bfloat16, np.float32, np.float32]
    np.testing.assert_allclose(mean, np.asarray(x, np.float32).mean((0, 1, 2)), rtol=1e-5)
    y, pull = jax.vjp(batch_norm_eval, x, ONES, ZEROS, mean, var)
    assert [a.dtype for a in (y, *pull(y))] == [jnp.bfloat16, jnp.bfloat16] + [np.float32] * 4


def over_lanes(x, scale, bias, norm=batch_norm, **options):
    """Batch norm of a batch in two halves, each of which knows the other by the axis's name alone."""
    lanes = jax.vmap(lambda x: norm(x, scale, bias, axis_name="d", **options), axis_name="d")
    y, mean, var = lanes(x.reshape(2, -1, *x.shape[1:]))
    return y.reshape(x.shape), mean.mean(0), var.mean(0)


def plain_over_lanes(x, scale, bias):
    return over_lanes(x, scale, bias, batch_norm.plain, epsilon=1e-5)


HALVES = X[:4, :3, 0], 1.0 + np.arange(3), np.arange(3.0)


def test_the_gradient_by_an_axis_name_is_that_of_plain():
    report = verify.check(over_lanes, HALVES, reference=plain_over_lanes)
    assert report.ok, str(report)


def test_sums_that_stay_on_their_device_are_found(monkeypatch):
    right = batch_norm.backward
    monkeypatch.setattr(batch_norm, "backward", lambda r, dy, **options: right(r, dy, epsilon=1e-5, axis_name=None))
    report = verify.check(over_lanes, HALVES, reference=plain_over_lanes, checks=["autodiff"])
    assert not report.ok and all("dx" in str(failure) for failure in report.failures), str(report)


def test_statistics_and_gradients_by_an_axis_name_are_of_the_whole_batch(x64):
    arrays = [jnp.asarray(a, float) for a in HALVES]
    (got, pull), (expected, pull_whole) = (jax.vjp(f, *arrays) for f in (over_lanes, batch_norm))
    cotangents = jax.tree.map(lambda a: jnp.cos(1 + jnp.arange(a.size)).reshape(a.shape), got)
    for g, e in zip((*got, *pull(cotangents)), (*expected, *pull_whole(cotangents)), strict=True):
        np.testing.assert_allclose(g, e, rtol=0, atol=1e-12)


def test_a_device_may_have_scale_and_bias_of_its_own(x64):
    """Each lane's cotangents of its own scale and bias are those of its own values, and dx is of all."""
    halves, dy = X[:4].reshape(2, 2, 4, 4, 3).astype(float), np.random.default_rng(1).standard_normal((2, 2, 4, 4, 3))
    scale, bias = np.random.default_rng(2).standard_normal((2, 2, 3))

    def by_lanes(x, scale, bias):
        return jax.vmap(lambda *a: batch_norm(*a, axis_name="d")[0], axis_name="d")(x, scale, bias)

    def by_hand(x, scale, bias):
        unit = (x - x.mean((0, 1, 2, 3))) / jnp.sqrt(x.var((0, 1, 2, 3)) + 1e-5)
        return unit * scale[:, None, None, None] + bias[:, None, None, None]

    got, expected = (jax.vjp(f, halves, scale, bias)[1](dy) for f in (by_lanes, by_hand))
    for g, e in zip(got, expected, strict=True):
        np.testing.assert_allclose(g, e, rtol=0, atol=1e-12)


def test_one_example_on_each_device_is_a_batch():
    rows = X[:, 0, 0]
    y, mean, _ = jax.vmap(lambda x: batch_norm(x[None], ONES, ZEROS, axis_name="d"), axis_name="d")(rows)
    np.testing.assert_allclose(mean, np.broadcast_to(rows.mean(0), mean.shape), rtol=1e-5)
    np.testing.assert_allclose(y[:, 0], batch_norm(rows, ONES, ZEROS)[0], rtol=1e-4, atol=1e-5)


# JAX is told the number of its devices before it starts, so this is a process of its own.
DEVICES = """
import jax, jax.numpy as jnp, numpy as np
from jax import lax
from jax.sharding import PartitionSpec as P
from jaxcnn import ops
from jaxcnn.layers import BatchNorm, Conv, chain

jax.config.update("jax_enable_x64", True)
mesh = jax.make_mesh((2,), ("d",), axis_types=(jax.sharding.AxisType.Auto,))
x = jnp.asarray(np.random.default_rng(0).standard_normal((4, 5, 2)))
make = lambda name: chain(conv=Conv(3), bn=BatchNorm(momentum=None, axis_name=name))
params, state = make(None).init(jax.random.key(0), x)

def loss(name):
    def loss(params, state, x):
        y, new = make(name).apply(params, state, x, train=True)
        mean = jnp.square(jnp.tanh(y)).mean()
        return mean if name is None else lax.pmean(mean, name), new
    return loss

def second(f):  # reaches the backward's own derivative, and forward mode
    gradient = lambda *a: jax.grad(f, has_aux=True)(*a)[0]
    return lambda p, s, x: jax.jvp(lambda p: gradient(p, s, x), (p,), (p,))

def close(got, expected):
    jax.tree.map(lambda g, e: np.testing.assert_allclose(g, e, rtol=0, atol=1e-12), got, expected)

specs = {"mesh": mesh, "in_specs": (P(), P(), P("d")), "out_specs": P()}
for made in (lambda f: jax.value_and_grad(f, has_aux=True), second):
    expected = jax.jit(made(loss(None)))(params, state, x)
    close(jax.jit(jax.shard_map(made(loss("d")), **specs))(params, state, x), expected)
    close(jax.jit(made(jax.shard_map(loss("d"), **specs)))(params, state, x), expected)

# The mean and the variance as outputs, too; and where types do not say what varies.
def values(x, scale):
    y, mean, var = ops.batch_norm(x, scale, 2 * scale)
    return jnp.tanh(y).sum() + jnp.sin(mean * var).sum()

def spread(check_vma):
    one = lambda x, s: ops.batch_norm(x, s, 2 * s, axis_name="d")
    each = jax.shard_map(one, mesh=mesh, in_specs=(P("d"), P()), out_specs=(P("d"), P(), P()), check_vma=check_vma)
    def values(x, scale):
        y, mean, var = each(x, scale)
        return jnp.tanh(y).sum() + jnp.sin(mean * var).sum()
    return values

def mapped(x, scale):
    one = jax.pmap(lambda x: ops.batch_norm(x, scale, 2 * scale, axis_name="d"), axis_name="d")
    y, mean, var = one(x.reshape(2, 2, 5, 2))
    return jnp.tanh(y).sum() + jnp.sin(mean * var)[0].sum()

scale = jnp.array([0.5, -2.0])
expected = jax.grad(values, (0, 1))(x, scale)
for f in (jax.jit(jax.grad(spread(True), (0, 1))), jax.jit(jax.grad(spread(False), (0, 1))), jax.grad(mapped, (0, 1))):
    close(f(x, scale), expected)
print("right")
"""


def test_on_two_devices_an_axis_name_is_the_whole_batch():
    flags = os.environ.get("XLA_FLAGS", "")
    environment = os.environ | {"XLA_FLAGS": f"{flags} --xla_force_host_platform_device_count=2"}
    run = subprocess.run([sys.executable, "-c", DEVICES], capture_output=True, text=True, env=environment)
    assert run.stdout.strip() == "right", run.stderr[-3000:]
