"""precision="bfloat16": operands rounded to bfloat16 in all three passes, results in float32 that nobody rounded."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn import kernels, layers, ops
from jaxcnn.kernels import library

OPTIONS = {"stride": (2, 1), "padding": ((1, 1), (0, 2)), "groups": 2}
CHOICES = ["auto", "xla"] + ["onednn"] * (not isinstance(library.find(), library.Missing))


def normal(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape, np.float32))


def rounded(a):
    """The nearest bfloat16, in float64."""
    return np.asarray(a.astype(jnp.bfloat16), np.float64)


X, KERNEL = normal(3, 7, 6, 8), normal(3, 3, 4, 10, seed=1)
DY = normal(3, 4, 6, 10, seed=2)


def exact():
    """y, dx and dkernel of the rounded operands, in float64 by XLA's convolution under autodiff."""
    with jax.enable_x64(True):
        x, kernel, dy = (jnp.asarray(rounded(a)) for a in (X, KERNEL, DY))
        y, pull = jax.vjp(lambda x, kernel: ops.conv.plain(x, kernel, None, dilation=(1, 1), **OPTIONS), x, kernel)
        return [np.asarray(a) for a in (y, *pull(dy))]


def assert_right(got, expected):
    for g, e in zip(got, expected, strict=True):
        assert g.dtype == np.float32
        np.testing.assert_allclose(g, e, rtol=0, atol=3e-6 * abs(e).max())


@pytest.mark.parametrize("kind", CHOICES)
def test_all_three_passes_round_their_operands_and_nothing_else(kind):
    with kernels.use(kind):
        y, pull = jax.vjp(lambda x, kernel: ops.conv(x, kernel, **OPTIONS, precision="bfloat16"), X, KERNEL)
        assert_right((y, *pull(DY)), exact())


def test_other_platforms_multiply_float32_whose_last_digits_are_0():
    """XLA for GPUs makes float32 of bfloat16 that is to give float32, without rounding; what is exported shows it."""

    def passes(x, kernel, dy):
        y, pull = jax.vjp(lambda x, kernel: ops.conv(x, kernel, **OPTIONS, precision="bfloat16"), x, kernel)
        return y, *pull(dy)

    exported = jax.export.export(jax.jit(passes), platforms=("cpu", "cuda", "tpu"))(X, KERNEL, DY)
    text = exported.mlir_module()
    assert "stablehlo.convolution" in text and "bf16" not in text
    assert_right(exported.call(X, KERNEL, DY), exact())


def test_the_gradients_as_operations_of_their_own():
    _, dx, dkernel = exact()
    assert_right([ops.conv_dgrad(DY, KERNEL, (7, 6), **OPTIONS, precision="bfloat16")], [dx])
    assert_right([ops.conv_wgrad(X, DY, (3, 3), **OPTIONS, precision="bfloat16")], [dkernel])


def test_transposed_convolution():
    _, dx, _ = exact()
    padding = {"padding": ((1, 1), (0, 2)), "stride": (2, 1), "groups": 2}
    got = ops.conv_transpose(DY, KERNEL, **padding, precision="bfloat16")
    assert_right([got], [dx])


def test_the_plain_forward_rounds_as_the_rule_does():
    with jaxcnn.backward("autodiff"):
        y = ops.conv(X, KERNEL, **OPTIONS, precision="bfloat16")
        dx = ops.conv_dgrad(DY, KERNEL, (7, 6), **OPTIONS, precision="bfloat16")
        dkernel = ops.conv_wgrad(X, DY, (3, 3), **OPTIONS, precision="bfloat16")
    assert_right((y, dx, dkernel), exact())


def test_jax_default_matmul_precision_is_followed_unless_an_argument_says_otherwise():
    y = ops.conv(X, KERNEL, **OPTIONS)
    with jax.default_matmul_precision("bfloat16"):
        np.testing.assert_array_equal(ops.conv(X, KERNEL, **OPTIONS, precision="float32"), y)
        assert_right([ops.conv(X, KERNEL, **OPTIONS)], exact()[:1])
    assert abs(y - exact()[0]).max() > 1e-3


@pytest.mark.parametrize("dtype", [jnp.float64, jnp.float16])
def test_other_dtypes_do_not_heed_it(dtype, x64):
    x, kernel = X.astype(dtype), KERNEL.astype(dtype)
    got = ops.conv(x, kernel, **OPTIONS, precision="bfloat16")
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, ops.conv(x, kernel, **OPTIONS))


@pytest.mark.parametrize(
    "net",
    [
        layers.Conv(4, precision="bfloat16"),
        layers.DepthwiseConv(precision="bfloat16"),
        layers.ConvTranspose(4, precision="bfloat16"),
        layers.WeightStandardizedConv(4, precision="bfloat16"),
    ],
    ids=lambda net: type(net).__name__,
)
def test_layers_hand_it_on(net):
    params, state = net.init(jax.random.key(0), jax.ShapeDtypeStruct(X.shape, X.dtype))
    y, _ = net.apply(params, state, X)
    plain, _ = type(net)(**vars(net) | {"precision": None}).apply(params, state, X)
    with jax.default_matmul_precision("bfloat16"):
        same, _ = type(net)(**vars(net) | {"precision": None}).apply(params, state, X)
    np.testing.assert_array_equal(y, same)
    assert abs(y - plain).max() > 1e-4


@pytest.mark.parametrize(
    "call, owner",
    [
        (lambda: ops.conv(X, KERNEL, groups=2, precision="bf16"), "conv"),
        (lambda: ops.conv_dgrad(DY, KERNEL, (7, 6), **OPTIONS, precision="bf16"), "conv_dgrad"),
        (lambda: ops.conv_transpose(DY, KERNEL, groups=2, precision="bf16"), "conv_transpose"),
        (lambda: layers.Conv(4, precision="bf16"), "Conv"),
        (lambda: layers.DepthwiseConv(precision="bf16"), "DepthwiseConv"),
    ],
)
def test_unknown_precisions_are_refused(call, owner):
    with pytest.raises(ValueError, match=f'{owner}: precision is \'bf16\'; expected "float32", "bfloat16", or None'):
        call()
