"""Every rule of the library, over the table in `cases.py`.

The oracles know nothing of the handwritten backward: autodiff of the plain forward, central differences, and
loops in NumPy. Everything is compared in float64, every element, with an error measured in the size of the
largest element of that array.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.ops.rule import RULES
from tests.ops.cases import CASES
from tests.ops.naive import NAIVE

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def test_every_rule_has_cases_and_a_naive_loop():
    assert set(RULES) == {case.rule for case in CASES}
    assert set(RULES) == set(NAIVE)


def assert_close(got, expected, rtol):
    """Elementwise, relative to the largest expected element; None and float0 mean 'no gradient'."""
    got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        if e.dtype == jax.dtypes.float0:
            assert g.dtype == jax.dtypes.float0
            continue
        assert g.shape == e.shape
        assert g.dtype == e.dtype
        np.testing.assert_allclose(g, e, rtol=0, atol=rtol * max(1.0, float(np.max(np.abs(e), initial=0))))


def arrays_and_call(case, dtype=np.float64):
    """The case's arrays and the rule called with its options; a seed of its own for each case."""
    rng = np.random.default_rng(sum(map(ord, str(case))))
    arrays = [
        jnp.asarray(a, dtype) if isinstance(a, np.ndarray) and a.dtype == np.float64 else a
        for a in case.arrays(rng)
    ]
    return arrays, lambda *arrays: RULES[case.rule](*arrays, **case.options)


def is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)


def split(arrays, call):
    """The float arrays, and `call` as a function of those alone."""
    where = [i for i, a in enumerate(arrays) if is_float(a)]

    def f(*floats):
        full = list(arrays)
        for i, a in zip(where, floats, strict=True):
            full[i] = a
        return call(*full)

    return [arrays[i] for i in where], f


def cotangent(y, seed=1):
    """A random cotangent for each output."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda a: jnp.asarray(rng.standard_normal(a.shape), a.dtype), y)


@each_case
def test_handwritten_cotangents_equal_autodiff_of_the_plain_forward(case, x64):
    arrays, call = arrays_and_call(case)
    y, pull = jax.vjp(call, *arrays)
    with jaxcnn.backward("autodiff"):
        plain, pull_plain = jax.vjp(call, *arrays)
    assert_close(y, plain, 1e-13)
    assert_close(pull(cotangent(y)), pull_plain(cotangent(y)), 1e-12)


@each_case
def test_forward_equals_a_naive_loop(case, x64):
    arrays, call = arrays_and_call(case)
    options = dict(case.options)
    numpy = [a if a is None or not is_float(a) else np.asarray(a) for a in arrays]
    if first := options.pop("layout", "NHWC") == "NCHW":
        numpy[0] = np.moveaxis(numpy[0], 1, -1)
    expected = NAIVE[case.rule](*numpy, **options)
    y = call(*arrays)
    if first:
        y = jax.tree.map(lambda a: jnp.moveaxis(a, 1, -1) if a.ndim > 2 else a, y)
    assert_close(y, jax.tree.map(np.asarray, expected), 1e-12)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_handwritten_cotangents_equal_central_differences(case, x64):
    arrays, call = arrays_and_call(case)
    floats, f = split(arrays, call)
    y, pull = jax.vjp(f, *floats)
    dy = cotangent(y)

    @jax.jit
    def objective(*floats):
        return sum(jnp.vdot(a, b) for a, b in zip(jax.tree.leaves(f(*floats)), jax.tree.leaves(dy), strict=True))

    for i, (a, da) in enumerate(zip(floats, pull(dy), strict=True)):
        steps = 1e-3 * jnp.eye(a.size, dtype=a.dtype).reshape(-1, *a.shape)

        def moved(step, times, i=i, a=a):
            return objective(*floats[:i], a + times * step, *floats[i + 1 :])

        along = jax.jit(jax.vmap(moved, (0, None)))
        # Fourth order: (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, error O(h⁴).
        slope = (8 * (along(steps, 1) - along(steps, -1)) - (along(steps, 2) - along(steps, -2))) / 12e-3
        assert_close(da, slope.reshape(a.shape), 1e-8)


@each_case
def test_second_order_reverse_over_reverse_equals_autodiff(case, x64):
    arrays, call = arrays_and_call(case)
    floats, f = split(arrays, call)
    dy = cotangent(jax.eval_shape(f, *floats))

    def pulled(dy, *floats):
        return jax.vjp(f, *floats)[1](dy)

    def second(dy, *floats):
        first, pull = jax.vjp(pulled, dy, *floats)
        return pull(cotangent(first, seed=2))

    got = second(dy, *floats)
    with jaxcnn.backward("autodiff"):
        expected = second(dy, *floats)
    assert_close(got, expected, 1e-11)


@each_case
def test_jit_runs_the_same_backward(case, x64):
    arrays, call = arrays_and_call(case)
    floats, f = split(arrays, call)
    dy = cotangent(jax.eval_shape(f, *floats))

    def both(*floats):
        y, pull = jax.vjp(f, *floats)
        return y, pull(dy)

    assert_close(jax.jit(both)(*floats), both(*floats), 1e-13)


@each_case
@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_dtype_is_kept(case, dtype):
    arrays, call = arrays_and_call(case, dtype)
    floats, f = split(arrays, call)
    y, pull = jax.vjp(f, *floats)
    assert {a.dtype for a in jax.tree.leaves(y)} == {jnp.dtype(dtype)}
    for a, da in zip(floats, pull(cotangent(y)), strict=True):
        assert (da.dtype, da.shape) == (a.dtype, a.shape)
