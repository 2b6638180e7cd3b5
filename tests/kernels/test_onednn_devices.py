"""The oneDNN kernels on eight host devices: every device computes its part of the batch, and none sees all of it."""

import json
import os
import subprocess
import sys

import pytest

from jaxcnn.kernels import library

MISSING = library.find()
pytestmark = pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no oneDNN here: {MISSING}")

# JAX is told the number of its devices before it starts, so this is a process of its own.
PROGRAM = """
import json
import jax, jax.numpy as jnp, numpy as np
from jax import shard_map
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P
from jaxcnn import kernels, ops
from jaxcnn.kernels import direct, xla

mesh, explicit = (
    jax.make_mesh((8,), ("data",), axis_types=(kind,)) for kind in (AxisType.Auto, AxisType.Explicit)
)
rng = np.random.default_rng(0)
x, kernel, dy = (jnp.asarray(rng.standard_normal(s), jnp.float32) for s in [(16, 6, 5, 4), (3, 3, 4, 8), (16, 6, 5, 8)])
options = dict(stride=(1, 1), padding=((1, 1), (1, 1)), dilation=(1, 1), groups=1)


def loss(kernel, x):
    x = ops.relu(ops.conv(x, kernel))
    return jnp.sin(ops.conv(x, kernel.repeat(2, 2), stride=2)).sum()


maps = {
    "fprop": (lambda a, b: kernels.fprop(a, b, **options), x, kernel, P()),
    "dgrad": (lambda a, b: kernels.dgrad(a, b, (6, 5), **options), dy, kernel, P()),
    "wgrad": (lambda a, b: kernels.wgrad(a, b, (3, 3), **options), x, dy, P("data")),
    "training": (lambda a, b: jax.grad(loss)(b, a), x, kernel, P()),
    "moments": (lambda a, b: jnp.stack(kernels.moments(a)) + b, x, dy[0, 0, 0, :4], P()),
    "products": (lambda a, b: jnp.stack(kernels.products(a, b, a[0, 0, 0])), x, x + 1, P("data")),
    "pooling": (lambda a, b: jax.vjp(lambda a: ops.max_pool(a, 3, stride=1, padding=1), a)[1](b)[0], x, -x, P("data")),
    "vmap": (jax.vmap(lambda a, b: kernels.wgrad(a[None], b[None], (3, 3), **options)), x, dy, P("data")),
}
maps["direct"] = (lambda a, b: direct.fprop(a, b, xla.Options(**options)), x, kernel, P())
maps["direct wgrad"] = (lambda a, b: direct.wgrad(a, b, (3, 3), xla.Options(**options)), x, dy, P("data"))
wide = [jnp.asarray(rng.standard_normal(s), jnp.float32) for s in [(64, 6, 5, 32), (3, 3, 32, 40)]]
maps["winograd"] = (lambda a, b: jax.grad(lambda b: jnp.sin(ops.conv(a, b) / 15).sum())(b), *wide, P())
each = options | {"groups": 8}
maps["depthwise"] = (
    lambda a, b: jax.grad(lambda b: jnp.sin(kernels.fprop(a, b, **each)).sum())(b), dy, kernel[:, :, :1], P()
)
found = {}
for name, (f, a, b, of_b) in maps.items():
    with kernels.use("xla"):
        expected = f(a, b)
    with kernels.use("auto" if name in ("winograd", "depthwise") else "onednn"):
        sharded = [jax.device_put(v, NamedSharding(mesh, s)) for v, s in [(a, P("data")), (b, of_b)]]
        compiled = jax.jit(f).lower(*sharded).compile()
        got = compiled(*sharded)
        text = compiled.as_text()
    found[name] = {
        "error": float(abs(got - expected).max() / abs(expected).max()),
        "calls": [line.split(" = ")[1].split("{")[0] for line in text.splitlines() if 'target="jaxcnn_' in line],
        "gathers": text.count("all-gather"),
        "sums": text.count(" all-reduce("),
        "sharded": not got.sharding.is_fully_replicated,
    }


def by_hand(x, kernel, dy):
    y = jnp.sin(kernels.fprop(x, kernel, **options)) + dy
    dkernel = jax.lax.psum(kernels.wgrad(x, y, (3, 3), **options), "data")
    return y, dkernel, jax.lax.pmean(kernels.moments(y)[0], "data")


with kernels.use("onednn"):
    specs = P("data"), P(), P("data")
    results = P("data"), P(), P()
    got = jax.jit(shard_map(by_hand, mesh=mesh, in_specs=specs, out_specs=results))(x, kernel, dy)
with kernels.use("xla"):
    y = jnp.sin(kernels.fprop(x, kernel, **options)) + dy
    expected = y, kernels.wgrad(x, y, (3, 3), **options), kernels.moments(y)[0]
found["shard_map"] = max(float(abs(g - e).max() / abs(e).max()) for g, e in zip(got, expected))


def network(kernel, x):
    x = ops.conv(x, kernel)
    x = ops.batch_norm(x, kernel[0, 0, 0], kernel[0, 0, 1])[0]
    x = ops.max_pool(x, 2, stride=1, padding="SAME")
    x = ops.group_norm(x, kernel[0, 1, 0], kernel[0, 1, 1], groups=2)
    return jnp.square(ops.dense(ops.flatten(x), jnp.sin(jnp.arange(720.0)).reshape(240, 3))).mean()


expected = jax.grad(network, (0, 1))(kernel, x)
with kernels.use("onednn"):
    compiled = jax.jit(jax.grad(network, (0, 1))).lower(kernel, jax.device_put(x, NamedSharding(explicit, P("data"))))
    compiled = compiled.compile()
    got = compiled(kernel, jax.device_put(x, NamedSharding(explicit, P("data"))))
found["explicit"] = {
    "error": max(float(abs(g - e).max() / abs(e).max()) for g, e in zip(got, expected)),
    "calls": [line.split(" = ")[1].split("{")[0] for line in compiled.as_text().splitlines() if '"jaxcnn_' in line],
    "gathers": compiled.as_text().count("all-gather"),
    "cut": [str(g.sharding.spec[:1]) for g in got],
}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found():
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.parametrize(
    "name", ["fprop", "dgrad", "wgrad", "training", "vmap", "moments", "products", "pooling", "direct", "depthwise"]
)
def test_a_sharded_batch_is_right_and_never_gathered(found, name):
    assert found[name]["error"] < 1e-5
    assert found[name]["gathers"] == 0
    assert found[name]["calls"]


@pytest.mark.parametrize(
    "name, shape",
    [("fprop", "f32[2,6,5,8]"), ("direct", "f32[2,6,5,8]"), ("dgrad", "f32[2,6,5,4]"), ("vmap", "f32[2,3,3,4,8]")],
)
def test_each_device_computes_its_part_of_the_batch(found, name, shape):
    assert found[name]["calls"] == [shape]
    assert found[name]["sharded"] and not found[name]["sums"]


def test_depthwise_kernel_gradients_are_summed_over_the_devices(found):
    assert sorted(found["depthwise"]["calls"]) == ["f32[2,6,5,8]", "f32[3,3,1,8]"]


def test_winograds_kernel_gradients_are_summed_over_the_devices(found):
    assert sorted(found["winograd"]["calls"]) == ["f32[3,3,32,40]", "f32[8,6,5,40]"]
    assert found["winograd"]["error"] < 1e-5
    assert found["winograd"]["sums"] == 1 and found["winograd"]["gathers"] == 0


@pytest.mark.parametrize("name", ["wgrad", "direct wgrad"])
def test_kernel_gradients_are_summed_over_the_devices(found, name):
    assert found[name]["error"] < 1e-5
    assert found[name]["calls"] == ["f32[3,3,4,8]"]
    assert found[name]["sums"] == 1 and not found[name]["sharded"]


@pytest.mark.parametrize("name", ["moments", "products"])
def test_sums_are_put_together_from_those_of_the_devices(found, name):
    assert len(found[name]["calls"]) == 1 and found[name]["sums"] in (1, 2)


def test_explicit_axes(found):
    """Where a type says how its array is cut up, our kernels compute the parts all the same."""
    assert found["explicit"]["error"] < 1e-5
    assert found["explicit"]["gathers"] == 0
    assert found["explicit"]["calls"]
    assert found["explicit"]["cut"] == ["()", "('data',)"]


def test_shard_map(found):
    assert found["shard_map"] < 1e-5
