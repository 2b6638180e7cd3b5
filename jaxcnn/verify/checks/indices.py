"""Indices that repeat: where a scatter may overwrite what it should add."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.bench import Bench, Outcome, Skip
from jaxcnn.verify.checks.values import against_slopes


def duplicates(bench: Bench) -> Outcome:
    """Every cotangent is right where integers in the arguments, labels or indices, occur twice."""
    problem = bench.problem
    found = [a for a in jax.tree.leaves(problem.args) if _are_indices(a)]
    if not found:
        raise Skip("no argument is an array of integers")
    if not any(_unlike(a) for a in found):
        raise Skip("the integers that were given repeat")
    args = jax.tree.map(lambda a: _repeating(a) if _are_indices(a) else a, problem.args)
    other = Bench(replace(problem, args=args), bench.seed, traceable=bench.traceable)
    point = other.point("separated")
    if problem.plain is None:
        return against_slopes(problem.names, other.slopes, [(point, other.dys, other.pulled(point))])
    return other.compare(point, other.dys, other.pulled(point), without=bench.wrong_already)


def _are_indices(a: Any) -> bool:
    """An array of integers, and not the two of a random key."""
    dtype = getattr(a, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jnp.integer) and dtype != np.uint32 and np.size(a) > 1


def _unlike(a: Any) -> bool:
    """Whether they are too unlike for a half to repeat the other."""
    return len(np.unique(a)) > (np.size(a) + 1) // 2


def _repeating(a: Any) -> Any:
    """The first half of them twice."""
    flat = np.asarray(a).ravel()
    return jnp.asarray(np.resize(flat[: (flat.size + 1) // 2], flat.shape).reshape(a.shape))
