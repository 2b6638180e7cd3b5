"""What pages tell of the operations beside their text: families with their titles, summaries, and what derives what."""

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

from jaxcnn.ops.rule import RULES, Rule

FAMILIES = {
    "conv": "Convolution",
    "pool": "Pooling",
    "norm": "Normalisation",
    "activation": "Activations",
    "loss": "Losses",
    "resize": "Resizing and sampling",
    "dense": "Dense layers",
    "dropout": "Dropout",
    "pad": "Padding",
}


def family(thing: Any) -> str:
    """The folder of `jaxcnn.ops` that it stands in; "" for what is beside the families."""
    parts = thing.__module__.split(".")
    return parts[2] if parts[:2] == ["jaxcnn", "ops"] and len(parts) > 2 else ""


def summary(described: Any) -> str:
    """The first paragraph of its docstring, in one line."""
    return " ".join((inspect.getdoc(described) or "").partition("\n\n")[0].split())


def operation_of(code: str) -> str | None:
    """The operation that a docstring's code names: `conv`, `ops.conv` or `conv.backward`; None if it names another."""
    name = code.removeprefix("ops.").removesuffix(".backward")
    return name if name in RULES else None


def derivations(rule: Rule[..., Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The backward, and the functions that its docstring, the door's, or that of one of these refers to, by name."""
    paths = [f"{rule.name}.backward", *re.findall(r"`(jaxcnn(?:\.\w+)+)`", inspect.getdoc(rule) or "")]
    for path in paths:
        function = _function(path)
        if function is not None:
            told = inspect.getdoc(function) or ""
            paths += [more for more in re.findall(r"`(jaxcnn(?:\.\w+)+|\w+\.backward)`", told) if more not in paths]
            yield path.removeprefix(f"{function.__module__}."), function


def _function(path: str) -> Callable[..., Any] | None:
    """The function of that path, `conv.backward` or a module's; None where it is another thing."""
    module, _, name = path.rpartition(".")
    if module in RULES:
        return RULES[module].backward
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:
        return None
    return found if inspect.isfunction(found) else None
