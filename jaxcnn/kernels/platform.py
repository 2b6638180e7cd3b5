"""A function that a CPU has code of its own for, chosen when a program is lowered.

As `jax.lax.platform_dependent`, but that a program that is exported (`jax.export`) is `default` on a CPU, too: it must
run where jaxcnn's handlers are not. It has no derivatives; `kernels` gives those to what is made of it.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax import Array
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import batching, mlir


def platform_dependent(*arrays: Array, cpu: Callable[..., Any], default: Callable[..., Any]) -> Any:
    """`default(*arrays)`, by `cpu` on a CPU, inside of jit. Both return the same types."""
    traced, shape = jax.make_jaxpr(default, return_shape=True)(*arrays)
    flat = _chosen.bind(*arrays, cpu=jax.make_jaxpr(cpu)(*arrays), default=traced)
    return jax.tree.unflatten(jax.tree.structure(shape), flat)


def _default(*arrays: Any, cpu: ClosedJaxpr, default: ClosedJaxpr) -> list[Any]:
    """On all other platforms, and where `jax.disable_jit` lowers nothing."""
    return jaxpr_as_fun(default)(*arrays)


def _lower(context: Any, *operands: Any, cpu: ClosedJaxpr, default: ClosedJaxpr) -> Any:
    """For a CPU."""
    exported = context.module_context.lowering_parameters.for_export
    program = default if exported else cpu
    return mlir.lower_fun(jaxpr_as_fun(program), multiple_results=True)(context, *operands)


def _batch(axis: Any, arrays: Any, dims: Any, **programs: ClosedJaxpr) -> Any:
    def mapped(program: ClosedJaxpr) -> Callable[..., Any]:
        return jax.vmap(jaxpr_as_fun(program), dims, axis_size=axis.size, axis_name=axis.name)

    made = platform_dependent(*arrays, **{name: mapped(program) for name, program in programs.items()})
    return made, [0] * len(made)


_chosen = Primitive("platform_dependent")
_chosen.multiple_results = True
_chosen.def_impl(_default)
_chosen.def_abstract_eval(lambda *_, cpu, default: default.out_avals)
batching.fancy_primitive_batchers[_chosen] = _batch
mlir.register_lowering(_chosen, mlir.lower_fun(_default, multiple_results=True))
mlir.register_lowering(_chosen, _lower, platform="cpu")
