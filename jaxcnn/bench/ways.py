"""The ways that jaxcnn has to compute the same thing."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

from jaxcnn.bench.result import OURS
from jaxcnn.ops import backward

Context = Callable[[], AbstractContextManager[Any]]

AUTODIFF = "jax.grad of the same"


def ways() -> dict[str, Context]:
    """The context of each: as users get it, and with the backward passes that JAX derives."""
    return {OURS: nullcontext, AUTODIFF: lambda: backward("autodiff")}


def together(*contexts: Context) -> Context:
    """One context of several."""

    def entered() -> AbstractContextManager[Any]:
        with ExitStack() as stack:
            for context in contexts:
                stack.enter_context(context())
            return stack.pop_all()

    return entered
