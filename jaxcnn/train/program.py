"""A training step as a program of its own, and what XLA is told of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import jax

# XLA for CPUs copies what a step replaces, such as each kernel, before its first use; with this it sees that the last
# one comes before the update, or makes it so.
_IN_PLACE = {"xla_cpu_copy_insertion_use_region_analysis": True}
# XLA for CPUs takes out the barriers by which `jax.checkpoint` keeps the second computation apart, and merges it with
# the first one; not without this pass.
_KEEP_BARRIERS = {"xla_disable_hlo_passes": "cse_barrier_expander"}


@dataclass(frozen=True)
class Program:
    """(train state, *arrays) -> results, the old state donated. Its `lower`, `trace` and so on are those of `jax.jit`.

    XLA's options are for a whole program: within another one, such as a `jax.lax.scan` of steps, there are none.
    """

    step: Callable[..., Any]
    remat: bool = False  # whether it has activations that are to be computed once more

    def __call__(self, train: Any, *arrays: Any) -> Any:
        within = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((train, arrays)))
        return (self.step if within else self.compiled)(train, *arrays)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.compiled, name)

    @cached_property
    def compiled(self) -> Any:
        """The step by `jax.jit`; asked for first when it is called, since JAX finds its devices for it."""
        options = {}
        if jax.default_backend() == "cpu":
            options = in_place() | (_KEEP_BARRIERS if self.remat else {})
        return jax.jit(self.step, donate_argnums=0, compiler_options=options)


@cache
def in_place() -> dict[str, Any]:
    """The option for it, or none where this XLA does not have it."""
    try:
        jax.jit(lambda: 0, compiler_options=_IN_PLACE).lower().compile()
    except jax.errors.JaxRuntimeError:
        return {}
    return _IN_PLACE
