"""The checks: each takes a `Bench` and returns an `Outcome`, or raises `Skip` with the reason."""

from collections.abc import Mapping, Sequence

from jaxcnn.verify.bench import Checker
from jaxcnn.verify.checks.algebra import batch, linear, transpose
from jaxcnn.verify.checks.devices import devices
from jaxcnn.verify.checks.indices import duplicates
from jaxcnn.verify.checks.precision import bfloat16, float16, float32
from jaxcnn.verify.checks.second_order import second_order
from jaxcnn.verify.checks.structure import structure
from jaxcnn.verify.checks.tangents import tangent
from jaxcnn.verify.checks.transformations import jit, repeat, vmap
from jaxcnn.verify.checks.values import autodiff, differences, finite, forward, loops, zero

# In this order: what the first find, the later ones need not say again.
QUICK: dict[str, Checker] = {
    "structure": structure,
    "forward": forward,
    "loops": loops,
    "autodiff": autodiff,
    "zero": zero,
    "finite": finite,
}
FULL: dict[str, Checker] = QUICK | {
    "differences": differences,
    "linear": linear,
    "transpose": transpose,
    "tangent": tangent,
    "batch": batch,
    "duplicates": duplicates,
    "jit": jit,
    "repeat": repeat,
    "vmap": vmap,
    "devices": devices,
    "float32": float32,
    "float16": float16,
    "bfloat16": bfloat16,
    "second order": second_order,
}


def chosen(names: Sequence[str] | None) -> Mapping[str, Checker]:
    """The checks of these names in their order, always with "structure"; all of them for None."""
    if names is None:
        return FULL
    if isinstance(names, str) or not set(names) <= set(FULL):
        raise ValueError(f"verify: checks is {names!r}; expected a sequence of some of {', '.join(map(repr, FULL))}.")
    return {name: checker for name, checker in FULL.items() if name in {"structure", *names}}
