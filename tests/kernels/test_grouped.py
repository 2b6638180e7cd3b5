"""Groups on a CPU: the same numbers as loops, whatever the geometry."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import kernels
from jaxcnn.kernels import grouped
from jaxcnn.kernels.xla import Options
from jaxcnn.verify.catalog.naive import NAIVE

# sizes, window, stride, padding, dilation
GEOMETRY = {
    "1-d": ((7,), (3,), (2,), ((1, 0),), (1,)),
    "same": ((5, 4), (3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "remainder": ((6, 5), (2, 3), (3, 2), ((0, 1), (2, 0)), (1, 1)),
    "dilation": ((6, 7), (2, 3), (2, 1), ((1, 0), (2, 2)), (2, 3)),
    "stride > kernel": ((7, 7), (2, 1), (3, 4), ((0, 0), (0, 0)), (1, 1)),
    "padding > kernel": ((3, 4), (1, 2), (1, 2), ((2, 3), (3, 2)), (1, 1)),
    "3-d": ((4, 3, 3), (2, 1, 2), (1, 2, 1), ((0, 1), (0, 0), (1, 1)), (1, 1, 1)),
}
# groups, inputs and outputs of each
CHANNELS = {"depthwise": (3, 1, 1), "multiplier": (2, 1, 3), "groups": (2, 3, 2)}


@pytest.mark.parametrize("channels", CHANNELS)
@pytest.mark.parametrize("geometry", GEOMETRY)
@pytest.mark.parametrize("batch", [0, 2])
def test_all_three_maps_equal_loops(geometry, channels, batch, x64):
    sizes, window, stride, padding, dilation = GEOMETRY[geometry]
    groups, inputs, outputs = CHANNELS[channels]
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    rng = np.random.default_rng(0)
    x = rng.standard_normal((batch, *sizes, groups * inputs))
    kernel = rng.standard_normal((*window, inputs, groups * outputs))
    y = NAIVE["conv"](x, kernel, **options)
    dy = rng.standard_normal(y.shape)
    at = Options(**options)

    @jax.jit
    def three(x, kernel, dy):
        return grouped.fprop(x, kernel, at), grouped.dgrad(dy, kernel, sizes, at), grouped.wgrad(x, dy, window, at)

    dx, dkernel = NAIVE["conv_dgrad"](dy, kernel, sizes, **options), NAIVE["conv_wgrad"](x, dy, window, **options)
    for got, expected in zip(three(x, kernel, dy), (y, dx, dkernel), strict=True):
        assert got.shape == expected.shape
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", CHANNELS)
def test_half_precision_is_summed_in_float32(channels):
    """100 products of 1 and 1/256: in bfloat16 a sum of 1 and more would swallow them."""
    groups, inputs, outputs = CHANNELS[channels]
    options = Options(stride=(1,), padding=((0, 0),), dilation=(1,), groups=groups)
    x = jnp.full((1, 100, groups * inputs), 1 / 256, jnp.bfloat16).at[:, 0].set(1)
    kernel = jnp.ones((100, inputs, groups * outputs), jnp.bfloat16)
    y = jax.jit(lambda x, kernel: grouped.fprop(x, kernel, options))(x, kernel)
    assert y.dtype == jnp.bfloat16
    expected = inputs * (1 + 99 / 256)
    np.testing.assert_allclose(np.asarray(y, np.float32), expected, rtol=2**-8)


def test_groups_go_their_own_way_on_a_cpu_only():
    options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 2}
    x, kernel = jax.ShapeDtypeStruct((1, 5, 4), np.float32), jax.ShapeDtypeStruct((3, 2, 4), np.float32)
    with kernels.use("xla"):
        traced = jax.jit(lambda x, kernel: kernels.fprop(x, kernel, **options)).trace(x, kernel)
    for platform, feature_groups in [("cpu", {"1"}), ("cuda", {"2"})]:
        text = traced.lower(lowering_platforms=(platform,)).as_text()
        found = {
            line.split("feature_group_count = ")[1].split()[0] for line in text.splitlines() if "feature_group" in line
        }
        assert found == feature_groups


@pytest.mark.parametrize(
    "name, shapes, sizes", [("fprop", ((1, 80, 2), (65, 1, 2)), ()), ("wgrad", ((1, 80, 2), (1, 16, 2)), ((65,),))]
)
def test_many_taps_are_not_written_out(name, shapes, sizes):
    """A depthwise convolution with a kernel this long is XLA's own, one equation, which compiles at once."""
    options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 2}
    arrays = [jax.ShapeDtypeStruct(shape, np.float32) for shape in shapes]
    with kernels.use("xla"):
        traced = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **options)).trace(*arrays)
    assert traced.lower(lowering_platforms=("cpu",)).as_text().count("stablehlo.convolution") == 1
