"""Depthwise convolutions by the handler: the numbers of XLA's in float64 on any geometry, and taken where it serves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcnn import kernels
from jaxcnn.kernels import depthwise, library, xla
from tests.kernels.machine import multiplies_bfloat16
from tests.kernels.test_onednn import PLAIN, assert_right, problem
from tests.kernels.threads import in_two_threads

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no handlers here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]

MAPS = ("fprop", "dgrad", "wgrad")


def assert_all_right(operands, options):
    """The three maps in one program."""
    at = xla.Options(**options)

    @jax.jit
    def compute(arrays):
        return {name: getattr(depthwise, name)(*ab, *operands[name][2:], at) for name, ab in arrays.items()}

    for name, got in compute({name: arguments[:2] for name, arguments in operands.items()}).items():
        assert got.dtype == np.float32
        assert_right(got, name, *operands[name], **options)


@st.composite
def problems(draw):
    """Windows of all ways that the loops have, and more; padding that crops, and that holds a whole window."""
    each = st.integers
    axes = draw(each(1, 2))
    window = tuple(draw(st.sampled_from([1, 2, 3, 4, 5, 7, 9, 11])) for _ in range(axes))
    stride, dilation = (tuple(draw(each(1, 4)) for _ in range(axes)) for _ in range(2))
    padding = tuple((draw(each(-2, 6)), draw(each(-2, 6))) for _ in range(axes))
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    sizes = tuple(
        max(1, e - sum(pads), 1 - min(0, *pads) * 2) + draw(each(0, 20)) for e, pads in zip(reach, padding, strict=True)
    )
    options = {"stride": stride, "padding": padding, "dilation": dilation}
    options["groups"] = draw(st.sampled_from([4, 5, 7, 8, 13, 16, 31, 48]))
    return problem(draw(each(1, 3)), sizes, window, 1, 1, options, draw(each(0, 99))), options


@settings(max_examples=60, deadline=None)
@given(problems())
def test_the_three_maps_on_any_geometry(drawn):
    assert_all_right(*drawn)


@pytest.mark.parametrize(
    "batch, sizes, window, stride, channels",
    [
        (1, (61, 57), (3, 3), 1, 40),
        (5, (40, 33), (3, 3), 2, 24),
        (3, (30, 30), (5, 5), 1, 33),
        (1, (31, 28), (7, 7), 1, 36),
        (17, (7, 7), (7, 7), 1, 130),
        (4, (900,), (9,), 1, 20),
    ],
    ids=str,
)
def test_many_rows_shared_by_the_threads(batch, sizes, window, stride, channels):
    padding = tuple((k // 2, k // 2) for k in window)
    ones = (1,) * len(sizes)
    options = {"stride": (stride,) * len(sizes), "padding": padding, "dilation": ones, "groups": channels}
    assert_all_right(problem(batch, sizes, window, 1, 1, options), options)


@pytest.mark.parametrize("name", ["fprop", "dgrad"])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_same_bits_whatever_images_are_beside_one(name, stride):
    options = PLAIN | {"stride": (stride, stride), "groups": 24}
    a, b, *sizes = problem(9, (29, 31), (3, 3), 1, 1, options)[name]
    compute = jax.jit(lambda a: getattr(depthwise, name)(a, b, *sizes, xla.Options(**options)))
    np.testing.assert_array_equal(compute(a)[4:5], compute(a[4:5]))


@pytest.mark.parametrize("batch", [1, 7])
def test_a_kernels_gradient_has_the_same_bits_each_time(batch):
    options = PLAIN | {"groups": 40}
    x, dy, window = problem(batch, (61, 57), (3, 3), 1, 1, options)["wgrad"]
    compute = jax.jit(lambda x, dy: depthwise.wgrad(x, dy, window, xla.Options(**options)))
    first = compute(x, dy)
    for _ in range(5):
        np.testing.assert_array_equal(first, compute(x, dy))


def test_a_nan_reaches_the_windows_that_hold_it():
    x, kernel = np.ones((2, 12, 13, 9), np.float32), np.ones((3, 3, 1, 9), np.float32)
    x[0, 5, 6, 3] = np.nan
    y = depthwise.fprop(x, kernel, xla.Options(**PLAIN | {"groups": 9}))
    spoilt = np.zeros(y.shape, bool)
    spoilt[0, 4:7, 5:8, 3] = True
    np.testing.assert_array_equal(np.isnan(y), spoilt)


@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, -1)], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_vmap(name, axes):
    options = PLAIN | {"groups": 5}
    many = [problem(2, (5, 9), (3, 2), 1, 1, options, seed)[name] for seed in range(3)]
    operands = [many[0][i] if axis is None else np.stack([one[i] for one in many], axis) for i, axis in enumerate(axes)]
    at = xla.Options(**options)
    mapped = jax.jit(jax.vmap(lambda a, b: getattr(depthwise, name)(a, b, *many[0][2:], at), in_axes=axes))
    assert mapped.lower(*operands).as_text().count(library.DEPTHWISE) == 1
    for i, got in enumerate(mapped(*operands)):
        a, b = (many[i if axis is not None else 0][j] for j, axis in enumerate(axes))
        assert_right(got, name, a, b, *many[0][2:], **options)


def loss(x, kernel):
    y = kernels.fprop(x, kernel, **PLAIN | {"groups": 6})
    return jnp.sin(kernels.fprop(y, kernel, **PLAIN | {"groups": 6, "stride": (2, 2)})).sum()


@pytest.mark.parametrize(
    "compute",
    [
        jax.grad(loss, (0, 1)),
        lambda *both: jax.jvp(loss, both, both),
        lambda *both: jax.grad(lambda *b: sum((g**2).sum() for g in jax.grad(loss, (0, 1))(*b)), (0, 1))(*both),
        lambda x, kernel: jax.vmap(lambda x: jax.grad(loss, 1)(x[None], kernel))(x),
    ],
    ids=["grad", "jvp", "grad of grad", "vmap of grad"],
)
def test_transformations(compute):
    rng = np.random.default_rng(0)
    x, kernel = (rng.standard_normal(shape, np.float32) / 2 for shape in [(3, 7, 9, 6), (3, 3, 1, 6)])
    found = []
    for kind in ("auto", "xla"):
        with kernels.use(kind):
            lowered = jax.jit(compute).lower(x, kernel)
            assert (library.DEPTHWISE in lowered.as_text()) == (kind == "auto")
            found.append(lowered.compile()(x, kernel))
    for got, expected in zip(*map(jax.tree.leaves, found), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * float(abs(expected).max()))


def text(name="fprop", dtype=np.float32, platform="cpu", window=(3, 3), channels=16, outputs=1, **options):
    options = PLAIN | {"groups": channels} | options
    a, b, *sizes = problem(2, (9, 9, 9)[: len(window)], window, 1, outputs, options)[name]
    compute = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **options))
    traced = compute.trace(jnp.asarray(a, dtype), jnp.asarray(b, dtype))
    return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.parametrize("name", MAPS)
def test_where_it_is_taken(name):
    assert library.DEPTHWISE in text(name)
    assert library.DEPTHWISE in text(name, padding=((3, 3), (-1, 4)))  # which oneDNN does not take
    assert library.DEPTHWISE in text(name, precision="float32")


@pytest.mark.parametrize(
    "other",
    [
        {"platform": "cuda"},
        {"channels": 3},
        {"outputs": 2},
        {"dtype": np.float16},
        {"window": (3, 3, 3), "stride": (1,) * 3, "padding": ((1, 1),) * 3, "dilation": (1,) * 3},
    ],
    ids=str,
)
def test_where_it_is_not(other):
    assert library.DEPTHWISE not in text(**other)


def test_the_choice_of_kernels_is_heeded():
    for kind in ("xla", "onednn"):
        with kernels.use(kind):
            assert library.DEPTHWISE not in text()


@pytest.mark.skipif(multiplies_bfloat16(), reason="oneDNN multiplies bfloat16 here")
@pytest.mark.parametrize("name", MAPS)
def test_bfloat16_is_widened_for_it(name):
    options = PLAIN | {"groups": 16}
    a, b, *sizes = problem(2, (9, 10), (3, 3), 1, 1, options)[name]
    a, b = (np.asarray(one, jnp.bfloat16) for one in (a, b))
    lowered = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **options)).lower(a, b)
    assert library.DEPTHWISE in lowered.as_text()
    assert_right(lowered.compile()(a, b), name, a, b, *sizes, **options)


def test_two_threads_at_once():
    def work(seed):
        for size in (6, 17, 40):
            options = PLAIN | {"groups": 16}
            assert_all_right(problem(3, (size, size), (3, 3), 1, 1, options, seed), options)

    in_two_threads(work)
