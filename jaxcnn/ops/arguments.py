"""The arguments of a function: how they are shown, and what is said of one that it does not take."""

import difflib
import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """The function, with a signature as it is written and `only_known` for its keywords."""

    @functools.wraps(function)
    def called(*args: P.args, **options: P.kwargs) -> R:
        try:
            return function(*args, **options)
        except TypeError:
            only_known(function.__name__, called, options)
            raise

    called.__signature__ = _signature(function)  # type: ignore[attr-defined]
    return called


def only_known(owner: str, function: Callable[..., Any], given: Iterable[str]) -> None:
    """TypeError, which names the arguments there are and the nearest, if the function does not take one of `given`."""
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    takes = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    for name in given:
        if name not in takes:
            near = _nearest(name, takes)
            hint = f" Did you mean {near!r}?" if near else ""
            raise TypeError(f"{owner}: unknown argument {name!r}.{hint} It takes {', '.join(takes)}.") from None


def _nearest(name: str, takes: list[str]) -> str | None:
    """stride for strides, size for kernel_size, epsilon for eps; None where no name is near."""
    within = [known for known in takes if min(len(known), len(name)) > 2 and (known in name or name in known)]
    return next(iter(difflib.get_close_matches(name, takes, 1, 0.75) + within), None)


def true_or_false(owner: str, argument: str, value: Any) -> None:
    """ValueError for words and other things that would only count as true: `gelu(x, approximate="none")`."""
    if not isinstance(value, int) or value not in (0, 1):
        raise ValueError(f"{owner}: {argument} is {value!r}; expected True or False.")


class _Written(str):
    """An annotation that is shown as it is written: ArrayLike, not the page of types that it stands for."""

    __repr__ = str.__str__


def _signature(function: Callable[..., Any]) -> inspect.Signature:
    """The function's, where `from __future__ import annotations` leaves the annotations as they are written."""

    def written(annotation: Any) -> Any:
        return _Written(annotation) if isinstance(annotation, str) else annotation

    signature = inspect.signature(function)
    parameters = [p.replace(annotation=written(p.annotation)) for p in signature.parameters.values()]
    return signature.replace(parameters=parameters, return_annotation=written(signature.return_annotation))
