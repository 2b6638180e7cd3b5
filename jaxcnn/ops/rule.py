"""A rule: an operation's plain forward, and its backward pass written by hand beside it."""

import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import jax

from jaxcnn.primitive import Operation, TangentOf

P = ParamSpec("P")
R = TypeVar("R")

# jit's caches are keyed by a user context, so a function traced in one mode is never reused in the other.
_mode = jax.make_user_context("handwritten")


def backward(mode: Literal["handwritten", "autodiff"]) -> AbstractContextManager[None]:
    """Choose who differentiates the rules inside the `with` block.

    `"handwritten"` (the default) runs each rule's own backward pass. `"autodiff"` replaces every rule by its
    plain forward, so that JAX derives everything itself.
    """
    if mode not in ("handwritten", "autodiff"):
        raise ValueError(f'backward: mode is {mode!r}; expected "handwritten" or "autodiff".')
    return _mode(mode)


class Rule(Generic[P, R]):
    """One operation and its two ways to be differentiated; made by `@rule(plain, forward, backward)`.

    Calling it is calling the decorated function, the *door*: it checks the arguments, fills in the options
    (`padding="SAME"` becomes numbers) and ends in `self.apply`. The parts take the options that the door worked out,
    and may be used alone:

    * `plain(*arrays, **options) -> y`: the operation as XLA knows it; `jax.grad` can differentiate it.
    * `forward(*arrays, **options) -> (y, residuals)`: what training runs; residuals is any pytree of arrays.
    * `backward(residuals, dy, **options) -> cotangents`: written by hand. One cotangent for each array, `None`
      for an array that has none (integer labels, a random key, an absent bias). One that also takes `wanted`, a bool for
      each array, need not compute the others' cotangents.
    * `tangent(arrays, tangents, **options) -> dy`: for forward mode, where a rule has one that is faster than the
      derivative of `plain`; a tangent of `None` is zeros.
    """

    def __init__(
        self,
        door: Callable[P, R],
        plain: Callable[..., R],
        forward: Callable[..., tuple[R, Any]],
        backward: Callable[..., tuple[Any, ...]],
        tangent: Callable[..., R] | None = None,
    ) -> None:
        functools.update_wrapper(self, door)
        self.name = door.__name__
        self.plain, self.forward, self.backward, self.tangent = plain, forward, backward, tangent
        self._door = door

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._door(*args, **kwargs)

    def apply(self, *arrays: Any, **options: Any) -> R:
        """Run the rule on arguments that the door has checked; every option must be hashable."""
        if _mode.value == "autodiff":
            return self.plain(*arrays, **options)
        tangent = self.tangent or TangentOf(self.plain)
        operation = Operation(
            self.name, self.forward, _Cotangents(self.name, self.backward), tangent, tuple(options.items())
        )
        return operation(*arrays)

    def __repr__(self) -> str:
        return f"Rule({self.name})"


@dataclass(frozen=True)
class _Cotangents:
    """A rule's backward, told which cotangents are wanted where it can be told."""

    name: str
    backward: Callable[..., Any]

    def __call__(self, residuals: Any, dy: Any, wanted: tuple[bool, ...], **options: Any) -> tuple[Any, ...]:
        if _takes_wanted(self.backward):
            options["wanted"] = wanted
        cotangents = self.backward(residuals, dy, **options)
        if not isinstance(cotangents, tuple) or len(cotangents) != len(wanted):
            seen = f"{len(cotangents)} cotangents" if isinstance(cotangents, tuple) else type(cotangents).__name__
            raise TypeError(
                f"{self.name}.backward returned {seen}; expected a tuple with one cotangent for "
                f"each of {len(wanted)} array arguments, (dx,) for a single one."
            )
        return cotangents


@functools.cache
def _takes_wanted(backward: Callable[..., Any]) -> bool:
    return "wanted" in inspect.signature(backward).parameters


RULES: dict[str, Rule[..., Any]] = {}


def rule(
    plain: Callable[..., R],
    forward: Callable[..., tuple[R, Any]],
    backward: Callable[..., tuple[Any, ...]],
    tangent: Callable[..., R] | None = None,
) -> Callable[[Callable[P, R]], Rule[P, R]]:
    """Decorate an operation's door to make it a `Rule` and enter it in `RULES` under its name."""

    def register(door: Callable[P, R]) -> Rule[P, R]:
        made = Rule(door, plain, forward, backward, tangent)
        if made.name in RULES:
            raise ValueError(f"rule: {made.name!r} is already registered; choose another name.")
        RULES[made.name] = made
        return made

    return register
