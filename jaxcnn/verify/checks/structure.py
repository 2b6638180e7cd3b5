"""The cotangents' number, tree, shapes and dtypes, and the forward's, in every precision; nothing is computed."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.bench import Bench, Outcome
from jaxcnn.verify.errors import raised
from jaxcnn.verify.problem import Problem, floats
from jaxcnn.verify.program import precision
from jaxcnn.verify.reading import is_float
from jaxcnn.verify.report import Failure

DTYPES = {"float64": np.float64, "float32": np.float32, "float16": np.float16, "bfloat16": jnp.bfloat16}

NOT_TRACEABLE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


def structure(bench: Bench) -> Outcome:
    """A cotangent for each argument, in its tree, shape and dtype; y in the plain function's. In every precision."""
    problem = bench.problem
    leaves = bench.given_dtypes(problem.leaves)
    outcome = check_cotangents(problem, leaves, None)
    for name, dtype in DTYPES.items():
        if outcome.failures:
            break  # said once
        if dtype != np.float64 and all(a.dtype == dtype for a in leaves):
            continue  # as given
        if takes(problem, dtype):
            outcome.add(check_cotangents(problem, leaves, dtype))
        else:
            outcome.note += f"the plain function does not take {name}; "
    return outcome


def takes(problem: Problem, dtype: Any) -> bool:
    """Whether the function runs in a dtype other than the given."""
    try:
        with precision(dtype):
            problem.outputs([jax.ShapeDtypeStruct(a.shape, jnp.dtype(dtype)) for a in problem.leaves])
    except (TypeError, ValueError, NotImplementedError):
        return False
    return True


def traceable(problem: Problem) -> bool:
    """Whether the backward under test runs under `jax.jit`: not where it looks at values."""
    try:
        problem.abstract(problem.leaves)
    except NOT_TRACEABLE:
        return False
    except Exception:  # said by `structure`
        return True
    return True


def check_cotangents(problem: Problem, leaves: Any, dtype: Any) -> Outcome:
    """The backward's result for arguments of one dtype (None: as given), against the arguments themselves."""
    leaves = [np.asarray(a, dtype) for a in leaves]
    with precision(dtype):
        try:
            y, found = problem.abstract(leaves)
        except NOT_TRACEABLE:
            y, found = problem.pulled(leaves)
        except Exception as error:  # whatever the code under test raises is its failure
            return _failure(problem, leaves, "", raised(error))
        expected = problem.outputs(leaves)
    args = problem.put(leaves)
    forms = [[f"{a.dtype}{list(a.shape)}" for a in side] for side in (floats(y), expected)]
    if forms[0] != forms[1]:
        message = f"the forward returns {', '.join(forms[0])}, the plain function {', '.join(forms[1])}"
        return _failure(problem, leaves, "", message)
    if not isinstance(found, tuple | list):
        seen = "a single array" if hasattr(found, "shape") else repr(found)
        message = f"the backward returned {seen}; expected a tuple of {len(args)} cotangents, (dx,) for one"
        return _failure(problem, leaves, "", message)
    if len(found) != len(args):
        message = f"the backward returned {len(found)} cotangents for {len(args)} arguments"
        return _failure(problem, leaves, "", message)
    outcome = Outcome()
    for i, (arg, cotangent) in enumerate(zip(args, found, strict=True)):
        if cotangent is not None:
            outcome.add(_check_argument(problem, leaves, i, arg, cotangent))
    return outcome


def _check_argument(problem: Problem, leaves: Any, i: int, arg: Any, cotangent: Any) -> Outcome:
    outcome = Outcome()
    parts, tree = jax.tree.flatten(arg)
    names = [name for name, where in problem.places() if where == i]
    try:
        given = tree.flatten_up_to(cotangent)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        message = f"the cotangent has the tree {jax.tree.structure(cotangent)}; expected {tree}"
        return _failure(problem, leaves, problem.argument_names()[i], message)
    for name, a, d in zip(names, parts, given, strict=True):
        message = _mismatch(a, d)
        if message:
            outcome.add(_failure(problem, leaves, name, message))
    return outcome


def _mismatch(a: Any, d: Any) -> str:
    """What is wrong with the cotangent d of the argument a; "" where nothing is."""
    if d is None:
        return ""
    if not hasattr(d, "shape") and not isinstance(d, int | float):
        return f"the cotangent is a {type(d).__name__}; expected an array like the argument"
    shape, dtype = np.shape(d), d.dtype if hasattr(d, "dtype") else jnp.result_type(d)
    if not is_float(a):
        seen = getattr(a, "dtype", type(a).__name__)
        return f"the argument is {seen}, which has no cotangent: return None instead of {dtype}{list(shape)}"
    if shape != a.shape:
        return f"the cotangent has shape {shape}, expected {a.shape}"
    if dtype != a.dtype:
        return f"the cotangent has dtype {dtype}, expected {a.dtype}, that of the argument"
    return ""


def _failure(problem: Problem, leaves: Any, argument: str, message: str) -> Outcome:
    shapes = problem.describe(leaves)
    return Outcome(failures=[Failure("structure", argument, message, shapes=shapes, options=problem.static)])
