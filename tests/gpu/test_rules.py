"""Every rule forward and backward, in float32, against loops in NumPy and autodiff in float64 on the CPU."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcnn
from tests.gpu.oracle import off_by, on_cpu
from tests.ops.cases import CASES, FIRST
from tests.ops.test_rules import arrays_of, cotangent, looped, split
from tests.switches import is_float

# One case of each rule, and all of those whose geometry XLA for GPUs has passes of its own for.
GEOMETRIC = ("conv", "conv_dgrad", "conv_wgrad", "conv_transpose", "max_pool", "avg_pool")
CHOSEN = [case for case in CASES if case.rule in GEOMETRIC or case is FIRST[case.rule]]
DRAWN = ("dropout", "spatial_dropout", "stochastic_depth")  # whose draws depend on the dtype
DOUBLE = [FIRST[rule] for rule in ("conv", "conv_transpose", "max_pool", "batch_norm", "dense", "resize_bicubic")]


def both_ways(f, floats):
    """y and the cotangents of `floats`, on JAX's default device."""

    @jax.jit
    def both(*floats):
        y, pull = jax.vjp(f, *floats)
        return y, pull(cotangent(y))

    return both(*floats)


def expected(case, arrays, dtype=np.float64):
    """The same by autodiff of the plain forward, on the CPU."""
    floats, f = split(case, arrays)

    def both(*floats):
        with jaxcnn.backward("autodiff"):
            y, pull = jax.vjp(f, *floats)
            return y, pull(cotangent(y))

    return on_cpu(both, *floats, dtype=dtype)


@pytest.mark.parametrize("case", CHOSEN, ids=str)
def test_in_float32(case, in_full):
    arrays = arrays_of(case, np.float32)
    y, cotangents = both_ways(*reversed(split(case, arrays)))
    right_y, right_cotangents = expected(case, arrays, np.float32 if case.rule in DRAWN else np.float64)
    assert all(a.devices() == {jax.devices()[0]} for a in jax.tree.leaves((y, cotangents)))
    assert off_by(y, right_y) < 5e-5
    assert off_by(cotangents, right_cotangents) < 5e-5
    if case.rule not in DRAWN:
        loops = looped(case, [np.asarray(a, np.float64) if is_float(a) else a for a in arrays])
        assert off_by(y, loops) < 5e-5


@pytest.mark.parametrize("case", DOUBLE, ids=str)
def test_in_float64(case, x64):
    """By which `jaxcnn check` and `jaxcnn verify` go."""
    arrays = arrays_of(case)
    assert off_by(both_ways(*reversed(split(case, arrays))), expected(case, arrays)) < 1e-11


@pytest.mark.parametrize("case", FIRST.values(), ids=str)
def test_in_bfloat16(case):
    """Of the same rounded arrays; what is kept for the backward is rounded, too."""
    arrays = arrays_of(case, jnp.bfloat16)
    floats, f = split(case, arrays)
    got = both_ways(f, floats)
    assert jax.tree.leaves(got[0])[0].dtype == jnp.bfloat16
    if case.rule not in DRAWN:
        assert off_by(got, expected(case, arrays)) < 0.05


@pytest.mark.parametrize("rule", DRAWN)
def test_a_draw_is_the_same_as_on_the_CPU(rule):
    """So that a run that is resumed elsewhere goes on with the same masks."""
    case = FIRST[rule]
    floats, f = split(case, arrays_of(case, np.float32))
    here, again = jax.jit(f)(*floats), jax.jit(f)(*floats)
    with jax.default_device(jax.devices("cpu")[0]):
        there = jax.jit(f)(*floats)
    np.testing.assert_array_equal(here, again)
    np.testing.assert_array_equal(np.asarray(here) == 0, np.asarray(there) == 0)
    assert off_by(here, there) < 1e-6
