"""Whole runs of a small network on digits: they learn, repeat, go on where they stopped, and lie on the GPU."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcnn import ops
from jaxcnn.train.feed import InMemory, Order
from jaxcnn.train.loop import train
from jaxcnn.train.placement import ONE_DEVICE, OnMesh
from jaxcnn.train.state import TrainState
from jaxcnn.train.step import make_train_step
from tests.switches import ROOT
from tests.train.tiny import config, tiny

# In a process of its own, since XLA reads this when it starts: by itself it takes whichever of cuDNN's algorithms is
# fastest, of which some add in an order that is another each time.
THE_SAME_EACH_TIME = "--xla_gpu_deterministic_ops=true"
RESUMED = """
import hashlib, json, sys
import jax, numpy as np
from pathlib import Path
from jaxcnn.train.loop import train
from tests.train.test_loop import CtrlC
from tests.train.tiny import STEPS, config

def digest(result):
    arrays = jax.tree.leaves((result.state.params, result.state.state))
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()

there = Path(sys.argv[1])
whole = [digest(train(config(there / str(i)))) for i in range(2)]
train(config(there / "stopped"), CtrlC(STEPS + 3))
print(json.dumps([*whole, digest(train(config(there / "stopped", resume=True)))]))
"""


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "mixed", "float16"])
def test_a_run_learns(precision, tmp_path):
    result = train(config(tmp_path, precision=precision))
    first, last = result.run.metrics()
    assert last["train_loss"] < first["train_loss"]
    assert result.evaluation.accuracy > 0.2  # chance is 0.1
    assert all(a.devices() == {jax.devices()[0]} for a in jax.tree.leaves(result.state.params))


def test_resumed_it_ends_in_the_same_bits(tmp_path):
    environment = os.environ | {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {THE_SAME_EACH_TIME}",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }
    done = subprocess.run(
        [sys.executable, "-c", RESUMED, str(tmp_path)], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    first, second, resumed = json.loads(done.stdout.splitlines()[-1])
    assert first == second == resumed


def test_images_lie_on_the_device_and_batches_are_gathered_there():
    images = np.random.default_rng(0).integers(0, 256, (16, 4, 4, 1), np.uint8)
    labels = np.arange(16, dtype=np.int32)
    order = Order(labels, 4, seed=0, balanced=False)
    feed = InMemory(images, labels, order, ONE_DEVICE)
    with jax.transfer_guard_device_to_host("disallow"):
        batches = list(feed.rest_of_epoch(0))
    for (x, y), rows in zip(batches, order.rest_of_epoch(0), strict=True):
        assert x.devices() == y.devices() == {jax.devices()[0]} and x.dtype == np.uint8
        np.testing.assert_array_equal(x, images[rows])
        np.testing.assert_array_equal(y, labels[rows])


def test_code_for_several_devices_takes_one():
    """The same step, its arrays on a mesh of a single device."""
    network, optimizer = tiny(), optax.sgd(0.1)
    mesh = jax.make_mesh((1,), ("data",), (jax.sharding.AxisType.Auto,), devices=jax.devices()[:1])
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), np.uint8)
    labels, described = np.arange(8, dtype=np.int32), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)
    found = []
    for placement in (ONE_DEVICE, OnMesh(mesh, {"*": "largest"}, smallest=1)):
        params, state = network.init(jax.random.key(0), described)
        start = TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(1))
        step = make_train_step(
            network, optimizer, ops.softmax_cross_entropy, normalise=lambda x: x / 255, placement=placement
        )
        after, metrics = step(jax.jit(placement.kept)(start), *placement.batch((images, labels)))
        found.append((after.params, metrics.loss))
    for one, meshed in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(meshed, one, rtol=0, atol=2e-3 * max(1e-3, float(np.abs(one).max())))


def test_the_old_state_is_given_away():
    """So that a step needs the memory of one state, and not of two."""
    network, optimizer = tiny(), optax.adam(1e-3)
    params, state = network.init(jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32))
    start = TrainState(params, state, optimizer.init(params), jnp.int32(0), jax.random.key(1))
    step = make_train_step(network, optimizer, ops.softmax_cross_entropy, normalise=lambda x: x / 255)
    step(start, np.zeros((4, 8, 8, 1), np.uint8), np.zeros(4, np.int32))
    assert all(a.is_deleted() for a in jax.tree.leaves((start.params, start.opt_state)))
