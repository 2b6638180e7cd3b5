"""Max pooling by the handlers: NumPy's numbers, under every transformation."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn import kernels, ops
from jaxcnn.kernels import library
from jaxcnn.ops.pool.windows import along_axes

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no handlers here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]


def drawn(shape, seed=0):
    """Few values, so that many are equal: -inf among them, and both zeros."""
    values = np.array([-np.inf, -1, -0.0, 0, 0.5, 2, 2, 3], np.float32)
    return values[np.random.default_rng(seed).integers(0, len(values), shape)]


def expected(x, dy, axes):
    """y and dx by NumPy, whose argmax takes the first maximum, and of NaN the first."""
    y, dx = np.full(dy.shape, np.nan, np.float32), np.zeros(x.shape)
    n, c = np.arange(len(x))[:, None], np.arange(x.shape[-1])
    for place in itertools.product(*map(range, dy.shape[1:-1])):
        inside = []
        for o, windows, length in zip(place, axes, x.shape[1:-1], strict=True):
            at = o * windows.stride - windows.pads[0] + np.arange(windows.size) * windows.dilation
            inside.append(at[(at >= 0) & (at < length)])
        window = x[np.ix_(np.arange(len(x)), *inside, c)].reshape(len(x), -1, x.shape[-1])
        first = window.argmax(1)
        y[:, *place] = window[n, first, c]
        at = [taps[i] for taps, i in zip(inside, np.unravel_index(first, [*map(len, inside)]), strict=True)]
        np.add.at(dx, (n, *at, c), dy[:, *place])
    return y, dx


@jax.jit(static_argnums=2)
def compute(x, dy, axes):
    y, winners = kernels.maxima(x, axes)
    return y, kernels.spread(dy, winners, axes, x.shape[1:-1]), kernels.maximum(x, axes)


def assert_right(x, axes, seed=0):
    """y to the bit; dx as far as sums of a few numbers are rounded."""
    places = [windows.places(length) for windows, length in zip(axes, x.shape[1:-1], strict=True)]
    shape = len(x), *places, x.shape[-1]
    dy = np.random.default_rng(seed).standard_normal(shape, np.float32)
    y, dx, alone = compute(x, dy, axes)
    should = expected(x, dy, axes)
    np.testing.assert_array_equal(y, should[0])
    np.testing.assert_array_equal(alone, should[0])
    np.testing.assert_allclose(dx, should[1], rtol=1e-5, atol=1e-5)


@st.composite
def windows(draw):
    """An image's shape, and windows of which each has a tap inside."""
    rank = draw(st.integers(1, 3))
    sizes, options = [], []
    for _ in range(rank):
        size, stride, dilation = (draw(st.integers(1, most)) for most in (5, 4, 3))
        span = (size - 1) * dilation + 1
        pads = tuple(draw(st.integers(0, size - 1)) if dilation == 1 else 0 for _ in range(2))
        sizes.append(draw(st.integers(max(1, span - sum(pads)), span + 6)))
        options.append((size, stride, pads, dilation))
    channels = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 11, 16, 17, 20, 33]))
    return (draw(st.integers(1, 3)), *sizes, channels), along_axes(*zip(*options, strict=True))


def touch(shape, axes):
    for along, length in zip(axes, shape[1:-1], strict=True):
        at = along.positions(length)
        if not ((at >= 0) & (at < length)).any(1).all():
            return False
    return True


@settings(max_examples=60, deadline=None)
@given(windows().filter(lambda drawn: touch(*drawn)), st.integers(0, 99))
def test_any_windows(problem, seed):
    shape, axes = problem
    assert_right(drawn(shape, seed), axes, seed)


@pytest.mark.parametrize(
    "shape, size, stride, padding",
    [
        ((4, 57, 55, 24), 3, 2, 1),
        ((1, 90, 61, 12), 3, 2, 1),
        ((64, 28, 28, 6), 2, 2, 0),
        ((5, 40, 40, 20), 24, 1, 0),
        ((2, 90, 31, 6), 40, 3, 7),
        ((3, 60, 50, 3), 1, 7, 0),
        ((40, 700, 3), 255, 5, 100),
        ((2, 11, 30, 31, 5), 3, 2, 1),
    ],
    ids=str,
)
def test_many_rows_shared_by_the_threads(shape, size, stride, padding):
    rank = len(shape) - 2
    assert_right(drawn(shape), along_axes((size,) * rank, (stride,) * rank, ((padding, padding),) * rank))


def test_the_first_nan_wins():
    x = drawn((4, 12, 11, 18))
    x[np.random.default_rng(1).random(x.shape) < 0.1] = np.nan
    assert_right(x, along_axes((3, 3), (2, 2), ((1, 1), (1, 1))))


def test_a_window_of_minus_infinity_gives_its_gradient_to_its_first_entry_and_not_to_padding():
    x = np.full((2, 5, 5, 3), -np.inf, np.float32)
    assert_right(x, along_axes((3, 3), (2, 2), ((1, 1), (1, 1))))


def lowered(compute, dtype=jnp.float32, platform="cpu", shape=(4, 6, 6, 8)):
    return jax.jit(compute).trace(jnp.zeros(shape, dtype)).lower(lowering_platforms=(platform,)).as_text()


def pooled(x):
    return ops.max_pool(x, 3, stride=2, padding=1)


def gradient(x):
    return jax.grad(lambda x: jnp.sin(pooled(x)).sum())(x)


def test_max_pool_runs_on_them_on_a_cpu():
    text = lowered(gradient)
    assert "@jaxcnn_max_pool(" in text and "@jaxcnn_max_pool_backward(" in text
    for other in (
        lowered(gradient, jnp.float16),
        lowered(gradient, platform="cuda"),
        lowered(gradient, shape=(0, 4, 4, 1)),
    ):
        assert "jaxcnn" not in other
    with kernels.use("xla"):
        assert "jaxcnn" not in lowered(gradient)


def test_winners_are_written_only_for_a_derivative():
    assert "ui8" in lowered(gradient)
    assert "@jaxcnn_max_pool(" in lowered(pooled) and "ui8" not in lowered(pooled)
    assert "ui8" not in lowered(jax.vmap(pooled), shape=(2, 3, 5, 5, 4))


def test_windows_of_more_taps_than_a_byte_counts_go_to_XLA():
    x = jnp.zeros((1, 300, 1))
    assert "jaxcnn" in jax.jit(lambda x: ops.max_pool(x, 255)).lower(x).as_text()
    assert "jaxcnn" not in jax.jit(lambda x: ops.max_pool(x, 256)).lower(x).as_text()


def test_float64_goes_to_XLA():
    with jax.enable_x64(True):
        assert "jaxcnn" not in lowered(gradient, jnp.float64)


def test_an_exported_program_is_XLAs():
    exported = jax.export.export(jax.jit(gradient))(jax.ShapeDtypeStruct((4, 6, 6, 8), jnp.float32))
    assert "jaxcnn" not in exported.mlir_module()


def both(compute, *arrays):
    """By the handlers, and by XLA."""
    found = []
    for kind in ("auto", "xla"):
        with kernels.use(kind):
            found.append(jax.jit(compute)(*arrays))
    return found


def pull(x, dy):
    return jax.vjp(pooled, x)[1](dy)[0]


@pytest.mark.parametrize(
    "compute",
    [
        jax.vmap(pull),
        lambda x, dy: jax.vmap(pull, in_axes=(3, 1), out_axes=1)(jnp.moveaxis(x, 0, 3), jnp.moveaxis(dy, 0, 1)),
        lambda x, dy: jax.vmap(lambda dy: pull(x[0], dy))(dy),
        lambda x, dy: jax.vmap(lambda x: pooled(x))(x[:0]),
        lambda x, dy: jax.jvp(pooled, (x[0],), (jnp.cos(x[1]),)),
        lambda x, dy: jax.jvp(lambda x: jax.grad(lambda x: jnp.sin(pooled(x)).sum())(x), (x[0],), (x[1],)),
        lambda x, dy: jax.grad(lambda x: jnp.square(jax.grad(lambda x: jnp.exp(pooled(x)).sum())(x)).sum())(x[0]),
        lambda x, dy: jax.lax.scan(lambda total, one: (total + pull(*one), None), x[0], (x, dy))[0],
        lambda x, dy: jax.grad(jax.checkpoint(lambda x: jnp.sin(pooled(x)).sum()))(x[0]),
    ],
    ids=[
        "vmap",
        "vmap along other axes",
        "vmap of dy",
        "vmap of none",
        "jvp",
        "jvp of grad",
        "grad of grad",
        "scan",
        "checkpoint",
    ],
)
def test_transformations(compute):
    rng = np.random.default_rng(0)
    x, dy = (jnp.asarray(rng.standard_normal((4, *shape)), jnp.float32) for shape in [(3, 7, 6, 5), (3, 4, 3, 5)])
    x = x.at[:, :, 0].set(1.0)  # ties
    for got, should in zip(*map(jax.tree.leaves, both(compute, x, dy)), strict=True):
        np.testing.assert_allclose(got, should, rtol=2e-5, atol=2e-5)
