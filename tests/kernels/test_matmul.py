"""Convolutions with a window of one pixel as products of matrices: the numbers of a convolution, and where they run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import kernels, ops
from jaxcnn.kernels import library, matmul, xla
from tests.kernels.test_onednn import MAPS, assert_right, problem

needs_oneDNN = pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no oneDNN here")
PLAIN = {"stride": (1, 1), "padding": ((0, 0), (0, 0)), "dilation": (1, 1), "groups": 1}


def plain(axes):
    return {"stride": (1,) * axes, "padding": ((0, 0),) * axes, "dilation": (1,) * axes, "groups": 1}


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("batch", "sizes", "channels", "outputs"),
    [(3, (5, 7), 6, 11), (1, (1, 1), 33, 5), (2, (9,), 1, 1), (4, (2, 3, 4), 8, 3)],
    ids=str,
)
def test_the_three_maps(name, batch, sizes, channels, outputs):
    options = plain(len(sizes))
    arguments = problem(batch, sizes, (1,) * len(sizes), channels, outputs, options)[name]
    a, b, *rest = arguments
    got = jax.jit(lambda a, b: getattr(matmul, name)(a, b, *rest, xla.Options(**options)))(a, b)
    assert_right(got, name, *arguments, **options)


def test_bfloat16_gives_float32_where_that_is_asked_for():
    x, kernel = (one.astype(jnp.bfloat16) for one in problem(3, (5, 7), (1, 1), 40, 11, PLAIN)["fprop"])
    got = matmul.fprop(x, kernel, xla.Options(**PLAIN, preferred_element_type=jnp.dtype("float32")))
    assert_right(got, "fprop", x, kernel, **PLAIN)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("window", "options", "served"),
    [
        ((1, 1), {}, True),
        ((1, 1), {"dilation": (3, 2)}, True),
        ((1, 2), {}, False),
        ((1, 1), {"stride": (1, 2)}, False),
        ((1, 1), {"padding": ((0, 0), (0, 1))}, False),
        ((1, 1), {"padding": ((0, -1), (0, 0))}, False),
        ((1, 1), {"groups": 2}, False),
    ],
    ids=str,
)
def test_what_it_serves(name, window, options, served):
    options = PLAIN | options
    arguments = problem(2, (6, 6), window, 4, 8, options)[name]
    a, b, *sizes = arguments
    assert matmul.serves(name, xla.Options(**options), a, b, *sizes) == served


@needs_oneDNN
@pytest.mark.parametrize("name", MAPS)
def test_where_it_runs(name, by_table):
    by_table("matmul")
    a, b, *sizes = problem(2, (9, 9), (1, 1), 16, 32, PLAIN)[name]

    def lowered(platform="cpu"):
        compute = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN))
        text = compute.trace(a, b).lower(lowering_platforms=(platform,)).as_text()
        return {word for word in ("dot_general", "convolution", "custom_call") if f"stablehlo.{word}" in text}

    assert lowered() == {"dot_general"}
    assert lowered("cuda") == {"convolution"}
    with kernels.use("xla"):
        assert lowered() == {"convolution"}
    with kernels.use("onednn"):
        assert lowered() == {"custom_call"}


@needs_oneDNN
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_convolution_and_its_gradients_are_those_of_a_dense_layer(dtype, by_table):
    by_table("matmul")
    x, kernel = (jnp.asarray(one, dtype) for one in problem(3, (5, 7), (1, 1), 16, 32, PLAIN)["fprop"])

    def value_and_gradients(layer, kernel):
        return jax.jit(jax.value_and_grad(lambda x, kernel: jnp.sin(layer(x, kernel)).sum(), (0, 1)))(x, kernel)

    got, (dx, dkernel) = value_and_gradients(ops.conv, kernel)
    expected, (dense_dx, dense_dkernel) = value_and_gradients(ops.dense, kernel[0, 0])
    close = {"rtol": 0, "atol": 1e-5 if dtype == "float32" else 0.1}
    np.testing.assert_allclose(dx.astype("float32"), dense_dx.astype("float32"), **close)
    np.testing.assert_allclose(dkernel[0, 0].astype("float32"), dense_dkernel.astype("float32"), **close)
    np.testing.assert_allclose(
        got.astype("float32"), expected.astype("float32"), rtol=1e-5 if dtype == "float32" else 0.02
    )
