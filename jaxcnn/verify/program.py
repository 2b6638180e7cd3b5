"""Functions of lists of arrays as compiled programs, for one dtype."""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# Verification runs many small programs a few times, so that compiling takes the time. LLVM is asked not to optimise, or
# a little where the arrays are those of a network, and XLA to leave out what takes it longest on a CPU.
_LARGE = 20_000  # entries
_LEVELS = ({"xla_backend_optimization_level": 0}, {"xla_backend_optimization_level": 1})
_EMITTERS = {"xla_cpu_use_fusion_emitters": False}


class Program:
    """A function of lists of arrays, compiled once for one dtype: NumPy arrays go in and come out.

    With dtype None the arrays keep the dtypes they come in.
    """

    def __init__(self, function: Callable[..., Any], dtype: Any, *, compiled: bool = True) -> None:
        self.dtype, self._compiled = dtype, compiled
        self._runs = [
            jax.jit(function, compiler_options=options) if compiled else function for options in compiler_options()
        ]

    def __call__(self, *arrays: Sequence[Any]) -> Any:
        return jax.tree.map(np.asarray, self.on_device(*arrays))

    def on_device(self, *arrays: Sequence[Any]) -> Any:
        """The results as JAX's arrays, each waited for where it is looked at."""
        # Cast by NumPy: JAX would compile a cast for every shape.
        cast = [[np.asarray(a, self.dtype) for a in one] for one in arrays]
        run = self._runs[sum(a.size for one in cast for a in one) > _LARGE]
        with precision(self.dtype):
            return run(*cast if self._compiled else jax.tree.map(jnp.asarray, cast))


@functools.cache
def compiler_options() -> tuple[dict[str, Any], ...]:
    """For small and for large arrays: XLA's options, as far as this XLA has them."""
    try:
        jax.jit(lambda: 0, compiler_options=_EMITTERS).lower().compile()
    except jax.errors.JaxRuntimeError:
        return _LEVELS
    return tuple(level | _EMITTERS for level in _LEVELS)


def precision(dtype: Any) -> AbstractContextManager[Any]:
    """Where arrays of `dtype` can live: float64 needs x64; anything else runs as the caller has set JAX up.

    Where that says nothing, float32 is multiplied in all its digits: a GPU keeps 11 bits of them, by JAX's own choice.
    On a CPU it is anyway, and kernels that would make way for whoever asks for it are to be verified, too.
    """
    if dtype == np.float64:
        return jax.enable_x64(True)
    told = jax.config.jax_default_matmul_precision is not None  # type: ignore[attr-defined]
    return nullcontext() if told or jax.default_backend() == "cpu" else jax.default_matmul_precision("float32")
