"""Every rule of the library, over the table in `cases`.

The oracles know nothing of the handwritten backward: autodiff of the plain forward, loops in NumPy, and central
differences of these loops. Everything is compared in float64, every element, with an error measured in the size of
the largest element of that array.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.naive import NAIVE
from tests.ops.cases import CASES
from tests.switches import is_float, nothing_is_promoted

# Scope "module" runs all tests of a case in a row.
each_case = pytest.mark.parametrize("case", CASES, ids=str, scope="module")

# Second derivatives take most of the time to compile: three smooth cases of each rule, spread over its table. JAX's
# derivative of max pooling's derivative breaks ties otherwise than its first; test_pool.py has those, of every case.
SMOOTH = [[case for case in CASES if case.rule == rule and case.smooth] for rule in sorted({c.rule for c in CASES})]
TWICE = [cases[i] for cases in SMOOTH for i in sorted({0, len(cases) // 2, len(cases) - 1})]
MIXED = [cases[0] for cases in SMOOTH]  # and one of each for both mixtures of the modes


def assert_close(got, expected, rtol):
    """Elementwise, relative to the largest expected element."""
    got, expected = jax.tree.leaves(got), jax.tree.leaves(expected)
    assert len(got) == len(expected)
    for g, e in zip(got, expected, strict=True):
        assert g.shape == e.shape
        assert g.dtype == e.dtype
        np.testing.assert_allclose(g, e, rtol=0, atol=rtol * max(1.0, float(np.max(np.abs(e), initial=0))))


def as_numpy(a):
    return np.asarray(a) if is_float(a) else a


def arrays_of(case, dtype=np.float64):
    """The case's arrays, those of floats in `dtype`; a seed of its own for each case."""
    rng = np.random.default_rng(sum(map(ord, str(case))))
    return [np.asarray(a, dtype) if is_float(a) else a for a in case.arrays(rng)]


def split(case, arrays):
    """The float arrays, and the rule as a function of those alone."""
    where = [i for i, a in enumerate(arrays) if is_float(a)]

    def f(*floats):
        full = list(arrays)
        for i, a in zip(where, floats, strict=True):
            full[i] = a
        return RULES[case.rule](*full, **case.options)

    return [arrays[i] for i in where], f


def cotangent(y, seed=1):
    """A random cotangent for each output."""
    rng = np.random.default_rng(seed)
    return jax.tree.map(lambda a: rng.standard_normal(a.shape).astype(a.dtype), y)


class Derivatives(NamedTuple):
    """Of y = f(x), the handwritten or JAX's own. The second ones are None where they are not asked for."""

    y: Any
    dx: Any  # the cotangents for a dy
    tangent: Any  # of y, for tangents of x: forward mode
    reverse_over_reverse: Any  # the cotangents of (dy, x) -> dx
    forward_over_reverse: Any  # the tangents of (dy, x) -> dx
    reverse_over_forward: Any  # the cotangents of (x, tangents of x) -> the tangent


def derivatives(case, f, floats):
    """All that is compared of a case."""
    dy = cotangent(jax.eval_shape(f, *floats))
    moved = cotangent(tuple(floats), seed=3)

    def pulled(dy, *floats):
        y, pull = jax.vjp(f, *floats)
        return pull(dy), y

    def pushed(*both):
        y, tangent = jax.jvp(f, both[: len(floats)], both[len(floats) :])
        return jax.tree.map(lambda a, d: d if is_float(a) else None, y, tangent)

    second = dict.fromkeys(Derivatives._fields[3:])
    tangent = pushed(*floats, *moved)
    if case in TWICE or case.rule == "max_pool":
        dx, pull, y = jax.vjp(pulled, dy, *floats, has_aux=True)
        second["reverse_over_reverse"] = pull(cotangent(dx, seed=2))
    else:
        dx, y = pulled(dy, *floats)
    if case in MIXED:
        _, second["forward_over_reverse"], _ = jax.jvp(pulled, (dy, *floats), (dy, *moved), has_aux=True)
        tangent, pull = jax.vjp(pushed, *floats, *moved)
        second["reverse_over_forward"] = pull(cotangent(tangent, seed=4))
    return Derivatives(y, dx, tangent, **second)


def looped(case, arrays):
    """The outputs by loops in NumPy, which know nothing of XLA and have their channels last."""
    options = dict(case.options)
    first = options.pop("layout", "NHWC") == "NCHW"
    if first:
        arrays = [np.moveaxis(arrays[0], 1, -1), *arrays[1:]]
    y = jax.tree.leaves(NAIVE[case.rule](*arrays, **options))
    return [np.moveaxis(a, -1, 1) if first and a.ndim > 2 else a for a in y]


def slope(case, arrays, moved, dy, h=1e-3):
    """How ⟨loops, dy⟩ rises along `moved`, by (8 (f(h) - f(-h)) - (f(2h) - f(-2h))) / 12 h, of fourth order."""

    def at(t):
        along = iter(moved)
        y = looped(case, [a + t * next(along) if is_float(a) else a for a in arrays])
        return sum(map(np.vdot, y, dy))

    return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)


class Results(NamedTuple):
    handwritten: Any
    autodiff: Any


@functools.cache
def results(case) -> Results:
    """All that is asked of a case, in one program."""
    with jax.enable_x64(True):
        floats, f = split(case, arrays_of(case))

        @jax.jit
        def everything(*floats):
            handwritten = derivatives(case, f, floats)
            with jaxcnn.backward("autodiff"):
                autodiff = derivatives(case, f, floats)
                if case.rule == "max_pool":  # of equal maxima JAX's forward mode takes another since 0.11
                    (x,), (dx,) = floats, cotangent(tuple(floats), seed=3)
                    autodiff = autodiff._replace(tangent=jnp.tensordot(jax.jacrev(f)(x), dx, x.ndim))
            return Results(handwritten, autodiff)

        return jax.tree.map(np.asarray, everything(*floats))


@each_case
def test_handwritten_cotangents_equal_autodiff_of_the_plain_forward(case):
    assert_close(results(case).handwritten.y, results(case).autodiff.y, 1e-13)
    assert_close(results(case).handwritten.dx, results(case).autodiff.dx, 1e-12)


@each_case
def test_forward_mode_equals_that_of_the_plain_forward(case):
    assert_close(results(case).handwritten.tangent, results(case).autodiff.tangent, 1e-12)


@each_case
def test_the_two_modes_are_each_others_transpose(case, x64):
    """⟨J v, dy⟩ = ⟨v, Jᵀ dy⟩, J v by one mode of the rule and Jᵀ dy by the other."""
    ours, x = results(case).handwritten, [np.asarray(a) for a in arrays_of(case) if is_float(a)]
    dy = [d for d in map(np.asarray, jax.tree.leaves(cotangent(ours.y))) if is_float(d)]
    pushed = [a * d for a, d in zip(jax.tree.leaves(ours.tangent), dy, strict=True)]
    pulled = [a * d for a, d in zip(cotangent(tuple(x), seed=3), ours.dx, strict=True)]
    size = sum(np.abs(a).sum() for a in [*pushed, *pulled])
    assert abs(sum(a.sum() for a in pushed) - sum(a.sum() for a in pulled)) <= 1e-13 * max(1, size)


@pytest.mark.parametrize("case", TWICE, ids=str, scope="module")
def test_second_order_reverse_over_reverse_equals_autodiff(case):
    assert_close(results(case).handwritten.reverse_over_reverse, results(case).autodiff.reverse_over_reverse, 1e-11)


@pytest.mark.parametrize("case", MIXED, ids=str, scope="module")
def test_second_order_of_both_modes_equals_autodiff(case):
    ours, jaxs = results(case)[:2]
    assert_close(ours.forward_over_reverse, jaxs.forward_over_reverse, 1e-11)
    assert_close(ours.reverse_over_forward, jaxs.reverse_over_forward, 1e-11)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str, scope="module")
def test_handwritten_cotangents_equal_central_differences_of_a_naive_loop(case, x64):
    """All arrays move at once, at random: a wrong entry anywhere tilts the sum."""
    ours, arrays = results(case).handwritten, list(map(as_numpy, arrays_of(case)))
    moved = cotangent(tuple(filter(is_float, arrays)), seed=5)
    products = [d * v for d, v in zip(ours.dx, moved, strict=True)]
    size = sum(np.abs(a).sum() for a in products)
    found = slope(case, arrays, moved, jax.tree.leaves(cotangent(ours.y)))
    assert abs(found - sum(a.sum() for a in products)) <= 1e-9 * max(1, size)


@each_case
def test_forward_equals_a_naive_loop(case, x64):
    y = jax.tree.leaves(results(case).handwritten.y)
    assert_close(y, looped(case, list(map(as_numpy, arrays_of(case)))), 1e-12)


@each_case
def test_half_precision_is_kept(case):
    """Each cotangent has its array's dtype, y has x's; outputs behind it are statistics, in float32.

    So it is where users forbid that ranks or dtypes are promoted.
    """
    floats, f = split(case, arrays_of(case, jnp.bfloat16))

    def both(*floats):
        y, pull = jax.vjp(f, *floats)
        return y, pull(y)

    with nothing_is_promoted():
        y, cotangents = jax.eval_shape(both, *floats)
    y, *statistics = jax.tree.leaves(y)
    assert y.dtype == jnp.bfloat16
    assert all(s.dtype == np.float32 for s in statistics)
    assert [(d.dtype, d.shape) for d in cotangents] == [(a.dtype, a.shape) for a in floats]


EAGER = ["conv-groups-stride-dilation", "max_pool-int-padding", "batch_norm-images", "softmax_cross_entropy-classes"]


@pytest.mark.parametrize("case", [c for c in CASES if str(c) in EAGER], ids=str)
def test_without_jit_the_same_comes_out(case, x64):
    floats, f = split(case, arrays_of(case))
    y, pull = jax.vjp(f, *floats)
    assert_close((y, pull(cotangent(y))), results(case).handwritten[:2], 1e-13)


@pytest.mark.parametrize("name", ["softmax_cross_entropy-classes", "dropout-typed-key", "dropout-raw-key"])
def test_labels_and_keys_have_no_cotangent(name):
    (case,) = (c for c in CASES if str(c) == name)
    x, other = arrays_of(case, np.float32)
    y, pull = jax.vjp(lambda *arrays: RULES[case.rule](*arrays, **case.options), x, other)
    dx, none = pull(jnp.ones_like(y))
    assert dx.dtype == np.float32
    assert none.dtype == jax.dtypes.float0
