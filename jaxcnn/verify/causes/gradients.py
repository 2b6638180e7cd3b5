"""Explanations by a gradient that is wrong in the same way: a planted fault's, or the right one for other inputs."""

import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify.causes.mistake import Mistake, axes_names, flips, swaps
from jaxcnn.verify.program import compiler_options


def catalogued(error: Mistake, argument: int, args: Any, static: Any, dy: Any, rule: str | None) -> Iterator[str]:
    """The causes of the catalogue's faults of this rule that give the same wrong cotangent."""
    if rule is None:
        return
    from jaxcnn.verify.catalog.faults import of_rule

    faults = of_rule(rule)

    def cotangent(fault: Any, args: Any, dy: Any) -> Any:
        try:
            return fault.backward(args, dy, **static)[argument]
        except Exception:
            return None  # this fault has no meaning for this input

    together = _compiled(lambda args, dy: [cotangent(fault, args, dy) for fault in faults])
    for fault, wrong in zip(faults, together(*jax.tree.map(in_float64, (tuple(args), dy))), strict=True):
        if error.explained_by(wrong):
            yield fault.cause


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(function, compiler_options=compiler_options()[0])


def in_float64(array: Any) -> Any:
    """Floats in float64, all else as it is."""
    return jnp.asarray(array, np.float64) if jnp.issubdtype(array.dtype, jnp.floating) else array


def other_inputs(error: Mistake, argument: int, plain: Any, args: Any, static: Any, dy: Any) -> Iterator[str]:
    """The gradient that other arguments, or another dy, would have."""
    from jaxcnn.verify.catalog.fault import pulled_back

    args, dy = jax.tree.map(in_float64, (tuple(args), dy))
    compute = _compiled(lambda args, dy: pulled_back(plain, args, dy, **static)[argument])
    names = _names(plain, len(args))
    for cause, other_args, other_dy in itertools.chain(_other_dys(args, dy), _other_args(args, dy, names)):
        try:
            if error.explained_by(compute(other_args, other_dy)):
                yield cause
        except Exception:
            continue  # the forward does not take this argument


def _names(plain: Any, count: int) -> list[str]:
    """What the arguments are called."""
    try:
        parameters = list(inspect.signature(plain).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    known = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [known[i] if i < len(known) else f"argument {i}" for i in range(count)]


def _other_dys(args: Any, dy: Any) -> Iterator[tuple[str, Any, Any]]:
    def mapped(change: Callable[[Any], Any]) -> Any:
        return jax.tree.map(change, dy)

    yield "does not depend on dy: it is what dy = 1 everywhere gives", args, mapped(jnp.ones_like)
    yield "uses only the positive entries of dy", args, mapped(lambda d: jnp.maximum(d, 0))
    if all(d.ndim for d in jax.tree.leaves(dy)):
        first = mapped(lambda d: d * (jnp.arange(len(d)) == 0).reshape(-1, *[1] * (d.ndim - 1)))
        last = mapped(lambda d: d * (jnp.arange(len(d)) == len(d) - 1).reshape(-1, *[1] * (d.ndim - 1)))
        yield "is the gradient of the batch's first example only", args, first
        yield "is the gradient of the batch's last example only", args, last
    leaves, tree = jax.tree.flatten(dy)
    if len(leaves) > 1:
        for i in range(len(leaves)):
            others = [jnp.zeros_like(d) if i == j else d for j, d in enumerate(leaves)]
            yield f"ignores the cotangent of output {i}", args, jax.tree.unflatten(tree, others)
    if len(leaves) == 1:
        for axes, flipped in flips(leaves[0]):
            where = axes_names(axes, leaves[0].ndim)
            yield f"equals the gradient for dy flipped along {where}", args, jax.tree.unflatten(tree, [flipped])


def _other_args(args: Any, dy: Any, names: list[str]) -> Iterator[tuple[str, Any, Any]]:
    for i, (arg, name) in enumerate(zip(args, names, strict=True)):
        if not hasattr(arg, "dtype") or not jnp.issubdtype(arg.dtype, jnp.floating):
            continue

        def instead(other: Any, i: int = i) -> Any:
            return (*args[:i], other, *args[i + 1 :])

        for axes, flipped in flips(arg):
            rotated = " (rotated by 180°)" if axes == tuple(range(arg.ndim - 2)) and len(axes) == 2 else ""
            where = axes_names(axes, arg.ndim)
            yield f"equals the gradient for {name} flipped along {where}{rotated}", instead(flipped), dy
        for (a, b), swapped in swaps(arg):
            yield f"equals the gradient for {name} with axes {a} and {b} swapped", instead(swapped), dy
        yield f"misses the factor {name}: it equals the gradient for {name} = 1", instead(jnp.ones_like(arg)), dy
        yield f"equals the gradient for {name} = 0", instead(jnp.zeros_like(arg)), dy
        yield f"equals the gradient for {name} with the opposite sign", instead(-arg), dy
        yield f"equals the gradient at |{name}|", instead(jnp.abs(arg)), dy
