"""The oneDNN kernels: the numbers of XLA's in float64, whatever the geometry, dtype and transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import lax

from jaxcnn import kernels, ops
from jaxcnn.kernels import library, onednn, xla
from tests.kernels.machine import multiplies_bfloat16
from tests.kernels.threads import in_two_threads

MISSING = library.find()
pytestmark = [
    pytest.mark.skipif(isinstance(MISSING, library.Missing), reason=f"no oneDNN here: {MISSING}"),
    pytest.mark.usefixtures("fresh_memory_is_nan"),
]

MAPS = ("fprop", "dgrad", "wgrad")
PLAIN = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


def out_sizes(sizes, window, options):
    return tuple(
        (w + sum(pads) - (k - 1) * d - 1) // s + 1
        for w, k, s, pads, d in zip(
            sizes, window, options["stride"], options["padding"], options["dilation"], strict=True
        )
    )


def problem(batch, sizes, window, channels, outputs, options, seed=0):
    """The operands of the three maps, float32."""
    rng = np.random.default_rng(seed)
    groups = options["groups"]
    x = rng.standard_normal((batch, *sizes, channels * groups), np.float32)
    kernel = rng.standard_normal((*window, channels, outputs * groups), np.float32)
    dy = rng.standard_normal((batch, *out_sizes(sizes, window, options), outputs * groups), np.float32)
    return {"fprop": (x, kernel), "dgrad": (dy, kernel, sizes), "wgrad": (x, dy, window)}


def exact(name, a, b, *sizes, **options):
    """What XLA computes in float64, and the sums of the products' sizes."""
    with jax.enable_x64(True):
        compute = jax.jit(getattr(xla, name), static_argnums=range(2, 3 + len(sizes)))
        a, b = (np.asarray(one, np.float64) for one in (a, b))
        return tuple(np.asarray(compute(*two, *sizes, xla.Options(**options))) for two in ((a, b), (abs(a), abs(b))))


def assert_right(got, name, a, b, *sizes, **options):
    """Within 8 of float32's ε times the sum of the products' sizes, and one rounding to the result's dtype."""
    result = np.asarray(got, np.float64)
    expected, products = exact(name, a, b, *sizes, **options)
    rounding = 0 if got.dtype == np.float32 else 2.0**-8 * abs(expected)
    error = abs(result - expected) - rounding
    assert result.shape == expected.shape
    assert np.all(error <= 8 * np.finfo(np.float32).eps * products), f"{name}: {np.max(error / products)}"


@st.composite
def problems(draw):
    axes = draw(st.integers(1, 3))
    each = st.integers
    window = tuple(draw(each(1, 4)) for _ in range(axes))
    dilation = tuple(draw(each(1, 3)) for _ in range(axes))
    padding = tuple((draw(each(0, 3)), draw(each(0, 3))) for _ in range(axes))
    reach = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    sizes = tuple(max(1, e - sum(pads)) + draw(each(0, 6)) for e, pads in zip(reach, padding, strict=True))
    groups, channels, outputs = draw(
        st.sampled_from([(1, 1, 1), (1, 3, 16), (1, 16, 5), (1, 32, 32), (2, 3, 2), (4, 1, 1), (16, 1, 2), (2, 16, 16)])
    )
    stride = tuple(draw(each(1, 4)) for _ in range(axes))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return problem(draw(each(1, 4)), sizes, window, channels, outputs, options, draw(each(0, 99))), options


@settings(max_examples=30, deadline=None)
@given(problems(), st.sampled_from(["float32", "bfloat16", "bfloat16 to float32"]))
def test_the_three_maps_on_any_geometry(drawn, dtypes):
    operands, options = drawn
    dtype = jnp.bfloat16 if dtypes.startswith("bfloat16") else jnp.float32
    wanted = options | ({"preferred_element_type": jnp.dtype("float32")} if "to" in dtypes else {})
    with kernels.use("onednn"):
        for name, (a, b, *sizes) in operands.items():
            a, b = (np.asarray(one, dtype) for one in (a, b))
            compute = jax.jit(lambda a, b, name=name, sizes=sizes: getattr(kernels, name)(a, b, *sizes, **wanted))
            got = compute(a, b)
            assert got.dtype == wanted.get("preferred_element_type", dtype)
            assert_right(got, name, a, b, *sizes, **options)


# Batch, sizes, window, channels, outputs, groups, stride, padding, dilation.
ROWS_TO_SHARE = [
    (1, (21, 18), (3, 3), 24, 16, 1, (1, 1), ((1, 1), (1, 1)), (1, 1)),
    (3, (23, 17), (3, 2), 64, 48, 1, (2, 3), ((1, 0), (0, 1)), (1, 1)),
    (1, (33, 40), (1, 1), 48, 80, 1, (3, 2), ((0, 0), (0, 0)), (1, 1)),  # rows of x that no window meets
    (1, (9, 9), (3, 3), 128, 200, 1, (1, 1), ((1, 1), (1, 1)), (1, 1)),  # a kernel larger than the images
    (1, (4, 50), (5, 1), 40, 30, 1, (1, 1), ((3, 4), (0, 0)), (1, 1)),  # windows that reach over both edges
    (3, (300,), (4,), 32, 48, 1, (2,), ((5, 2),), (3,)),
    (1, (26, 15), (3, 3), 16, 48, 3, (1, 1), ((0, 2), (1, 1)), (2, 1)),
    (1, (10, 8, 7), (2, 3, 2), 16, 24, 1, (1, 2, 1), ((1, 0), (1, 1), (0, 0)), (1, 1, 1)),
]


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize(
    ("case", "dtype"), [*((case, "float32") for case in ROWS_TO_SHARE), (ROWS_TO_SHARE[1], "bfloat16")], ids=str
)
def test_threads_share_the_rows_of_few_images(name, case, dtype):
    batch, sizes, window, channels, outputs, groups, stride, padding, dilation = case
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    a, b, *rest = problem(batch, sizes, window, channels, outputs, options)[name]
    a, b = (np.asarray(one, dtype) for one in (a, b))
    with kernels.use("onednn"):
        compute = jax.jit(lambda a, b: getattr(kernels, name)(a, b, *rest, **options))
        assert_right(compute(a, b), name, a, b, *rest, **options)


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("groups", [1, 4, 16], ids="groups={}".format)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_oneDNN_is_what_runs(name, groups, dtype):
    """Not XLA, which would give the same numbers."""
    options = PLAIN | {"groups": groups}
    a, b, *sizes = problem(2, (5, 5), (3, 3), 16 // groups, 16 // groups, options)[name]
    a, b = jnp.asarray(a, dtype), jnp.asarray(b, dtype)

    def text(kind):
        with kernels.use(kind):
            return jax.jit(lambda a, b: getattr(kernels, name)(a, b, *sizes, **options)).lower(a, b).as_text()

    assert library.TARGET in text("onednn") and "stablehlo.convolution" not in text("onednn")
    assert library.TARGET not in text("xla")
    narrow = dtype == jnp.bfloat16 and multiplies_bfloat16()
    assert (library.DEPTHWISE if groups == 16 and not narrow else library.TARGET) in text("auto")


@pytest.mark.parametrize("name", MAPS)
def test_bfloat16_arrays_are_multiplied_as_float32_where_that_is_faster(name, monkeypatch):
    monkeypatch.setattr(library.Library, "multiplies_bfloat16", lambda self, implementation: False)
    a, b, *sizes = problem(2, (7, 9), (3, 3), 16, 24, PLAIN)[name]
    a, b = jnp.asarray(a, jnp.bfloat16), jnp.asarray(b, jnp.bfloat16)
    compute = getattr(kernels, name)
    right = compute(a.astype(jnp.float32), b.astype(jnp.float32), *sizes, **PLAIN)
    got = compute(a, b, *sizes, **PLAIN)
    assert got.dtype == jnp.bfloat16
    np.testing.assert_array_equal(got, right.astype(jnp.bfloat16))
    np.testing.assert_array_equal(compute(a, b, *sizes, **PLAIN, preferred_element_type=jnp.float32), right)


@pytest.mark.parametrize("padding, served", [((2, 0), True), ((3, 0), False), ((0, 3), False)], ids=str)
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_windows_in_padding_alone_go_to_XLA(padding, served, dtype):
    """oneDNN 3.2 overwrote memory for them, which ended the process."""
    options = {"stride": (4,), "padding": (padding,), "dilation": (2,), "groups": 1}  # a kernel of 2 reaches over 3
    operands = problem(2, (6,), (2,), 32, 32, options)
    for name, (a, b, *sizes) in operands.items():
        a, b = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
        with kernels.use("onednn"):
            compute = jax.jit(lambda a, b, name=name, sizes=sizes: getattr(kernels, name)(a, b, *sizes, **options))
            assert (library.TARGET in compute.lower(a, b).as_text()) == served
            assert_right(compute(a, b), name, a, b, *sizes, **options)


def test_other_platforms_and_jit_caches_never_meet_it():
    a, b = problem(2, (5, 5), (3, 3), 4, 4, PLAIN)["fprop"]
    compute = jax.jit(lambda a, b: kernels.fprop(a, b, **PLAIN))
    for kind in ("xla", "onednn", "xla"):
        with kernels.use(kind):
            assert (library.TARGET in compute.lower(a, b).as_text()) == (kind == "onednn")
    assert library.TARGET not in compute.trace(a, b).lower(lowering_platforms=("cuda",)).as_text()


@pytest.mark.parametrize(
    "dtype, batch", [("float64", 2), ("float16", 2), ("float32", 0)], ids=["float64", "float16", "empty"]
)
@pytest.mark.parametrize("name", MAPS)
def test_what_oneDNN_does_not_take_goes_to_XLA(name, dtype, batch, x64):
    a, b, *sizes = problem(batch, (5, 5), (3, 3), 4, 4, PLAIN)[name]
    a, b = jnp.asarray(a, dtype), jnp.asarray(b, dtype)
    with kernels.use("onednn"):
        got = getattr(kernels, name)(a, b, *sizes, **PLAIN)
    np.testing.assert_array_equal(got, getattr(xla, name)(a, b, *sizes, xla.Options(**PLAIN)))
    assert got.dtype == dtype


def test_an_error_names_the_shapes_and_the_process_lives():
    """A call that `serves` would have refused: y of 9 places where 3 fit."""
    call = onednn.Call("fprop", (1,), ((0, 0),), (1,), 1, (9,), np.dtype(np.float32))
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"oneDNN.*fprop with x \(2,5,3\), kernel \(3,3,4\)"):
        jax.block_until_ready(jax.jit(onednn._batched(call))(jnp.ones((2, 5, 3)), jnp.ones((3, 3, 4))))


def test_nothing_of_an_earlier_call_comes_back():
    """NaN in the memory that calls share; oneDNN 3.2 alone lets it through for so few outputs in bfloat16."""
    options = {"stride": (4,), "padding": ((0, 3),), "dilation": (1,), "groups": 1}
    x, dy, window = problem(3, (2,), (3,), 3, 16, options)["wgrad"]
    x, dy = jnp.asarray(x, jnp.bfloat16), jnp.asarray(dy, jnp.bfloat16)
    with kernels.use("onednn"):
        compute = jax.jit(lambda x, dy: kernels.wgrad(x, dy, window, **options))
        for _ in range(5):
            assert np.isnan(np.asarray(compute(x * jnp.nan, dy), np.float32)).any()
            assert_right(compute(x, dy), "wgrad", x, dy, window, **options)


# Transformations.


@pytest.mark.parametrize("batch", [1, 7, 8, 33])
@pytest.mark.parametrize("name", MAPS)
def test_threads_share_a_batch_and_always_in_the_same_way(name, batch):
    arguments = problem(batch, (12, 12), (3, 3), 4, 8, PLAIN)[name]
    compute = jax.jit(lambda *operands: getattr(onednn, name)(*operands, *arguments[2:], xla.Options(**PLAIN)))
    result = compute(*arguments[:2])
    assert_right(result, name, *arguments, **PLAIN)
    np.testing.assert_array_equal(result, compute(*arguments[:2]))


@pytest.mark.parametrize("count", [3, 4, 33])
@pytest.mark.parametrize("name", MAPS)
def test_threads_share_many_convolutions(name, count):
    each = [problem(2, (5, 5), (3, 3), 4, 8, PLAIN, seed)[name] for seed in range(count)]
    rest, options = each[0][2:], xla.Options(**PLAIN)
    results = jax.vmap(lambda a, b: getattr(onednn, name)(a, b, *rest, options))(
        *map(np.stack, zip(*[e[:2] for e in each], strict=True))
    )
    for result, arguments in zip(results, each, strict=True):
        assert_right(result, name, *arguments, **PLAIN)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("axes", [(0, None), (None, 0), (0, 0), (1, -1)], ids=str)
def test_vmap(name, groups, axes):
    options = PLAIN | {"groups": groups}
    many = [problem(2, (5, 4), (3, 2), 3, 4, options, seed)[name] for seed in range(3)]
    sizes = many[0][2:]
    operands = [many[0][i] if axis is None else np.stack([one[i] for one in many], axis) for i, axis in enumerate(axes)]
    with kernels.use("onednn"):
        mapped = jax.vmap(lambda a, b: getattr(kernels, name)(a, b, *sizes, **options), in_axes=axes)
        got = jax.jit(mapped)(*operands)
        assert jax.jit(mapped).lower(*operands).as_text().count(library.TARGET) == 1
    for i, one in enumerate(got):
        a, b = (many[i if axis is not None else 0][j] for j, axis in enumerate(axes))
        assert_right(one, name, a, b, *sizes, **options)


@pytest.mark.parametrize("outer", [(0, None), (None, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("inner", [(0, None), (None, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_vmap_of_vmap(name, inner, outer):
    a, b, *sizes = problem(1, (4, 3), (2, 2), 2, 3, PLAIN)[name]
    rng = np.random.default_rng(0)

    def grown(array, *maps):
        axes = [size for size, axis in zip((3, 2), maps, strict=True) if axis == 0]
        return rng.standard_normal((*axes, *array.shape), np.float32)

    a, b = grown(a, outer[0], inner[0]), grown(b, outer[1], inner[1])
    results = []
    for kind in ("onednn", "xla"):
        with kernels.use(kind):
            mapped = jax.vmap(jax.vmap(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN), inner), outer)
            results.append(jax.jit(mapped)(a, b))
    np.testing.assert_allclose(*results, rtol=0, atol=1e-5)


def test_vmap_with_one_kernel_is_one_larger_batch():
    x, kernel = problem(2, (5, 4), (3, 2), 3, 4, PLAIN)["fprop"]
    with kernels.use("onednn"):
        mapped = jax.jit(jax.vmap(lambda x: kernels.fprop(x, kernel, **PLAIN)))
        text = mapped.lower(np.stack([x] * 5)).as_text()
    (call,) = [line for line in text.splitlines() if library.TARGET in line]
    assert "tensor<10x5x4x3xf32>" in call


@pytest.mark.parametrize("axes", [(0, None), (0, 0)], ids=str)
@pytest.mark.parametrize("name", MAPS)
def test_vmap_over_nothing(name, axes):
    a, b, *sizes = problem(2, (5, 4), (3, 2), 3, 4, PLAIN)[name]
    a, b = (
        one if axis is None else np.zeros((0, *one.shape), np.float32) for one, axis in zip((a, b), axes, strict=True)
    )
    with kernels.use("onednn"):
        got = jax.vmap(lambda a, b: getattr(kernels, name)(a, b, *sizes, **PLAIN), axes)(a, b)
    assert got.shape[0] == 0


def network(x, kernels_):
    """Two convolutions and a transposed one, so that every map runs in every direction."""
    first, second, back = kernels_
    x = jnp.tanh(ops.conv(x, first, stride=2))
    x = jnp.tanh(ops.conv(x, second, groups=2, dilation=2))
    return jnp.sin(ops.conv_transpose(x, back, stride=2)).sum()


def network_operands():
    rng = np.random.default_rng(0)
    shapes = [(4, 7, 6, 3), (3, 3, 3, 8), (3, 3, 4, 8), (3, 3, 2, 8)]
    x, *parameters = (jnp.asarray(0.3 * rng.standard_normal(shape), jnp.float32) for shape in shapes)
    return x, tuple(parameters)


def directional(x, parameters):
    """A derivative of a derivative: the gradient of ‖gradient‖²."""
    gradient = jax.grad(network, 1)(x, parameters)
    return sum((g**2).sum() for g in jax.tree.leaves(gradient))


def scanned(x, parameters):
    def step(parameters, x):
        gradient = jax.grad(network, 1)(x, parameters)
        return jax.tree.map(lambda p, g: p - 0.1 * g, parameters, gradient), network(x, parameters)

    return lax.scan(step, parameters, jnp.stack([x, -x, 2 * x]))


TRANSFORMED = {
    "grad": jax.grad(network, (0, 1)),
    "grad of grad": jax.grad(directional, (0, 1)),
    "checkpoint": jax.grad(jax.checkpoint(network), (0, 1)),
    "scan": scanned,
    "vmap of grad": lambda x, parameters: jax.vmap(lambda x: jax.grad(network, 1)(x[None], parameters))(x),
    "vmap of grad of grad": lambda x, ps: jax.vmap(lambda x: jax.grad(directional, 1)(x[None], ps))(x),
}


@pytest.mark.parametrize("how", TRANSFORMED)
def test_transformations_of_a_network(how):
    results = []
    for kind in ("onednn", "xla"):
        with kernels.use(kind):
            compiled = jax.jit(TRANSFORMED[how]).lower(*network_operands())
            assert (library.TARGET in compiled.as_text()) == (kind == "onednn")
            results.append(compiled.compile()(*network_operands()))
    for got, expected in zip(*map(jax.tree.leaves, results), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5 * float(abs(expected).max()))


def test_without_jit_the_same_comes_out():
    with kernels.use("onednn"):
        eager, jitted = (f(network, (0, 1))(*network_operands()) for f in (jax.grad, lambda *a: jax.jit(jax.grad(*a))))
    for got, expected in zip(jax.tree.leaves(eager), jax.tree.leaves(jitted), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_donation():
    x, kernel = problem(2, (6, 6), (3, 3), 4, 4, PLAIN)["fprop"]
    with kernels.use("onednn"):
        step = jax.jit(lambda x, kernel: kernels.fprop(x, kernel, **PLAIN), donate_argnums=0)
        given_away = jnp.asarray(x)
        assert_right(step(given_away, kernel), "fprop", x, kernel, **PLAIN)
    assert given_away.is_deleted()


def test_two_threads_at_once():
    """The first calls of fresh shapes, so that primitives are made at once too, and the same shape from both."""

    def work(seed):
        with kernels.use("onednn"):
            for size in (*range(6, 12), *[11] * 20):
                for name, (a, b, *sizes) in problem(2, (size, 5), (3, 3), 4, 8, PLAIN, seed).items():
                    assert_right(getattr(kernels, name)(a, b, *sizes, **PLAIN), name, a, b, *sizes, **PLAIN)

    in_two_threads(work)
