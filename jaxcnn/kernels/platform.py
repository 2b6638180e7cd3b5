"""A function that a CPU has code of its own for, chosen when a program is lowered.

As `jax.lax.platform_dependent`, but that a program that is exported (`jax.export`) is `default` on a CPU, too: it must
run where jaxcnn's handlers are not. It has no derivatives; `Served`, and `kernels`, give those to what is made of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.custom_batching import custom_vmap
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import batching, mlir

from jaxcnn.primitive import Operation, TangentOf

Arrays = tuple[Array, ...]


@dataclass(frozen=True, eq=False)
class Served:
    """Arrays made of arrays, `plain(*arrays, **options)`, and by `cpu(*arrays, **options)` on a CPU.

    Its derivatives are those of `plain`: it stands in rules' forwards and backwards, where only higher ones meet it.
    """

    name: str
    plain: Callable[..., Arrays]
    cpu: Callable[..., Arrays]

    def __call__(self, *arrays: Array, **options: Any) -> Arrays:
        """The arrays."""
        parts = self._forward, self._backward, TangentOf(self.plain)
        return tuple(Operation(self.name, *parts, tuple(options.items()))(*arrays))

    def _forward(self, *arrays: Array, **options: Any) -> tuple[Arrays, Arrays]:
        return _served(self, tuple(options.items()), *arrays), arrays

    def _backward(self, arrays: Arrays, cotangents: Any, **options: Any) -> tuple[Array | None, ...]:
        found = jax.vjp(partial(self.plain, **options), *arrays)[1](cotangents)
        return tuple(None if d.dtype == jax.dtypes.float0 else d for d in found)


@partial(jax.jit, static_argnums=(0, 1), inline=True)  # so that a call outside jit is not traced each time
def _served(served: Served, options: tuple[tuple[str, Any], ...], *arrays: Array) -> Arrays:
    cpu, default = (partial(one, **dict(options)) for one in (served.cpu, served.plain))
    return platform_dependent(*arrays, cpu=cpu, default=default)


def batch_merged(compute: Callable[..., Arrays]) -> Callable[..., Arrays]:
    """A function of batches of one length, of which many are one larger batch under `vmap`."""
    mapped = custom_vmap(compute)

    @mapped.def_vmap
    def _(size: int, batched: Sequence[bool], *arrays: Array) -> tuple[Arrays, tuple[bool, ...]]:
        if not size:
            each = (jax.ShapeDtypeStruct(a.shape[many:], a.dtype) for a, many in zip(arrays, batched, strict=True))
            made = jax.eval_shape(mapped, *each)
            return tuple(jnp.zeros((0, *a.shape), a.dtype) for a in made), (True,) * len(made)
        count = arrays[0].shape[batched[0]]

        def merged(a: Array, many: bool) -> Array:
            every = a if many else jnp.broadcast_to(a, (size, *a.shape))
            return every.reshape(size * count, *every.shape[2:])

        made = mapped(*map(merged, arrays, batched))
        return tuple(a.reshape(size, count, *a.shape[1:]) for a in made), (True,) * len(made)

    return mapped


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
