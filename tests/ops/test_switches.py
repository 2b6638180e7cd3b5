"""Every rule, forward and both gradients, under JAX's switches and transformations (`tests/switches.py`)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcnn import ops
from jaxcnn.ops.rule import RULES
from tests import switches
from tests.ops.cases import CASES, FIRST
from tests.ops.test_rules import arrays_of
from tests.switches import SWITCHES, Subject, cotangent, floats, is_float

# Which arrays have a batch: the first, or all, or none.
NO_BATCH = {"weight_standardize"}
LOSSES = {name for name, rule in RULES.items() if rule.plain.__module__.startswith("jaxcnn.ops.loss")}
BATCHED = {"bilinear", "conv_wgrad", "grid_sample", "max_unpool"} | LOSSES  # in all their arrays


def subject(case):
    """The case's rule as a function of its floats, and of all that has a batch."""
    arrays = arrays_of(case, np.float32)
    whose = [] if case.rule in NO_BATCH else arrays if case.rule in BATCHED else arrays[:1]
    batched = [i for i, a in enumerate(whose) if a is not None and a.shape[:1] == arrays[0].shape[:1]]
    given = [i for i, a in enumerate(arrays) if i in batched or is_float(a)]
    moving = [i for i in given if is_float(arrays[i])]

    def split(new):
        """The moving ones of the given arrays, and the rule as a function of those."""
        full = dict(enumerate(arrays)) | dict(zip(given, new, strict=True))

        def rule(*moved):
            return RULES[case.rule](*(full | dict(zip(moving, moved, strict=True))).values(), **case.options)

        return rule, [full[i] for i in moving]

    def reverse(*new):
        rule, moved = split(new)
        y, pull = jax.vjp(rule, *moved)
        return y, list(pull(cotangent(y)))

    def forward(*new):
        rule, moved = split(new)
        y, tangents = jax.jvp(rule, moved, moved)
        return [d for a, d in zip(*map(jax.tree.leaves, (y, tangents)), strict=True) if is_float(a)]

    return Subject(
        reverse, forward, [arrays[i] for i in given], [i in batched for i in given], case.rule != "conv_wgrad"
    )


SUBJECTS = {str(case): subject(case) for case in FIRST.values()}


@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("switch", SWITCHES)
def test_every_rule(switch, name):
    if switch not in switches.CUT or any(SUBJECTS[name].batched):
        SWITCHES[switch](SUBJECTS[name])


def test_every_rule_on_two_devices():
    switches.on_two_devices(__name__)


def test_without_jit_the_handlers_are_left_out():
    """They are chosen when a program is lowered, which then never happens."""
    for case in (FIRST["conv"], FIRST["batch_norm"]):
        modes, arrays = subject(case).modes, subject(case).arrays
        with jax.disable_jit():
            seen = modes(*arrays)
        for got, expected in zip(floats(seen), floats(modes(*arrays)), strict=True):
            np.testing.assert_allclose(got, expected, atol=1e-5 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("dtype", [np.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
@pytest.mark.parametrize(
    "pool", [ops.max_pool_with_indices, ops.adaptive_max_pool_with_indices], ids=lambda f: f.__name__
)
def test_pooling_with_indices_which_is_no_rule_is_traced_too(pool, dtype):
    with switches.nothing_is_promoted():
        y, indices = jax.eval_shape(lambda x: pool(x, 2), jax.ShapeDtypeStruct((2, 4, 4, 3), dtype))
    assert y.dtype == dtype and indices.dtype == np.int32


# What a door does outside of its rule would be asked how it is cut up, too.
WITHIN = [c for c in CASES if c.rule in ("layer_norm", "rms_norm") or "output-padding" in c.name]


def test_explicit_axes_may_cut_any_axis_of_any_array():
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))
    for case in WITHIN:
        one = subject(case)
        for which, a in enumerate(one.arrays):
            for axis in (axis for axis, length in enumerate(a.shape) if length % 2 == 0):
                specs = [P(*(None,) * axis, "d") if i == which else P() for i in range(len(one.arrays))]
                on_mesh = [
                    jax.ShapeDtypeStruct(b.shape, b.dtype, sharding=NamedSharding(mesh, spec))
                    for b, spec in zip(one.types(), specs, strict=True)
                ]
                _, cotangents = jax.eval_shape(one.modes, *on_mesh)
                assert [d.shape for d in cotangents] == [b.shape for b in one.arrays], (case, which, axis)
