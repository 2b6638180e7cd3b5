"""A rule: an operation's plain forward, and its backward pass written by hand beside it."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import jax

P = ParamSpec("P")
R = TypeVar("R")

# jit's caches are keyed by a user context, so a function traced in one mode is never reused in the other.
_mode = jax.make_user_context("handwritten")


def backward(mode: Literal["handwritten", "autodiff"]) -> AbstractContextManager[None]:
    """Choose who differentiates the rules inside the `with` block.

    `"handwritten"` (the default) runs each rule's own backward pass. `"autodiff"` replaces every rule by its
    plain forward, so that `jax.grad` derives the backward itself; forward mode (`jax.jvp`) works only here.
    """
    if mode not in ("handwritten", "autodiff"):
        raise ValueError(f'backward: mode is {mode!r}; expected "handwritten" or "autodiff".')
    return _mode(mode)


class Rule(Generic[P, R]):
    """One operation and its two ways to be differentiated; made by `@rule(plain, forward, backward)`.

    Calling it is calling the decorated function, the *door*: it checks the arguments, fills in the options
    (`padding="SAME"` becomes numbers) and ends in `self.apply`. The three parts take the options that the door
    worked out, and may be used alone:

    * `plain(*arrays, **options) -> y`: the operation as XLA knows it; `jax.grad` can differentiate it.
    * `forward(*arrays, **options) -> (y, residuals)`: what training runs; residuals is any pytree of arrays.
    * `backward(residuals, dy, **options) -> cotangents`: written by hand. One cotangent for each array, `None`
      for an array that has none (integer labels, a random key, an absent bias).
    """

    def __init__(
        self,
        door: Callable[P, R],
        plain: Callable[..., R],
        forward: Callable[..., tuple[R, Any]],
        backward: Callable[..., tuple[Any, ...]],
    ) -> None:
        functools.update_wrapper(self, door)
        self.name = door.__name__
        self.plain, self.forward, self.backward = plain, forward, backward
        self._door = door

        @functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
        def handwritten(options: tuple[tuple[str, Any], ...], *arrays: Any) -> R:
            return self.forward(*arrays, **dict(options))[0]

        handwritten.defvjp(
            lambda options, *arrays: self.forward(*arrays, **dict(options)),
            lambda options, residuals, dy: self._cotangents(residuals, dy, dict(options)),
        )
        self._handwritten = handwritten

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._door(*args, **kwargs)

    def apply(self, *arrays: Any, **options: Any) -> R:
        """Run the rule on arguments that the door has checked; every option must be hashable."""
        if _mode.value == "autodiff":
            return self.plain(*arrays, **options)
        return self._handwritten(tuple(options.items()), *arrays)

    def _cotangents(self, residuals: Any, dy: Any, options: dict[str, Any]) -> tuple[Any, ...]:
        cotangents = self.backward(residuals, dy, **options)
        if not isinstance(cotangents, tuple):
            raise TypeError(
                f"{self.name}.backward returned {type(cotangents).__name__}; expected a tuple with one cotangent for "
                "each array argument, (dx,) for a single one."
            )
        return cotangents

    def __repr__(self) -> str:
        return f"Rule({self.name})"


RULES: dict[str, Rule[..., Any]] = {}


def rule(
    plain: Callable[..., R],
    forward: Callable[..., tuple[R, Any]],
    backward: Callable[..., tuple[Any, ...]],
) -> Callable[[Callable[P, R]], Rule[P, R]]:
    """Decorate an operation's door to make it a `Rule` and enter it in `RULES` under its name."""

    def register(door: Callable[P, R]) -> Rule[P, R]:
        made = Rule(door, plain, forward, backward)
        if made.name in RULES:
            raise ValueError(f"rule: {made.name!r} is already registered; choose another name.")
        RULES[made.name] = made
        return made

    return register
