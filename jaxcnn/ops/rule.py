"""A rule: an operation's plain forward, and its backward pass written by hand beside it."""

import difflib
import functools
import inspect
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, Literal, ParamSpec, TypeVar

import jax

from jaxcnn.mesh import automatic
from jaxcnn.ops.arguments import explained, true_or_false
from jaxcnn.ops.geometry import known
from jaxcnn.primitive import Operation, TangentOf, promoting

P = ParamSpec("P")
R = TypeVar("R")

# jit's caches are keyed by a user context, so a function traced in one mode is never reused in the other.
_mode = jax.make_user_context("handwritten")
_overridden: Any = jax.make_user_context(())  # pairs of a rule's name and the backward in place of its own


def backward(mode: Literal["handwritten", "autodiff"]) -> AbstractContextManager[None]:
    """Choose who differentiates the rules inside the `with` block.

    `"handwritten"` (the default) runs each rule's own backward pass. `"autodiff"` replaces every rule by its
    plain forward, so that JAX derives everything itself.
    """
    if mode not in ("handwritten", "autodiff"):
        raise ValueError(f'backward: mode is {mode!r}; expected "handwritten" or "autodiff".')
    return _mode(mode)


def override_backward(**backwards: Callable[..., tuple[Any, ...]]) -> AbstractContextManager[None]:
    """Inside the `with` block a rule is pulled back through by the function that is given under its name.

    For what is wanted in a derivative's place and is none, as guided backpropagation; TensorFlow has it as
    `gradient_override_map`. The function takes what the rule's own backward takes, and is traced as that is. It should
    be the same one at each call, not a new lambda, since jit's caches know it by identity. Forward mode is still the
    derivative.

    >>> with override_backward(relu=lambda residuals, dy: (dy,)):  # a straight-through estimator
    ...     print(jax.grad(ops.relu)(-1.0))
    1.0

    Raises: ValueError for a name that is no rule's.
    """
    for name in backwards:
        if name not in RULES:
            near = difflib.get_close_matches(name, RULES, 1)
            hint = f" Did you mean {near[0]!r}?" if near else " jaxcnn.RULES has the names."
            raise ValueError(f"override_backward: there is no rule called {name!r}.{hint}")
    return _overridden(tuple(sorted((dict(_overridden.value) | backwards).items(), key=lambda pair: pair[0])))


class Rule(Generic[P, R]):
    """An operation whose backward pass is written by hand; `jaxcnn.rule` makes one."""

    def __init__(
        self,
        door: Callable[P, R],
        plain: Callable[..., R],
        forward: Callable[..., tuple[R, Any]],
        backward: Callable[..., tuple[Any, ...]],
        tangent: Callable[..., R] | None = None,
        value: Callable[..., R] | None = None,
    ) -> None:
        defaults = {p.name: p.default for p in inspect.signature(door).parameters.values() if p.kind is p.KEYWORD_ONLY}

        @functools.wraps(door)
        def called(*args: P.args, **options: P.kwargs) -> R:
            given: dict[str, Any] = dict(options)
            for name in options.keys() & defaults.keys():  # these are no arrays
                given[name] = known(given[name])
                if isinstance(defaults[name], bool):
                    true_or_false(door.__name__, name, given[name])
            with promoting():
                return door(*args, **given)

        functools.update_wrapper(self, door)
        self._called = explained(called)
        self._called.__doc__ = None  # IPython would show it beside the rule's own
        self.__signature__ = inspect.signature(self._called)
        self.name = door.__name__
        self.plain, self.forward, self.backward, self.tangent, self.value = plain, forward, backward, tangent, value

    def __get__(self, instance: Any, owner: Any = None) -> "Rule[P, R]":
        """Itself, not bound: `help` takes what has this for a function, and shows the signature."""
        return self

    @property
    def __call__(self) -> Callable[P, R]:
        """The door; a function of its own for each rule, with its signature, which IPython looks at."""
        return self._called

    def apply(self, *arrays: Any, **options: Any) -> R:
        """Run the rule on arguments that the door has checked; every option must be hashable."""
        overridden = dict(_overridden.value).get(self.name)
        if _mode.value == "autodiff" and overridden is None:
            return self.plain(*arrays, **options)
        tangent = self.tangent or TangentOf(self.plain)
        backward = _Cotangents(self.name, overridden or self.backward, len(arrays))
        operation = Operation(self.name, self.forward, backward, tangent, tuple(options.items()), self.value)
        return automatic(operation, functools.partial(self.plain, **options), *arrays)

    def __repr__(self) -> str:
        return f"Rule({self.name})"


@dataclass(frozen=True)
class _Cotangents:
    """A rule's backward, checked."""

    name: str
    backward: Callable[..., Any]
    count: int

    def __call__(self, residuals: Any, dy: Any, **options: Any) -> tuple[Any, ...]:
        cotangents = self.backward(residuals, dy, **options)
        if not isinstance(cotangents, tuple) or len(cotangents) != self.count:
            seen = f"{len(cotangents)} cotangents" if isinstance(cotangents, tuple) else type(cotangents).__name__
            raise TypeError(
                f"{self.name}.backward returned {seen}; expected a tuple with one cotangent for "
                f"each of {self.count} array arguments, (dx,) for a single one."
            )
        return cotangents


@dataclass(frozen=True)
class _Value:
    """A forward's y."""

    forward: Callable[..., tuple[Any, Any]]

    def __call__(self, *arrays: Any, **options: Any) -> Any:
        return self.forward(*arrays, **options)[0]


def tangent_of(forward: Callable[..., tuple[R, Any]]) -> Callable[..., R]:
    """The derivative of a forward as a rule's tangent: `kernels` that compute the forward then compute it, too."""
    return TangentOf(_Value(forward))


RULES: dict[str, Rule[..., Any]] = {}


def rule(
    plain: Callable[..., R],
    forward: Callable[..., tuple[R, Any]],
    backward: Callable[..., tuple[Any, ...]],
    tangent: Callable[..., R] | None = None,
    value: Callable[..., R] | None = None,
) -> Callable[[Callable[P, R]], Rule[P, R]]:
    """Decorate an operation's door to make it a `Rule` and enter it in `RULES` under its name.

    Calling the rule is calling the decorated function, the *door*: it checks the arguments, fills in the options
    (`padding="SAME"` becomes numbers) and ends in `rule.apply`. The parts take the options that the door worked out,
    and may be used alone:

    * `plain(*arrays, **options) -> y`: the operation as XLA knows it; `jax.grad` can differentiate it.
    * `forward(*arrays, **options) -> (y, residuals)`: what training runs; residuals is any pytree of arrays.
    * `backward(residuals, dy, **options) -> cotangents`: written by hand. One cotangent for each array, `None`
      for an array that has none (integer labels, a random key, an absent bias). It is traced, and
      what only the cotangents that nobody asked for need is not computed, with `jax.jit` or without.
    * `tangent(arrays, tangents, **options) -> dy`: for forward mode, where a rule has one that is faster than the
      derivative of `plain`; a tangent of `None` is zeros.
    * `value(*arrays, **options) -> y`: what runs where nothing is differentiated, where a rule has one that does less
      than its forward without the residuals.
    """

    def register(door: Callable[P, R]) -> Rule[P, R]:
        made = Rule(door, plain, forward, backward, tangent, value)
        if made.name in RULES:
            raise ValueError(f"rule: {made.name!r} is already registered; choose another name.")
        RULES[made.name] = made
        return made

    return register
