"""Batch normalisation's sums by the handlers: NumPy's numbers in float64, under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn import kernels, ops
from jaxcnn.kernels import library

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no handlers here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]

EPS = np.finfo(np.float32).eps


def drawn(shape, seed=0, offset=0.0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape, np.float32) + np.float32(offset), rng.standard_normal(shape, np.float32)


@jax.jit
def compute(x, dy):
    mean, var = kernels.moments(x)
    return mean, var, kernels.products(dy, x, mean)


def assert_right(x, dy):
    """Each sum within 16 ε of the sum of its terms' sizes; rounding mean to float32 moves the products, too."""
    mean, var, sums = compute(x, dy)
    wide, d, axes = np.asarray(x, np.float64), np.asarray(dy, np.float64), tuple(range(x.ndim - 1))
    centred = wide - np.asarray(mean, np.float64)
    for got, terms in [
        (mean, wide / wide[..., 0].size),
        (var, np.square(wide - wide.mean(axes)) / wide[..., 0].size),
        (sums[0], d),
        (sums[1], d * centred),
    ]:
        size = abs(terms).sum(axes)
        if got is var:  # x itself is rounded: so far may it move
            size = size + EPS * np.square(wide).mean(axes)
        error = abs(np.asarray(got, np.float64) - terms.sum(axes))
        assert got.dtype == jnp.float32 and got.shape == x.shape[-1:]
        assert np.all(error <= 16 * EPS * size), np.max(error / size)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.integers(1, 70),
    st.sampled_from([0.0, 3.0, -1e4]),
    st.integers(0, 99),
)
def test_any_shape(outer, channels, offset, seed):
    assert_right(*drawn((*outer, channels), seed, offset))


@pytest.mark.parametrize("shape", [(5000, 16), (4, 33, 31, 64), (3, 40, 50, 100), (100, 2048)], ids=str)
@pytest.mark.parametrize("offset", [0.0, 1e4], ids="offset={:g}".format)
def test_many_rows_shared_by_the_threads(shape, offset):
    assert_right(*drawn(shape, 1, offset))


def test_a_first_row_unlike_the_rest_costs_no_digits():
    """As where the image's border is black; a variance about the first row would lose them."""
    x, dy = drawn((4000, 8))
    x = x * np.float32(1e-2) + 100
    x[0] = 0
    assert_right(x, dy)


@pytest.mark.parametrize("scale", [1, 1e5])
@pytest.mark.parametrize(
    "rises", [np.linspace(-1, 1, 4000), np.arange(4000) > 300, np.arange(4000) // 256 % 2], ids=range(3)
)
def test_rows_far_from_those_before_cost_no_digits(rises, scale):
    """Each block is summed about the mean of the blocks before."""
    x, dy = drawn((4000, 43))
    assert_right(x + np.float32(scale) * rises[:, None].astype(np.float32), dy)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_channel(value):
    x, dy = drawn((50, 20))
    x[7, 3] = value
    for got in (*kernels.moments(jnp.asarray(x)), kernels.products(dy, jnp.asarray(x), jnp.zeros(20))[1]):
        assert list(np.flatnonzero(~np.isfinite(got))) == [3]


def lowered(dtype=jnp.float32, platform="cpu"):
    x = jnp.zeros((4, 3, 3, 8), dtype)
    train = jax.jit(jax.grad(lambda x: jnp.sin(ops.batch_norm(x, jnp.ones(8), jnp.zeros(8))[0]).sum()))
    return train.trace(x).lower(lowering_platforms=(platform,)).as_text()


def test_batch_norm_runs_on_them_on_a_cpu():
    assert "jaxcnn_moments" in lowered() and "jaxcnn_products" in lowered()
    assert "jaxcnn_moments" in lowered(jnp.bfloat16)  # whose statistics are float32
    assert "jaxcnn" not in lowered(platform="cuda")
    with kernels.use("xla"):
        assert "jaxcnn" not in lowered()


def test_float64_goes_to_XLA():
    with jax.enable_x64(True):
        assert "jaxcnn" not in lowered(jnp.float64)


def test_a_single_row_is_its_own_mean():
    mean, var = kernels.moments(jnp.arange(5.0))
    assert list(mean) == [0, 1, 2, 3, 4] and not var.any()


def test_no_rows_are_no_mean():
    mean, var = kernels.moments(jnp.zeros((0, 4)))
    assert np.isnan(mean).all() and np.isnan(var).all()


def both(compute, *arrays):
    """By the handlers, and by XLA."""
    found = []
    for kind in ("auto", "xla"):
        with kernels.use(kind):
            found.append(jax.jit(compute)(*arrays))
    return found


@pytest.mark.parametrize(
    "compute",
    [
        jax.vmap(lambda x, dy: kernels.products(dy, x, x.mean(0))),
        jax.vmap(lambda x, dy: kernels.moments(x + dy), in_axes=(1, 1)),
        lambda x, dy: jax.vjp(lambda x: kernels.moments(x), x)[1]((dy[0, 0], dy[0, 1])),
        lambda x, dy: jax.grad(lambda x, dy: jnp.sin(kernels.products(dy, x, dy[0, 0])[1]).sum(), (0, 1))(x, dy),
        lambda x, dy: jax.lax.scan(lambda total, row: (total + kernels.moments(row)[1], None), dy[0, 0], x)[0],
        lambda x, dy: jax.grad(jax.checkpoint(lambda x: jnp.sin(kernels.moments(x * dy)[1]).sum()))(x),
    ],
    ids=["vmap", "vmap along another axis", "vjp", "grad", "scan", "checkpoint"],
)
def test_transformations(compute):
    x, dy = drawn((6, 4, 3))
    for got, expected in zip(*map(jax.tree.leaves, both(compute, x, dy)), strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


def test_a_second_derivative_of_batch_norm():
    x, dy = drawn((5, 4, 4, 3))

    def twice(x):
        first = jax.grad(lambda x: (dy * jnp.sin(ops.batch_norm(x, jnp.ones(3), jnp.zeros(3))[0])).sum())
        return jax.grad(lambda x: (first(x) ** 2).sum())(x)

    got, expected = both(twice, x)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
