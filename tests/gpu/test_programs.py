"""What a GPU is given to compute: cuDNN's convolutions, nothing of a CPU's, and no more memory than is used."""

import re

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn import kernels, ops
from jaxcnn.cli.amounts import memory_in_use
from jaxcnn.data import room
from jaxcnn.interop import stablehlo
from jaxcnn.report.machine import machine
from tests.models.test_models import SMALL, smallest
from tests.models.weights import random_weights

X, KERNEL = jnp.ones((8, 16, 16, 32)), jnp.ones((3, 3, 32, 64))


def compiled(function, *arrays):
    """What XLA made of it, and the functions that it calls."""
    text = jax.jit(function).lower(*arrays).compile().as_text()
    return text, set(re.findall(r'custom_call_target="([^"]*)"', text))


def passes(x, kernel):
    def normed(x, kernel):
        return ops.batch_norm(ops.conv(x, kernel), jnp.ones(64), jnp.zeros(64))[0]

    y, pull = jax.vjp(normed, x, kernel)
    return y, *pull(jnp.cos(y))


def test_convolutions_are_cudnns_in_all_three_passes(on_gpu):
    for choice in ("auto", "fast", "xla"):
        with kernels.use(choice):
            text, called = compiled(lambda x, kernel: passes(x, kernel), X, KERNEL)
        assert not [name for name in called if name.startswith("jaxcnn")]
        assert text.count('custom_call_target="__cudnn$conv') == 3
        assert "f64[" not in text


def test_an_exported_network_answers_here():
    network, (shape, _) = smallest("resnet20"), SMALL["resnet20"]
    params, state = random_weights(network, shape)
    exported = jax.export.deserialize(bytearray(stablehlo.dump(network, params, state, shape)))
    x = np.random.default_rng(0).standard_normal((3, *shape), np.float32)
    found = exported.call(x)
    assert found.devices() == {jax.devices()[0]}
    expected = np.asarray(jax.jit(network)(params, state, x))
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-3 * np.abs(expected).max())


def test_the_machine_and_its_memory_are_told():
    here = machine()
    assert here.device and here.processor and here.versions["jax"] == jax.__version__
    assert 2**28 < room.memory() <= 2**50


def test_the_GPU_has_a_name_and_memory_of_its_own(on_gpu):
    here, (device, *_) = machine(), jax.devices()
    assert here.device == device.device_kind != here.processor
    assert ", GPU " in memory_in_use()
    assert room.memory() <= device.memory_stats()["bytes_limit"]
