"""Every rule, forward and both gradients, under JAX's switches and transformations: traced only where that shows it."""

from contextlib import contextmanager
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcnn import ops
from jaxcnn.ops.rule import RULES
from tests.ops.cases import CASES, FIRST
from tests.ops.test_rules import arrays_of, is_float


def function(case, dtype):
    """The case's float arrays, and both modes of its rule as a function of them."""
    arrays = arrays_of(case, dtype)
    where = [i for i, a in enumerate(arrays) if is_float(a)]

    def rule(*floats):
        full = dict(enumerate(arrays)) | dict(zip(where, floats, strict=True))
        return RULES[case.rule](*full.values(), **case.options)

    return [arrays[i] for i in where], lambda *floats: both_modes(rule, *floats)


def both_modes(rule, *floats):
    def tangent(*floats):
        y, dy = jax.jvp(rule, floats, floats)
        return [d for a, d in zip(*map(jax.tree.leaves, (y, dy)), strict=True) if is_float(a)]

    y, pull = jax.vjp(rule, *floats)
    dy = jax.tree.map(lambda a: jnp.ones_like(a) if is_float(a) else np.zeros(a.shape, jax.dtypes.float0), y)
    return y, pull(dy), tangent(*floats)


@contextmanager
def nothing_is_promoted():
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


SWITCHES = {
    "nothing is promoted": (nothing_is_promoted, jnp.bfloat16, CASES),
    "nothing is promoted, float32": (nothing_is_promoted, np.float32, FIRST.values()),
    "tracer leaks": (jax.checking_leaks, np.float32, FIRST.values()),
    "x64": (lambda: jax.enable_x64(True), np.float32, FIRST.values()),
    "jit is disabled": (jax.disable_jit, np.float32, FIRST.values()),
}


@pytest.mark.parametrize("switch", SWITCHES)
def test_every_rule_is_traced(switch):
    under, dtype, cases = SWITCHES[switch]
    for case in cases:
        floats, modes = function(case, dtype)
        with under():
            y, cotangents, _ = jax.eval_shape(modes, *floats)
        assert jax.tree.leaves(y)[0].dtype == dtype, case
        assert [d.dtype for d in cotangents] == [a.dtype for a in floats], case


@pytest.mark.parametrize("case", FIRST.values(), ids=str)
def test_nothing_on_the_way_is_nan_or_infinite(case):
    """Outside of jit, where `jax_debug_nans` and `jax_debug_infs` raise for all that a door and its rule compute."""
    with jax.debug_nans(True), jax.debug_infs(True):
        y = RULES[case.rule](*arrays_of(case, np.float32), **case.options)
    assert all(np.isfinite(a).all() for a in jax.tree.leaves(y))


def test_without_jit_the_handlers_are_left_out():
    """They are chosen when a program is lowered, which then never happens."""
    for name in ("conv", "batch_norm"):
        floats, modes = function(FIRST[name], np.float32)
        with jax.disable_jit():
            seen = modes(*floats)
        for got, expected in zip(*map(jax.tree.leaves, (seen, modes(*floats))), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "pool", [ops.max_pool_with_indices, ops.adaptive_max_pool_with_indices], ids=lambda f: f.__name__
)
def test_pooling_with_indices_which_is_no_rule_is_traced_too(pool, dtype):
    with nothing_is_promoted():
        y, indices = jax.eval_shape(lambda x: pool(x, 2), jax.ShapeDtypeStruct((2, 4, 4, 3), dtype))
    assert y.dtype == dtype and indices.dtype == np.int32


# Which arrays have a batch: the first, or all, or none where there is none or one that all else depends on.
NO_BATCH = {"weight_standardize"}
LOSSES = {name for name, rule in RULES.items() if rule.plain.__module__.startswith("jaxcnn.ops.loss")}
BATCHED = {"bilinear", "conv_wgrad", "grid_sample", "max_unpool"} | LOSSES  # in all their arrays
with_a_batch = pytest.mark.parametrize("case", [c for c in FIRST.values() if c.rule not in NO_BATCH], ids=str)


def described(case, describe):
    """Both modes as a function of some arrays, and those: with a batch, as they are described; the other floats."""
    arrays = arrays_of(case, np.float32)
    length = len(arrays[0])
    for i, a in enumerate(arrays):
        if (i == 0 or case.rule in BATCHED) and a is not None and a.shape[:1] == (length,):
            arrays[i] = describe(a.shape, jax.dtypes.canonicalize_dtype(a.dtype))
    given = [i for i, a in enumerate(arrays) if isinstance(a, jax.ShapeDtypeStruct) or is_float(a)]
    moving = [i for i in given if is_float(arrays[i])]

    def modes(*new):
        full = dict(enumerate(arrays)) | dict(zip(given, new, strict=True))

        def rule(*floats):
            return RULES[case.rule](*(full | dict(zip(moving, floats, strict=True))).values(), **case.options)

        return both_modes(rule, *(full[i] for i in moving))

    return modes, [arrays[i] for i in given]


@with_a_batch
def test_the_batch_may_be_left_open(case):
    (n,) = export.symbolic_shape("n")
    modes, arrays = described(case, lambda shape, dtype: jax.ShapeDtypeStruct((n, *shape[1:]), dtype))
    exported = export.export(jax.jit(modes))(*arrays)
    assert exported.in_avals[0].shape[0] == n


@pytest.mark.parametrize("others", [(), (AxisType.Explicit,)], ids=["", "beside an explicit axis"])
@with_a_batch
def test_shard_map_takes_a_part_of_the_batch_on_each_device(case, others):
    """With the check of what varies from device to device: of an array that does not, the cotangent does not."""
    names = ("d", "m")[: 1 + len(others)]
    mesh = AbstractMesh((2,) * len(names), names, axis_types=(*others, AxisType.Auto)[::-1])

    def part(shape, dtype):
        by = NamedSharding(mesh, P(None)) if others else None
        return jax.ShapeDtypeStruct((2 * shape[0], *shape[1:]), dtype, sharding=by)

    modes, arrays = described(case, part)
    cut = [P("d") if isinstance(a, jax.ShapeDtypeStruct) else P() for a in arrays]
    of_floats = tuple(by for a, by in zip(arrays, cut, strict=True) if is_float(a))
    results = P("d"), of_floats, P("d")
    sharded = jax.shard_map(modes, mesh=mesh, in_specs=tuple(cut), out_specs=results, axis_names={"d"})
    with jax.sharding.use_abstract_mesh(mesh):
        _, cotangents, _ = jax.eval_shape(sharded, *arrays)
    assert [d.shape for d in cotangents] == [a.shape for a in arrays if is_float(a)]


@with_a_batch
def test_explicit_axes_cut_the_result_as_the_batch_is_cut(case):
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))

    def described_on_mesh(shape, dtype):
        return jax.ShapeDtypeStruct((2 * shape[0], *shape[1:]), dtype, sharding=NamedSharding(mesh, P("d")))

    modes, arrays = described(case, described_on_mesh)
    y, cotangents, _ = jax.eval_shape(modes, *arrays)
    assert is_cut(jax.tree.leaves(y)[0]) == (case.rule != "conv_wgrad")
    assert [is_cut(d) for d in cotangents] == [isinstance(a, jax.ShapeDtypeStruct) for a in arrays if is_float(a)]


# What a door does outside of its rule would be asked how it is cut up, too.
WITHIN = [c for c in CASES if c.rule in ("layer_norm", "rms_norm") or "output-padding" in c.name]


def test_explicit_axes_may_cut_any_axis_of_any_array():
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))
    for case in WITHIN:
        floats, modes = function(case, np.float32)
        for which, a in enumerate(floats):
            for axis in (axis for axis, length in enumerate(a.shape) if length % 2 == 0):
                cut = P(*(None,) * axis, "d")
                specs = [NamedSharding(mesh, cut if i == which else P()) for i in range(len(floats))]
                on_mesh = [
                    jax.ShapeDtypeStruct(b.shape, b.dtype, sharding=s) for b, s in zip(floats, specs, strict=True)
                ]
                y, cotangents, _ = jax.eval_shape(modes, *on_mesh)
                assert y.shape and [d.shape for d in cotangents] == [b.shape for b in floats], (case, which, axis)


def is_cut(array):
    spec = array.sharding.spec if array.sharding else P()  # of a constant
    assert not any(spec[1:])
    return "d" in spec


def stacked(modes, floats):
    return jax.vmap(modes)(*(jnp.stack([a, a]) for a in floats))


def scanned(modes, floats):
    return jax.lax.scan(lambda _, x: (None, modes(*x)), None, [jnp.stack([a, a]) for a in floats])[1]


def recomputed(modes, floats):
    return jax.checkpoint(modes)(*floats)


@pytest.mark.parametrize("transform", [stacked, scanned, recomputed])
def test_every_rule_is_transformed(transform):
    for case in FIRST.values():
        floats, modes = function(case, np.float32)
        one = jax.eval_shape(modes, *floats)
        many = jax.eval_shape(partial(transform, modes), floats)
        lead = () if transform is recomputed else (2,)
        assert [a.shape for a in jax.tree.leaves(many)] == [(*lead, *a.shape) for a in jax.tree.leaves(one)], case
