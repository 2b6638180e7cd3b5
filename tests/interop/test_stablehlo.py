"""Networks as StableHLO: what `jax.export` makes of the file alone."""

import re

import jax
import numpy as np
import pytest

from jaxcnn.interop import stablehlo
from jaxcnn.layers import dequantise, quantise
from tests.models.test_models import SMALL, smallest
from tests.models.weights import random_weights


@pytest.mark.parametrize("name", ["resnext50_32x4d", "efficientnet_b0", "convnext_tiny", "densenet121", "unet"])
def test_networks_of_any_batch_and_nothing_of_ours(name):
    network, (shape, _) = smallest(name), SMALL[name]
    params, state = random_weights(network, shape)
    exported = jax.export.deserialize(bytearray(stablehlo.dump(network, params, state, shape)))
    assert exported.platforms == ("cpu", "cuda", "tpu")
    called = set(re.findall(r"stablehlo\.custom_call @(\w+)", exported.mlir_module()))
    assert called <= {"shape_assertion", "Sharding"}, "a handler that is not where the file is loaded"
    x = np.random.default_rng(1).standard_normal((3, *shape), np.float32)
    expected = jax.jit(network)(params, state, x)
    for n in (1, 3):
        np.testing.assert_allclose(
            exported.call(x[:n]), expected[:n], rtol=0, atol=1e-5 * np.abs(np.asarray(expected)).max()
        )


def test_kernels_in_8_bits():
    network, (shape, _) = smallest("vgg11"), SMALL["vgg11"]
    params, state = random_weights(network, shape)
    kept = quantise(network, params)
    file, whole = stablehlo.dump(network, kept, state, shape), stablehlo.dump(network, params, state, shape)
    kernels = sum(a.size for path, a in jax.tree.leaves_with_path(params) if path[-1].key == "kernel")
    assert len(whole) - len(file) > 2.5 * kernels
    x = np.random.default_rng(1).standard_normal((2, *shape), np.float32)
    expected = np.asarray(jax.jit(network)(dequantise(kept), state, x))
    found = jax.export.deserialize(bytearray(file)).call(x)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
