"""What a program (a jaxpr) tells before it runs: its numbers, its digits, and where its derivative is not its slope."""

import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

# Equations that run a program of theirs on just their inputs.
_CUSTOM = {"custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr"}
_CALLS = {"jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint"} | _CUSTOM

# Constant between jumps, or taken for constant: the derivative is 0, wherever there is one.
_STEPS = {"round", "floor", "ceil", "sign", "stop_gradient"}


def is_float(a: Any) -> bool:
    """True for an array (or a description of one) of real floats."""
    return hasattr(a, "dtype") and jnp.issubdtype(a.dtype, jnp.floating)


def called(equation: Any) -> Any:
    """The program that this equation runs on its inputs, closed; None for one that computes."""
    if equation.primitive.name not in _CALLS:
        return None
    found = equation.params.get("jaxpr", equation.params.get("call_jaxpr", equation.params.get("fun_jaxpr")))
    return found if found is None or hasattr(found, "consts") else ClosedJaxpr(found, [])


def equations(program: Any) -> Iterator[Any]:
    """All equations of a program and of those that it runs, once each."""
    for equation in program.eqns:
        yield equation
        for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
            if hasattr(part, "eqns"):
                yield from equations(getattr(part, "jaxpr", part))


def numbers(program: Any) -> Iterator[float]:
    """The numbers written in a program."""
    for equation in equations(program):
        for value in equation.invars:
            if isinstance(value, Literal) and np.ndim(value.val) == 0 and is_float(value.aval):
                yield float(value.val)


def is_handwritten(program: Any) -> bool:
    """Whether some derivative in it is written by hand, and not by JAX's authors: theirs are all `custom_jvp`."""
    rules = (forward for forward in _custom_forwards(program) if not _is_of_jax(forward))
    by_hand = (
        e.primitive.name.startswith("custom_vjp") or "hi_prim" in e.primitive.name or "derivative" in e.params
        for e in equations(program)
    )
    return any(True for _ in rules) or any(by_hand)  # jaxcnn's rules are primitives with a parameter `derivative`


def _custom_forwards(program: Any) -> Iterator[Any]:
    """The forward programs of the custom rules in it."""
    for equation in equations(program):
        inner = called(equation) if equation.primitive.name in _CUSTOM else None
        if inner is not None:
            yield inner.jaxpr


def _is_of_jax(program: Any) -> bool:
    """Whether the function that was traced is JAX's own, as far as is known."""
    file = getattr(getattr(program, "debug_info", None), "func_filename", None)
    return file is not None and file.startswith(os.path.dirname(jax.__file__))


def stops_gradients(program: Any) -> bool:
    """Whether it takes a value for constant that is none."""
    return any(e.primitive.name == "stop_gradient" for e in equations(program))


def is_straight_through(program: Any) -> bool:
    """Whether a custom rule in it gives a derivative to what has none.

    Some input reaches the result of its forward through steps alone, as in `round` or `x > 0`.
    """
    for forward in _custom_forwards(program):
        for v in forward.invars:
            if is_float(v.aval) and _reached(forward, {v}, _always) and not _reached(forward, {v}, _smoothly):
                return True
    return False


def coarsest(program: Any) -> Any:
    """The float dtype of the fewest digits through which a float input reaches anything."""
    inputs = {v for v in program.invars if is_float(v.aval)}
    found = [v.aval.dtype for v in inputs]

    def note(equation: Any, out: Any) -> bool:
        inexact = hasattr(out.aval, "dtype") and jnp.issubdtype(out.aval.dtype, jnp.inexact)
        if inexact:
            found.append(finfo(out.aval.dtype).dtype)  # a complex one's parts'
            if equation.primitive.name == "reduce_precision":
                found.append(_of_bits(equation.params["mantissa_bits"]))
        return inexact

    _reached(program, inputs, note)
    return max(found, key=epsilon)


def finfo(dtype: Any) -> Any:
    """`jnp.finfo`."""
    return jnp.finfo(dtype)  # type: ignore[no-untyped-call]


def epsilon(dtype: Any) -> float:
    """The distance from 1 to the next larger number."""
    return float(finfo(dtype).eps)


def _of_bits(mantissa: int) -> Any:
    """The widest dtype of no more digits."""
    narrow = [d for d in (jnp.float64, jnp.float32, jnp.float16) if finfo(d).nmant <= mantissa]
    return jnp.dtype(narrow[0] if narrow else jnp.bfloat16)


def _always(equation: Any, out: Any) -> bool:
    return True


def _smoothly(equation: Any, out: Any) -> bool:
    return is_float(out.aval) and equation.primitive.name not in _STEPS


def _reached(program: Any, inputs: set[Any], passes: Callable[[Any, Any], bool]) -> set[Any]:
    """The program's results that depend on these of its variables, by equations that pass it on to their outputs."""
    known = set(inputs)
    for equation in program.eqns:
        given = [i for i, v in enumerate(equation.invars) if not isinstance(v, Literal) and v in known]
        if not given:
            continue
        inner = called(equation)
        if inner is not None and len(inner.jaxpr.invars) == len(equation.invars):
            results = _reached(inner.jaxpr, {inner.jaxpr.invars[i] for i in given}, passes)
            pairs = zip(equation.outvars, inner.jaxpr.outvars, strict=True)
            known |= {out for out, result in pairs if not isinstance(result, Literal) and result in results}
            continue
        for part in _loops(equation):
            _reached(part, {v for v in part.invars if is_float(v.aval)}, passes)
        known |= {out for out in equation.outvars if passes(equation, out)}
    return {v for v in program.outvars if not isinstance(v, Literal) and v in known}


def _loops(equation: Any) -> Iterator[Any]:
    """The programs that an equation runs in a way of its own: scan, while, cond."""
    for part in jax.tree.leaves(list(equation.params.values()), is_leaf=lambda p: hasattr(p, "eqns")):
        if hasattr(part, "eqns"):
            yield getattr(part, "jaxpr", part)
