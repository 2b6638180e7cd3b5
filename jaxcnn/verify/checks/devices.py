"""On several devices, each with a part of the batch."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxcnn.verify.bench import Bench, Outcome, Skip
from jaxcnn.verify.checks.algebra import batch_size, of_examples
from jaxcnn.verify.checks.transformations import as_given
from jaxcnn.verify.inputs import Point
from jaxcnn.verify.problem import Arrays, Problem
from jaxcnn.verify.program import Program, compiler_options, precision


def devices(bench: Bench) -> Outcome:
    """A batch on two devices, half of it on each, gives what it gives on one, in the given dtypes.

    Where there is no batch, the cotangents are cut along another axis.
    """
    if jax.device_count() < 2:
        raise Skip("there is one device; XLA_FLAGS=--xla_force_host_platform_device_count=2 makes two of a CPU")
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    point, dys, dtype = as_given(bench)
    problem, even, cut = _halves(bench, point)
    other = bench if problem is bench.problem else Bench(problem, bench.seed, traceable=True)
    point = point if problem is bench.problem else Point(point.kind, problem.leaves)
    dys = [dy[tuple(map(slice, a.shape))] for dy, a in zip(dys, problem.outputs(problem.leaves), strict=True)]
    leaves, run = bench.given_dtypes(point.leaves), jax.jit(problem.subject, compiler_options=compiler_options()[0])
    if cut is _first_even_axis and not any(map(cut, dys)):
        raise Skip("no axis of the output can be halved")
    try:
        with precision(None):
            split = run(_split(leaves, _examples(even)), _split(dys, cut))
    except ValueError as error:
        if "incompatible devices" in str(error):
            raise Skip("the function chooses its devices itself") from None
        raise
    got = jax.tree.map(np.asarray, split[1])
    return other.compare(point, dys, got, dtype=dtype, expected=Program(problem.subject, None)(leaves, dys)[1])


def _halves(bench: Bench, point: Point) -> tuple[Problem, int, Callable[[Any], PartitionSpec]]:
    """The problem for an even number of examples, that number, and how y's cotangents are cut.

    Where y has no examples, or but one, as a kernel's gradient, the problem is as it was, and another axis is cut.
    """
    try:
        n = batch_size(bench.shapes[:1])  # outputs behind the first may be statistics of the batch
    except Skip:
        return bench.problem, 0, _first_even_axis
    even = n - n % 2
    problem = bench.problem if even == n else _shortened(bench.problem, point.leaves, n, even)
    return (bench.problem, 0, _first_even_axis) if problem is None else (problem, even, _examples(even))


def _shortened(problem: Problem, leaves: Arrays, n: int, count: int) -> Problem | None:
    """The problem for the first `count` of n examples; None where its arguments have none."""
    for args in of_examples(problem.put(leaves), n, count):
        part = replace(problem, args=args)
        try:
            if part.outputs(part.leaves)[0].shape[:1] == (count,):
                return part
        except (TypeError, ValueError):
            continue
    return None


def _examples(n: int) -> Callable[[Any], PartitionSpec]:
    """Half of the n examples of an array for each device; whole on both, what has no examples."""
    return lambda a: PartitionSpec("batch") if a.shape[:1] == (n,) else PartitionSpec()


def _first_even_axis(a: Any) -> PartitionSpec:
    """Half of an array for each device, along the first axis that can be halved; whole on both, what has none."""
    axis = next((i for i, length in enumerate(a.shape) if length and length % 2 == 0), None)
    return PartitionSpec() if axis is None else PartitionSpec(*[None] * axis, "batch")


def _split(arrays: Arrays, cut: Callable[[Any], PartitionSpec]) -> list[Any]:
    """The arrays on two devices, cut up as `cut` says of each."""
    mesh = Mesh(np.array(jax.devices()[:2]), ("batch",))
    return [jax.device_put(a, NamedSharding(mesh, cut(a))) for a in arrays]
