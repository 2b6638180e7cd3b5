"""JAX's switches and transformations, and what must come out under each: one table, for every rule and every layer."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import ShapeDtypeStruct, export
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Subject:
    """What is put under the switches, a function of a few small arrays.

    `reverse(*arrays)` is (y, the cotangents of the arrays of floats), and `forward(*arrays)` the tangents of y.
    `batched` says which arrays have a batch in front, and `cut` whether y has it, too.
    """

    reverse: Callable[..., tuple[Any, list[Any]]]
    forward: Callable[..., Any]
    arrays: list[Any]
    batched: list[bool]
    cut: bool = True

    @cached_property
    def modes(self):
        """(*arrays) -> ((y, its tangents), the cotangents): one function, so that JAX knows it again."""

        def modes(*arrays):
            y, cotangents = self.reverse(*arrays)
            return (y, self.forward(*arrays)), cotangents

        return modes

    def types(self, batch=lambda shape, dtype: ShapeDtypeStruct(shape, dtype)):
        """The arrays described, those with a batch as `batch` says."""
        types = [ShapeDtypeStruct(a.shape, jax.dtypes.canonicalize_dtype(a.dtype)) for a in self.arrays]
        return [batch(a.shape, a.dtype) if one else a for a, one in zip(types, self.batched, strict=True)]

    def of_floats(self, each):
        """Of what there is for each array that for those which have cotangents."""
        return [one for one, a in zip(each, self.arrays, strict=True) if is_float(a)]


def is_float(a):
    return a is not None and jnp.issubdtype(a.dtype, jnp.floating)


def floats(tree):
    return [a for a in jax.tree.leaves(tree) if is_float(a)]


def cotangent(y):
    """One that varies, for y."""
    return jax.tree.map(lambda a: jnp.cos(a) if is_float(a) else np.zeros(a.shape, jax.dtypes.float0), y)


def shapes(tree):
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


# What JAX decides while it traces.

anew = jax.make_user_context(None)  # under another value nothing is taken from what was traced before


@contextmanager
def nothing_is_promoted():
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        yield


def traced(under, subject):
    """The same shapes and dtypes come out, and of cotangents those of their arrays."""
    types = subject.types()
    expected = jax.eval_shape(subject.modes, *types)
    assert shapes(expected[1]) == shapes(subject.of_floats(types))
    with under(), anew(under):
        assert shapes(jax.eval_shape(subject.modes, *types)) == shapes(expected)


def transformed(transform, lead, subject):
    """The same shapes and dtypes, behind `lead`."""
    types = subject.types()
    expected = jax.tree.map(lambda a: (lead + a.shape, a.dtype), jax.eval_shape(subject.modes, *types))
    arrays = [ShapeDtypeStruct(lead + a.shape, a.dtype) for a in types]
    assert shapes(jax.eval_shape(partial(transform, subject.modes), *arrays)) == expected


def stacked(modes, *arrays):
    return jax.vmap(modes)(*arrays)


def scanned(modes, *arrays):
    return jax.lax.scan(lambda _, each: (None, modes(*each)), None, arrays)[1]


def recomputed(modes, *arrays):
    return jax.checkpoint(modes)(*arrays)


def open_batch(subject):
    """The batch's length may be left open in an exported program."""
    (n,) = export.symbolic_shape("n")
    arrays = subject.types(lambda shape, dtype: ShapeDtypeStruct((n, *shape[1:]), dtype))
    exported = export.export(jax.jit(subject.modes), platforms=["cpu"])(*arrays)
    assert [a.shape for a in exported.in_avals] == [a.shape for a in arrays]


def a_part_on_each_device(others, subject):
    """`shard_map` with its check of what varies: the cotangent of an array that does not is summed, and does not.

    `others` are the types of the mesh's other axes, which it leaves alone.
    """
    names = ("d", "m")[: 1 + len(others)]
    mesh = AbstractMesh((2,) * len(names), names, axis_types=(AxisType.Auto, *others))

    def part(shape, dtype):
        return ShapeDtypeStruct((2 * shape[0], *shape[1:]), dtype, sharding=NamedSharding(mesh, P()))

    arrays, cut = subject.types(part), [P("d") if one else P() for one in subject.batched]
    specs = {"in_specs": tuple(cut), "out_specs": (P("d"), subject.of_floats(cut)), "axis_names": {"d"}}
    with jax.sharding.use_abstract_mesh(mesh):
        _, cotangents = jax.eval_shape(jax.shard_map(subject.modes, mesh=mesh, **specs), *arrays)
    assert shapes(cotangents) == shapes(subject.of_floats(arrays))


def explicit_axes(subject):
    """y is cut up as the batch is, and each cotangent as its array."""
    mesh = AbstractMesh((2,), ("d",), axis_types=(AxisType.Explicit,))

    def cut(shape, dtype):
        return ShapeDtypeStruct((2 * shape[0], *shape[1:]), dtype, sharding=NamedSharding(mesh, P("d")))

    (y, _), cotangents = jax.eval_shape(subject.modes, *subject.types(cut))
    assert is_cut(jax.tree.leaves(y)[0]) == subject.cut
    assert [is_cut(d) for d in cotangents] == subject.of_floats(subject.batched)


def is_cut(array):
    spec = array.sharding.spec if array.sharding else P()  # of a constant
    assert not any(spec[1:])
    return "d" in spec


# What JAX looks at while it computes.


def computed(under, subject):
    """Outside of jit, so that what goes from one operation to the next is looked at; all that comes out is finite."""
    with under(True):
        results = subject.reverse(*map(jnp.asarray, subject.arrays))
    assert all(np.isfinite(a).all() for a in floats(results))


def on_two_devices(subjects_of):
    """On a mesh of two devices with automatic axes, in a process that has two, everything is what one computes."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"
    code = f"from tests.switches import compare_devices; from {subjects_of} import SUBJECTS; compare_devices(SUBJECTS)"
    environment = os.environ | {"XLA_FLAGS": flags}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert run.stdout.strip() == "the same", run.stderr[-3000:]


def compare_devices(subjects):
    mesh = jax.make_mesh((2,), ("d",), axis_types=(AxisType.Auto,))
    cut, whole = (NamedSharding(mesh, spec) for spec in (P("d"), P()))
    twice = {
        name: [np.concatenate([a, a]) if one else a for a, one in zip(s.arrays, s.batched, strict=True)]
        for name, s in subjects.items()
    }
    shared = {name: [cut if one else whole for one in s.batched] for name, s in subjects.items()}

    @jax.jit
    def everything(arrays):
        return {name: s.reverse(*arrays[name]) for name, s in subjects.items()}

    expected, seen = everything(twice), everything(jax.device_put(twice, shared))
    for name, results in expected.items():
        largest = max(np.abs(a).max(initial=0) for a in floats(results))
        for a, b in zip(floats(results), floats(seen[name]), strict=True):
            np.testing.assert_allclose(b, a, atol=1e-5 * largest, err_msg=name)
    print("the same")


SWITCHES = {
    "nothing is promoted": partial(traced, nothing_is_promoted),
    "jax_check_tracer_leaks": partial(traced, jax.checking_leaks),
    "jax_enable_x64": partial(traced, partial(jax.enable_x64, True)),
    "jax_disable_jit": partial(traced, jax.disable_jit),
    "jax_debug_nans": partial(computed, jax.debug_nans),
    "jax_debug_infs": partial(computed, jax.debug_infs),
    "vmap": partial(transformed, stacked, (2,)),
    "scan": partial(transformed, scanned, (2,)),
    "checkpoint": partial(transformed, recomputed, ()),
    "open batch": open_batch,
    "shard_map": partial(a_part_on_each_device, ()),
    "shard_map beside an explicit axis": partial(a_part_on_each_device, (AxisType.Explicit,)),
    "explicit axes": explicit_axes,
}
CUT = (
    "open batch",
    "shard_map",
    "shard_map beside an explicit axis",
    "explicit axes",
)  # along the batch, where there is one
