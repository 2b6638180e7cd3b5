"""The ways that jaxcnn has to compute the same thing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import jax

from jaxcnn import kernels
from jaxcnn.bench.result import OURS
from jaxcnn.kernels import library
from jaxcnn.ops import backward

Context = Callable[[], AbstractContextManager[Any]]
ON_XLA, AUTODIFF = "jaxcnn on XLA's kernels", "jax.grad of the same"


def ways(*, convolves: bool = True) -> dict[str, Context]:
    """The context of each: as users get it; without oneDNN, where it is there; and as JAX differentiates it."""
    made: dict[str, Context] = {OURS: nullcontext}
    if convolves and jax.default_backend() == "cpu" and isinstance(library.find(), library.Library):
        made[ON_XLA] = lambda: kernels.use("xla")
    return made | {AUTODIFF: lambda: backward("autodiff")}


def together(*contexts: Context) -> Context:
    """One context of several."""

    def entered() -> AbstractContextManager[Any]:
        with ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context())
            return stack.pop_all()

    return entered
