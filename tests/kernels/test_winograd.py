"""Winograd's algorithm: the numbers of XLA's in float64 on any geometry, and taken only where it should be."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn import kernels, ops
from jaxcnn.kernels import library, winograd, xla
from tests.kernels.machine import has_bfloat16, multiplies_bfloat16
from tests.kernels.threads import in_two_threads

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no oneDNN here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]

needs_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="oneDNN has bfloat16 with AVX-512 only")

MAPS = ("fprop", "dgrad", "wgrad")
PLAIN = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


def problem(batch, sizes, channels, outputs, padding=PLAIN["padding"], seed=0, groups=1):
    """The operands of the three maps, normally distributed, and how many products each result sums at most.

    The channels are those of a group.
    """
    rng = np.random.default_rng(seed)
    out = [size + low + high - 2 for size, (low, high) in zip(sizes, padding, strict=True)]
    x = rng.standard_normal((batch, *sizes, groups * channels), np.float32)
    kernel = rng.standard_normal((3, 3, channels, groups * outputs), np.float32)
    dy = rng.standard_normal((batch, *out, groups * outputs), np.float32)
    return {
        "fprop": ((x, kernel), 9 * channels),
        "dgrad": ((dy, kernel, sizes), 9 * outputs),
        "wgrad": ((x, dy, (3, 3)), batch * out[0] * out[1]),
    }


def errors(got, name, a, b, *sizes, products, **options):
    """In units of a sum of so many products' standard deviation; the oracle is XLA in float64."""
    return all_errors({name: got}, {name: ((a, b, *sizes), products)}, **options)[name]


def all_errors(got, operands, **options):
    """The same for several maps, which are compiled together."""
    wide = {
        name: ((*(np.asarray(a, np.float64) for a in args[:2]), *args[2:]), n) for name, (args, n) in operands.items()
    }
    with jax.enable_x64(True):
        expected = jax.tree.map(np.asarray, run(xla, wide, **options))
    for name, y in got.items():
        assert y.shape == expected[name].shape and y.dtype == np.float32
    return {name: (np.asarray(y, np.float64) - expected[name]) / operands[name][1] ** 0.5 for name, y in got.items()}


def run(maps, operands, **options):
    """Each map's result, in one program."""
    how, arrays = xla.Options(**PLAIN | options), {name: args[:2] for name, (args, _) in operands.items()}

    @jax.jit
    def compute(arrays):
        return {name: getattr(maps, name)(*ab, *operands[name][0][2:], how) for name, ab in arrays.items()}

    return compute(arrays)


def text(name, a, b, *sizes, **options):
    compute = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN | options))
    return compute.lower(a, b).as_text()


@st.composite
def problems(draw):
    each = st.integers
    padding = tuple((draw(each(-2, 4)), draw(each(-2, 4))) for _ in range(2))
    sizes = tuple(max(1, 3 - low - high) + max(0, -low) + max(0, -high) + draw(each(0, 12)) for low, high in padding)
    channels, outputs = (draw(st.sampled_from([16, 17, 24, 31, 32, 47])) for _ in range(2))
    how = {"padding": padding, "groups": draw(st.sampled_from([1, 1, 3]))}
    return problem(draw(each(1, 4)), sizes, channels, outputs, seed=draw(each(0, 99)), **how), how


HANDLERS = pytest.mark.parametrize(
    "handler, largest, rms",
    [
        pytest.param(winograd.FLOAT32, 2e-5, 1.5e-6, id="float32"),
        pytest.param(winograd.TOGETHER, 2e-5, 1.5e-6, id="together"),
        pytest.param(winograd.BFLOAT16, 0.25, 1.2e-2, id="bfloat16", marks=needs_bfloat16),
    ],
)


@HANDLERS
@settings(max_examples=40, deadline=None)
@given(drawn=problems())
def test_the_three_maps_on_any_geometry(handler, largest, rms, drawn):
    operands, how = drawn
    for name, error in all_errors(run(handler, operands, **how), operands, **how).items():
        assert abs(error).max() < largest, name


@HANDLERS
@pytest.mark.parametrize("name", MAPS)
def test_many_blocks_of_tiles_and_the_error_that_is_promised(name, handler, largest, rms):
    (a, b, *sizes), products = problem(17, (18, 30), 128, 96)[name]
    error = errors(getattr(handler, name)(a, b, *sizes, xla.Options(**PLAIN)), name, a, b, *sizes, products=products)
    assert (error**2).mean() ** 0.5 < rms and abs(error).max() < largest


@HANDLERS
@settings(max_examples=20, deadline=None)
@given(
    batch=st.integers(1, 9),
    sizes=st.tuples(*[st.sampled_from([1, 4, 5, 7, 9, 13])] * 2),
    seed=st.integers(0, 99),
)
def test_small_images_which_some_lay_together(handler, largest, rms, batch, sizes, seed):
    operands = problem(batch, sizes, 24, 32, seed=seed)
    for name, error in all_errors(run(handler, operands), operands).items():
        assert abs(error).max() < largest, name


@HANDLERS
def test_a_nan_reaches_the_next_image_only_where_they_are_laid_together(handler, largest, rms):
    images, kernel = np.ones((5, 5, 5, 24), np.float32), np.ones((3, 3, 24, 32), np.float32)
    images[0] = np.nan
    spoilt = np.isnan(handler.fprop(images, kernel, xla.Options(**PLAIN))).any((1, 2, 3))
    assert spoilt.tolist() == [True, *[handler.together] * 3, False], "the fifth lies in the next four"


@HANDLERS
def test_a_result_larger_than_the_caches(handler, largest, rms):
    (a, b), products = problem(40, (60, 60), 24, 64)["fprop"]
    got = handler.fprop(a, b, xla.Options(**PLAIN))
    assert got.nbytes > 2**25
    error = errors(got, "fprop", a, b, products=products)
    assert (error**2).mean() ** 0.5 < rms and abs(error).max() < largest


@pytest.mark.parametrize("name", MAPS)
def test_images_that_tiles_cover_badly_are_computed_so_only_laid_together(name):
    (a, b, *sizes), _ = problem(32, (5, 5), 32, 40)[name]
    assert library.WINOGRAD not in text(name, a, b, *sizes)
    with kernels.use("fast"):
        assert library.WINOGRAD_TOGETHER in text(name, a, b, *sizes)
        assert library.WINOGRAD not in text(name, a, b, *sizes, precision="float32")
        assert (library.WINOGRAD_BFLOAT16 in text(name, a, b, *sizes, precision="bfloat16")) == multiplies_bfloat16()


@pytest.mark.parametrize("name", MAPS)
def test_where_it_runs(name):
    (a, b, *sizes), _ = problem(16, (8, 8), 32, 40)[name]
    assert library.WINOGRAD in text(name, a, b, *sizes)
    assert library.WINOGRAD not in text(name, a, b, *sizes, precision="float32")
    for kind in ("onednn", "xla"):
        with kernels.use(kind):
            assert library.WINOGRAD not in text(name, a, b, *sizes)
    with jax.default_matmul_precision("highest"):
        assert library.WINOGRAD not in text(name, a, b, *sizes)
    compute = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN))
    assert library.WINOGRAD not in compute.trace(a, b).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize("name", MAPS)
def test_bfloat16_is_multiplied_so_only_where_that_is_asked_for(name):
    (a, b, *sizes), _ = problem(16, (8, 8), 32, 40)[name]
    with kernels.use("fast"):
        assert (library.WINOGRAD_BFLOAT16 in text(name, a, b, *sizes, precision="bfloat16")) == multiplies_bfloat16()
        for precision in (None, "float32"):
            assert library.WINOGRAD_BFLOAT16 not in text(name, a, b, *sizes, precision=precision)
    assert library.WINOGRAD_BFLOAT16 not in text(name, a, b, *sizes, precision="bfloat16")


@pytest.mark.parametrize(
    "x, kernel, options",
    [
        ((16, 8, 8, 15), (3, 3, 15, 32), {}),
        ((16, 8, 8, 32), (3, 3, 32, 15), {}),
        ((16, 8, 8, 32), (5, 3, 32, 32), {}),
        ((64, 8, 8, 32), (3, 3, 32, 32), {"stride": (1, 2)}),
        ((64, 8, 8, 32), (3, 3, 32, 32), {"dilation": (2, 1)}),
        ((64, 8, 8, 30), (3, 3, 15, 64), {"groups": 2}),
        ((64, 5, 5, 32), (3, 3, 32, 32), {}),  # 4 tiles of 36 products, where the sums have 13 × 13
        ((64, 8, 1, 32), (3, 3, 32, 32), {}),
    ],
    ids=str,
)
def test_where_it_does_not(x, kernel, options):
    operands = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in (x, kernel))
    assert library.WINOGRAD not in text("fprop", *operands, **options)


@pytest.mark.parametrize("dtype", ["float64", "float16"])
def test_other_dtypes_do_not_meet_it(dtype, x64):
    (a, b), _ = problem(16, (8, 8), 32, 40)["fprop"]
    assert library.WINOGRAD not in text("fprop", jnp.asarray(a, dtype), jnp.asarray(b, dtype))


@pytest.mark.skipif(has_bfloat16(), reason="AVX-512's products sum every row alike; oneDNN's gemm for AVX2 does not")
@pytest.mark.parametrize(("size", "inputs", "outputs"), [(8, 32, 40), (16, 24, 40), (8, 256, 64)])
def test_an_images_bits_do_not_depend_on_how_many_others_there_are(size, inputs, outputs):
    (x, kernel), _ = problem(16, (size, size), inputs, outputs)["fprop"]
    compute = jax.jit(lambda x: winograd.FLOAT32.fprop(x, kernel, xla.Options(**PLAIN)))
    whole = compute(x)
    for n in (1, 2, 4, 8):
        np.testing.assert_array_equal(np.concatenate([compute(x[i : i + n]) for i in range(0, 16, n)]), whole)


@HANDLERS
@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF], ids=hex)
def test_what_is_not_finite_stays_in_its_tiles(handler, largest, rms, bits):
    (x, kernel), _ = problem(16, (12, 12), 32, 32)["fprop"]
    # A NaN: the tiles that read row 5 are those of rows 4 to 7, and its first 2 rows those of none.
    x[3, 5, 5, 7] = np.uint32(bits).view(np.float32)
    y = np.asarray(handler.fprop(x, kernel, xla.Options(**PLAIN)))
    wrong = np.isnan(y).any(-1)
    assert wrong[3, 4:7, 4:7].all() and not np.delete(wrong, 3, 0).any()
    assert not wrong[3, :4].any() and not wrong[3, 8:].any() and not wrong[3, :, 8:].any()


# Transformations.


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=str)
def test_vmap(name, axes):
    many = [problem(16, (7, 8), 32, 40, seed=seed)[name] for seed in range(3)]
    sizes, products = many[0][0][2:], many[0][1]
    operands = [many[0][0][i] if axis is None else np.stack([one[0][i] for one in many]) for i, axis in enumerate(axes)]
    got = jax.jit(jax.vmap(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN), axes))(*operands)
    for i, one in enumerate(got):
        a, b = (many[i if axis is not None else 0][0][j] for j, axis in enumerate(axes))
        assert abs(errors(one, name, a, b, *sizes, products=products)).max() < 2e-5


def network(parameters, x):
    first, second = parameters
    return jnp.sin(ops.conv(jnp.tanh(ops.conv(x, first)), second)).sum()


def directional(parameters, x):
    return sum((g**2).sum() for g in jax.tree.leaves(jax.grad(network)(parameters, x)))


@pytest.mark.parametrize("loss", [network, directional], ids=["gradient", "gradient of the gradient"])
@pytest.mark.parametrize("through", [lambda f: f, jax.checkpoint], ids=["plain", "checkpoint"])
def test_derivatives(loss, through):
    rng = np.random.default_rng(0)
    shapes = [(16, 8, 8, 32), (3, 3, 32, 40), (3, 3, 40, 32)]
    x, *parameters = (jnp.asarray(0.1 * rng.standard_normal(shape), jnp.float32) for shape in shapes)
    results = []
    for kind in ("auto", "xla"):
        with kernels.use(kind):
            compiled = jax.jit(jax.grad(through(loss), (0, 1))).lower(parameters, x)
            assert (library.WINOGRAD in compiled.as_text()) == (kind == "auto")
            results.append(jax.tree.leaves(compiled.compile()(parameters, x)))
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-4 * float(abs(expected).max()))


def test_two_threads_at_once():
    """The first calls of fresh shapes, so that what they share is made at once too."""

    def work(seed):
        for size in (*range(8, 14), *[13] * 10):
            for name, ((a, b, *sizes), products) in problem(16, (size, 9), 32, 40, seed=seed).items():
                got = getattr(kernels, name)(a, b, *sizes, **PLAIN)
                assert abs(errors(got, name, a, b, *sizes, products=products)).max() < 2e-5

    in_two_threads(work)


def test_what_a_call_works_in_serves_the_next_one():
    """Whichever of XLA's threads makes it, forward or backward: memory does not grow with the threads."""
    channels = 384
    operands = problem(4, (8, 8), channels, channels).items()
    maps = [jax.jit(lambda name=name, args=args: run(winograd.FLOAT32, {name: args})) for name, args in operands]
    before = MISSING.kept
    for _ in range(10):
        for compute in maps:
            jax.block_until_ready(compute())
    # A transformed kernel and how it is multiplied, or each thread's gradient of one; and what the threads keep.
    assert MISSING.kept - before < (max(2, os.cpu_count()) + 1) * 36 * channels**2 * 4
