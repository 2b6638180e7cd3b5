"""Convolutions summed as they are defined: the numbers of XLA's in float64 on any geometry, and where they run."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn import kernels, ops
from jaxcnn.kernels import direct, library, onednn, xla
from tests.kernels.test_onednn import MAPS, PLAIN, assert_right, problem
from tests.kernels.threads import in_two_threads

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no oneDNN here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]


def run(name, a, b, *sizes, **options):
    how = xla.Options(**options)
    return jax.jit(lambda a, b: getattr(direct, name)(a, b, *sizes, how))(a, b)


def text(compute, *arrays):
    return jax.jit(compute).lower(*arrays).as_text()


@pytest.fixture
def taken(by_table):
    by_table("direct")


@st.composite
def problems(draw):
    each = st.integers
    window = draw(each(1, 5)), draw(each(1, 5))
    stride = draw(st.sampled_from([(1, 1), (2, 1), (2, 3)]))
    padding = tuple((draw(each(-2, 4)), draw(each(-2, 4))) for _ in range(2))
    sizes = tuple(
        max(1, k - low - high) + max(0, -low) + max(0, -high) + draw(each(0, 12))
        for k, (low, high) in zip(window, padding, strict=True)
    )
    channels, outputs = (draw(st.sampled_from([1, 3, 6, 8, 9, 16, 17, 24, 31, 40])) for _ in range(2))
    options = {"stride": stride, "padding": padding, "dilation": (1, 1), "groups": 1}
    return problem(draw(each(1, 5)), sizes, window, channels, outputs, options, draw(each(0, 99))), options


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_three_maps_on_any_geometry(drawn):
    operands, options = drawn
    for name, arguments in operands.items():
        if name != "dgrad" or options["stride"] == (1, 1):
            assert_right(run(name, *arguments, **options), name, *arguments, **options)


# Batch, sizes, window, channels, outputs, stride, padding.
SHARED = [
    (1, (40, 38), (3, 3), 16, 24, (1, 1), ((1, 1), (1, 1))),  # rows of one image, in chunks
    (33, (28, 28), (5, 5), 1, 6, (1, 1), ((2, 2), (2, 2))),  # images, with fewer outputs than a vector
    (33, (14, 14), (5, 5), 6, 16, (1, 1), ((0, 0), (0, 0))),  # in x itself
    (1, (6, 7), (3, 3), 128, 203, (1, 1), ((1, 1), (1, 1))),  # outputs: the kernel is larger than the image
    (2, (31, 33), (3, 3), 24, 12, (2, 2), ((0, 1), (1, 0))),
    (3, (29, 31), (1, 1), 70, 35, (1, 1), ((0, 0), (0, 0))),
]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("case", SHARED, ids=str)
def test_what_threads_share(name, case):
    batch, sizes, window, channels, outputs, stride, padding = case
    options = PLAIN | {"stride": stride, "padding": padding}
    if name == "dgrad" and stride != (1, 1):
        pytest.skip("it has no dx of strides")
    arguments = problem(batch, sizes, window, channels, outputs, options)[name]
    assert_right(run(name, *arguments, **options), name, *arguments, **options)


@pytest.mark.parametrize("name", ["fprop", "dgrad"])
@pytest.mark.parametrize(("channels", "outputs"), [(1, 6), (24, 40), (128, 200)])
def test_an_images_bits_do_not_depend_on_how_many_others_there_are(name, channels, outputs):
    x, b, *sizes = problem(16, (9, 10), (3, 3), channels, outputs, PLAIN)[name]
    whole = run(name, x, b, *sizes, **PLAIN)
    for n in (1, 3, 8):
        each = [run(name, x[i : i + n], b, *sizes, **PLAIN) for i in range(0, 16, n)]
        np.testing.assert_array_equal(np.concatenate(each), whole)


def test_a_nan_reaches_what_it_is_summed_into_and_no_more():
    x, kernel = problem(3, (9, 10), (3, 3), 3, 6, PLAIN)["fprop"]
    x[1, 4, 5, 2] = np.nan
    wrong = np.isnan(run("fprop", x, kernel, **PLAIN))
    assert wrong[1, 3:6, 4:7].all() and wrong.sum() == 9 * 6


@pytest.mark.parametrize("name", MAPS)
def test_where_it_runs(name, taken):
    a, b, *sizes = problem(2, (9, 9), (3, 3), 3, 6, PLAIN)[name]

    def compute(a, b, **options):
        return getattr(kernels, name)(a, b, *sizes, **PLAIN | options)

    assert library.DIRECT in text(compute, a, b)
    assert library.DIRECT in text(lambda a, b: compute(a, b, precision="float32"), a, b), "it rounds least"
    for kind in ("onednn", "xla"):
        with kernels.use(kind):
            assert library.DIRECT not in text(compute, a, b)
    lowered = jax.jit(compute).trace(a, b).lower(lowering_platforms=("cuda",))
    assert library.DIRECT not in lowered.as_text()


@pytest.mark.parametrize(
    "name, sizes, window, options, dtype",
    [
        ("fprop", (9, 9), (3, 3), {"groups": 2}, "float32"),
        ("fprop", (9, 9), (3, 3), {"dilation": (2, 1)}, "float32"),
        ("dgrad", (9, 9), (3, 3), {"stride": (1, 2)}, "float32"),
        ("fprop", (9,), (3,), {"stride": (1,), "padding": ((1, 1),), "dilation": (1,)}, "float32"),
        ("fprop", (9, 9), (3, 3), {}, "float64"),
    ],
    ids=str,
)
def test_where_it_does_not(name, sizes, window, options, dtype, taken, x64):
    options = PLAIN | options
    a, b, *rest = problem(2, sizes, window, 4, 8, options)[name]
    a, b = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    assert library.DIRECT not in text(lambda a, b: getattr(kernels, name)(a, b, *rest, **options), a, b)


def test_bfloat16_arrays_are_multiplied_as_float32(taken, monkeypatch):
    monkeypatch.setattr(library.Library, "multiplies_bfloat16", lambda self, implementation: False)
    x, kernel = (jnp.asarray(one, jnp.bfloat16) for one in problem(2, (7, 9), (3, 3), 3, 6, PLAIN)["fprop"])
    wide = run("fprop", x.astype(jnp.float32), kernel.astype(jnp.float32), **PLAIN)
    np.testing.assert_array_equal(kernels.fprop(x, kernel, **PLAIN), wide.astype(jnp.bfloat16))


# Transformations.


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0)], ids=str)
def test_vmap(name, axes):
    many = [problem(2, (7, 8), (3, 2), 3, 6, PLAIN, seed)[name] for seed in range(3)]
    sizes = many[0][2:]
    operands = [many[0][i] if axis is None else np.stack([one[i] for one in many]) for i, axis in enumerate(axes)]
    got = jax.jit(jax.vmap(lambda a, b: getattr(direct, name)(a, b, *sizes, xla.Options(**PLAIN)), axes))(*operands)
    for i, one in enumerate(got):
        a, b = (many[i if axis is not None else 0][j] for j, axis in enumerate(axes))
        assert_right(one, name, a, b, *sizes, **PLAIN)


def network(parameters, x):
    first, second = parameters
    return jnp.sin(ops.conv(jnp.tanh(ops.conv(x, first)), second)).sum()


def along(parameters, x):
    return jax.jvp(network, (parameters, x), (parameters, jnp.ones_like(x)))[1]


def directional(parameters, x):
    return sum((g**2).sum() for g in jax.tree.leaves(jax.grad(network)(parameters, x)))


@pytest.mark.parametrize("loss", [network, along, directional], ids=["reverse", "forward, reverse", "reverse twice"])
def test_derivatives(loss, taken):
    rng = np.random.default_rng(0)
    shapes = [(3, 8, 9, 3), (3, 3, 3, 20), (5, 5, 20, 6)]
    x, *parameters = (jnp.asarray(0.3 * rng.standard_normal(shape), jnp.float32) for shape in shapes)
    results = []
    for kind in ("auto", "xla"):
        with kernels.use(kind):
            compiled = jax.jit(jax.grad(loss, (0, 1))).lower(parameters, x)
            assert (library.DIRECT in compiled.as_text()) == (kind == "auto")
            results.append(jax.tree.leaves(compiled.compile()(parameters, x)))
    for got, expected in zip(*results, strict=True):
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * float(abs(expected).max()))


def test_two_threads_at_once():
    def work(seed):
        for size in (*range(6, 12), *[40] * 5):
            for name, arguments in problem(2, (size, 9), (3, 3), 3, 20, PLAIN, seed).items():
                assert_right(run(name, *arguments, **PLAIN), name, *arguments, **PLAIN)

    in_two_threads(work)


def test_an_empty_batch():
    call = onednn.Call("fprop", (1, 1), ((1, 1),) * 2, (1, 1), 1, (5, 5), np.dtype(np.float32), library.DIRECT)
    y = jax.jit(partial(onednn._handler, call))(jnp.zeros((0, 5, 5, 3)), jnp.zeros((3, 3, 3, 4)))
    assert y.shape == (0, 5, 5, 4)
