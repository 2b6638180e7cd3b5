"""What a planted fault is, and the small changes that make a wrong backward pass of a right one.

The right one is autodiff of the rule's plain forward, never the rule's handwritten backward: where that is broken, the
catalogue must still say how.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxcnn.ops.rule import RULES

Arrays = tuple[Any, ...]
Options = dict[str, Any]


@dataclass(frozen=True)
class Fault:
    """A wrong backward pass of the rule `rule`, to be found by a verifier and named by its `cause`.

    `forward(*arrays, **options)` returns `(y, arrays)`: a fault keeps the rule's arrays themselves, since what
    a rule's own forward keeps is not enough for every mistake (the taps of max pooling do not tell where the ties are).
    `backward(arrays, dy, **options)` returns the wrong cotangents, one for each array, `None` for labels and keys.

    `cause` completes the sentence "The cotangent ...". `equivalent`, where not empty, says why the fault can't be told
    from the right backward pass on any input.
    """

    rule: str
    name: str
    cause: str
    backward: Callable[..., Arrays]
    equivalent: str = ""

    def forward(self, *arrays: Any, **options: Any) -> tuple[Any, Arrays]:
        """The rule's plain forward, and the residuals that `backward` takes."""
        return _plain(self.rule, _hashable(options), *arrays), arrays

    def __str__(self) -> str:
        return f"{self.rule}: {self.name}"


def differentiable(array: Any) -> bool:
    """Whether an argument has a cotangent: floats do; labels, keys and an absent bias have none."""
    return array is not None and bool(jnp.issubdtype(array.dtype, jnp.floating))


def pulled_back(plain: Callable[..., Any], arrays: Arrays, dy: Any, **options: Any) -> Arrays:
    """The cotangents of `plain(*arrays, **options)` by autodiff, `None` for an array that has none."""
    moving = [differentiable(a) for a in arrays]

    def of_floats(*floats: Any) -> Any:
        given = iter(floats)
        return plain(*(next(given) if m else a for m, a in zip(moving, arrays, strict=True)), **options)

    pull = jax.vjp(of_floats, *(jnp.asarray(a) for m, a in zip(moving, arrays, strict=True) if m))[1]
    cotangents = iter(pull(dy))
    return tuple(next(cotangents) if m else None for m in moving)


def right(rule: str, arrays: Arrays, dy: Any, **options: Any) -> Arrays:
    """The right cotangents of a rule."""
    return _right(rule, _hashable(options), arrays, dy)


# Traced once for all the faults of a rule, and computed once in a program of several.


@functools.partial(jax.jit, static_argnums=(0, 1))
def _plain(rule: str, options: tuple[tuple[str, Any], ...], *arrays: Any) -> Any:
    return RULES[rule].plain(*arrays, **dict(options))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _right(rule: str, options: tuple[tuple[str, Any], ...], arrays: Arrays, dy: Any) -> Arrays:
    return pulled_back(RULES[rule].plain, arrays, dy, **dict(options))


def _hashable(options: Options) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(options.items()))


def as_if(
    rule: str,
    argument: int | None,
    name: str,
    cause: str,
    pretend: Callable[[Arrays, Any, Options], tuple[Arrays, Any, Options]],
) -> Fault:
    """A fault: the cotangent of `argument` (None: of all) as if arrays, dy and options were `pretend`'s."""

    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        pretended, pretended_dy, pretended_options = pretend(arrays, dy, options)
        wrong = right(rule, pretended, pretended_dy, **pretended_options)
        if argument is None:
            return wrong
        return _replaced(right(rule, arrays, dy, **options), argument, wrong[argument])

    return Fault(rule, name, cause, backward)


def first_example(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """For `as_if`: only the first example has a dy."""
    return arrays, dy.at[1:].set(0), options


def mean_example(arrays: Arrays, dy: Any, options: Options) -> tuple[Arrays, Any, Options]:
    """For `as_if`: each example of the first array is the batch's mean."""
    x, *rest = arrays
    return (jnp.broadcast_to(x.mean(0), x.shape), *rest), dy, options


def changed(
    rule: str, argument: int, name: str, cause: str, change: Callable[[Any, Arrays, Any, Options], Any]
) -> Fault:
    """A fault: the right cotangent d of `argument` replaced by `change(d, arrays, dy, options)`, in d's dtype."""

    def backward(arrays: Arrays, dy: Any, **options: Any) -> Arrays:
        cotangents = right(rule, arrays, dy, **options)
        d = cotangents[argument]
        return cotangents if d is None else _replaced(cotangents, argument, change(d, arrays, dy, options))

    return Fault(rule, name, cause, backward)


def _replaced(cotangents: Arrays, argument: int, wrong: Any) -> Arrays:
    """The cotangents with one of them exchanged for a wrong one of the same dtype."""
    exchanged = list(cotangents)
    exchanged[argument] = None if wrong is None else wrong.astype(cotangents[argument].dtype)
    return tuple(exchanged)
