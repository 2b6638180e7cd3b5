"""On several devices, each with a part of the batch."""

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
from jaxcnn.verify.program import Program, compiler_options


def devices(bench: Bench) -> Outcome:
    """A batch on two devices, half of it on each, gives what it gives on one, in the given dtypes."""
    if jax.device_count() < 2:
        raise Skip("there is one device; XLA_FLAGS=--xla_force_host_platform_device_count=2 makes two of a CPU")
    if not bench.traceable:
        raise Skip("the backward does not run under jax.jit")
    n = batch_size(bench.shapes[:1])  # outputs behind the first may be statistics of the batch
    point, dys, dtype = as_given(bench)
    even = n - n % 2
    problem = bench.problem if even == n else _shortened(bench.problem, point.leaves, n, even)
    other = bench if even == n else Bench(problem, bench.seed, traceable=True)
    point = point if even == n else Point(point.kind, problem.leaves)
    dys = [dy[tuple(map(slice, a.shape))] for dy, a in zip(dys, problem.outputs(problem.leaves), strict=True)]
    leaves, run = bench.given_dtypes(point.leaves), jax.jit(problem.subject, compiler_options=compiler_options()[0])
    try:
        split = run(_split(leaves, even), _split(dys, even))
    except ValueError as error:
        if "incompatible devices" in str(error):
            raise Skip("the function chooses its devices itself") from None
        raise
    got = jax.tree.map(np.asarray, split[1])
    return other.compare(point, dys, got, dtype=dtype, expected=Program(problem.subject, None)(leaves, dys)[1])


def _shortened(problem: Problem, leaves: Arrays, n: int, count: int) -> Problem:
    """The problem for the first `count` of n examples."""
    for args in of_examples(problem.put(leaves), n, count):
        part = replace(problem, args=args)
        try:
            if part.outputs(part.leaves)[0].shape[:1] == (count,):
                return part
        except (TypeError, ValueError):
            continue
    raise Skip("the batch is odd, and can't be shortened")


def _split(arrays: Arrays, n: int) -> list[Any]:
    """Half of the n examples of an array on each of two devices; whole on both, what has no examples."""
    mesh = Mesh(np.array(jax.devices()[:2]), ("batch",))
    specs = (PartitionSpec("batch") if a.shape[:1] == (n,) else PartitionSpec() for a in arrays)
    return [jax.device_put(a, NamedSharding(mesh, spec)) for a, spec in zip(arrays, specs, strict=True)]
