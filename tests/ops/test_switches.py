"""Every rule, forward and both gradients, under each of JAX's switches: traced only, for that is where they bite."""

from contextlib import contextmanager

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

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


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "pool", [ops.max_pool_with_indices, ops.adaptive_max_pool_with_indices], ids=lambda f: f.__name__
)
def test_pooling_with_indices_which_is_no_rule_is_traced_too(pool, dtype):
    with nothing_is_promoted():
        y, indices = jax.eval_shape(lambda x: pool(x, 2), jax.ShapeDtypeStruct((2, 4, 4, 3), dtype))
    assert y.dtype == dtype and indices.dtype == np.int32


# A batch whose length is left open, as for `jax.export`. These have none, or one that all else depends on.
NO_BATCH = {"weight_standardize"}
LOSSES = {name for name, rule in RULES.items() if rule.plain.__module__.startswith("jaxcnn.ops.loss")}
BATCHED = {"bilinear", "conv_wgrad", "max_unpool"} | LOSSES  # in all their arrays


@pytest.mark.parametrize("case", [c for c in FIRST.values() if c.rule not in NO_BATCH], ids=str)
def test_the_batch_may_be_left_open(case):
    arrays = arrays_of(case, np.float32)
    (n,), batched = export.symbolic_shape("n"), [i == 0 or case.rule in BATCHED for i in range(len(arrays))]
    described = [
        jax.ShapeDtypeStruct((n, *a.shape[1:]), jax.dtypes.canonicalize_dtype(a.dtype))
        if one and a is not None and a.ndim and a.shape[0] == arrays[0].shape[0]
        else a
        for one, a in zip(batched, arrays, strict=True)
    ]
    given = [i for i, a in enumerate(described) if isinstance(a, jax.ShapeDtypeStruct) or is_float(a)]
    moving = [i for i in given if is_float(described[i])]

    def modes(*arrays):
        full = dict(enumerate(described)) | dict(zip(given, arrays, strict=True))

        def rule(*floats):
            return RULES[case.rule](*(full | dict(zip(moving, floats, strict=True))).values(), **case.options)

        return both_modes(rule, *(full[i] for i in moving))

    exported = export.export(jax.jit(modes))(*(described[i] for i in given))
    assert exported.in_avals[0].shape[0] == n
