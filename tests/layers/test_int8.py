"""Kernels in 8 bits."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.layers import (
    BatchNorm,
    Conv,
    ConvTranspose,
    Dense,
    DepthwiseConv,
    Int8,
    SpectralNorm,
    WeightStandardizedConv,
    chain,
    dequantise,
    quantise,
    residual,
)
from tests.models.weights import random_weights


@pytest.mark.parametrize(
    "layer, out",
    [
        (Conv(6), -1),
        (Conv(6, groups=2), -1),
        (DepthwiseConv(multiplier=2), -1),
        (ConvTranspose(6, 2), -2),
        (Dense(3), -1),
    ],
)
def test_each_output_channel_has_a_scale_and_a_weight_moves_by_half_of_it(layer, out):
    params, _ = random_weights(layer, (5, 5, 4))
    kernel = params["kernel"]
    kernel[..., :1] *= 100  # one channel is larger, and costs the others nothing
    kept = quantise(layer, params)["kernel"]
    assert isinstance(kept, Int8) and kept.values.dtype == jnp.int8 and kept.values.shape == kernel.shape
    assert kept.scale.size == kernel.shape[out] == kept.scale.shape[out]
    others = tuple(axis for axis in range(kernel.ndim) if axis != out % kernel.ndim)
    largest = np.abs(kernel).max(others, keepdims=True)
    np.testing.assert_allclose(kept.scale, largest / 127, rtol=1e-6)
    assert (np.abs(kept.values).max(others) == 127).all()
    back = dequantise({"kernel": kept})["kernel"]
    assert (np.abs(back - kernel) <= 0.5001 * kept.scale).all()


def test_only_kernels_that_are_used_as_they_are():
    network = chain(
        conv=Conv(4),
        bn=BatchNorm(),
        block=residual(chain(conv=Conv(4, use_bias=False))),
        ws=WeightStandardizedConv(4),
        sn=SpectralNorm(Conv(4)),
    )
    params, _ = random_weights(network, (5, 5, 4))
    kept = quantise(network, params)
    assert isinstance(kept["conv"]["kernel"], Int8) and isinstance(kept["block"]["body"]["conv"]["kernel"], Int8)
    for same in (("conv", "bias"), ("bn", "scale"), ("ws", "kernel"), ("sn", "kernel")):
        assert kept[same[0]][same[1]] is params[same[0]][same[1]]
    assert jax.tree.structure(dequantise(kept)) == jax.tree.structure(params)


def test_zero_stays_zero_and_dtypes_what_they_were():
    kernel = jnp.zeros((3, 3, 2, 2), jnp.bfloat16).at[0, 0, 0, 0].set(3)
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        back = jax.jit(lambda params: dequantise(quantise(Conv(2), params)))({"kernel": kernel})["kernel"]
    assert back.dtype == jnp.bfloat16
    np.testing.assert_allclose(np.float32(back), np.float32(kernel), rtol=0.01)
