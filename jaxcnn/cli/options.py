"""How the dataclasses of options become the command line: their help, and `train`'s options by concern."""

import dataclasses
import functools
import inspect
import re
from collections.abc import Iterable
from typing import Any, get_type_hints

import docstring_parser
from tyro import constructors
from tyro.constructors import StructConstructorSpec, StructFieldSpec

from jaxcnn.train.recipe.option import Recipe

REGISTRY = constructors.ConstructorRegistry()


@REGISTRY.struct_rule
def _options(info: constructors.StructTypeInfo) -> StructConstructorSpec | None:
    """A dataclass of options. One of several recipes has a box for each in its help, and still one namespace."""
    kind = info.type
    if not (dataclasses.is_dataclass(kind) and isinstance(kind, type) and kind.__module__.startswith("jaxcnn.")):
        return None  # tyro has some of its own
    concerns = _concerns(kind)
    if not concerns:
        return StructConstructorSpec(kind, tuple(_fields(kind, dataclasses.fields(kind))))
    if concerns == [kind]:  # a box: a recipe checks its values when it is made, and these are only parsed
        return StructConstructorSpec(dict, tuple(_fields(kind, dataclasses.fields(kind))))

    def made(**given: Any) -> Any:
        flat = {name: value for box in boxes for name, value in given.pop(box.name).items()}
        return kind(**flat, **given)

    made.__doc__ = kind.__doc__  # which the help begins with
    boxes = [StructFieldSpec(_name(c), c, constructors.MISSING_NONPROP, _summary(c)) for c in concerns]
    inherited = {field.name for concern in concerns for field in dataclasses.fields(concern)}
    own = [field for field in dataclasses.fields(kind) if field.name not in inherited]
    return StructConstructorSpec(made, (*boxes, *_fields(kind, own)))


def _concerns(kind: type) -> list[type]:
    """The recipes of one concern that a recipe is or inherits from, in the order of their options."""
    recipes = [base for base in reversed(kind.__mro__) if issubclass(base, Recipe) and base is not Recipe]
    return [base for base in recipes if base.__base__ is Recipe and len(base.__bases__) == 1]


def _name(concern: type) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", "_", concern.__name__.removesuffix("Recipe")).lower()


def _summary(concern: type) -> str:
    return (inspect.getdoc(concern) or "").partition("\n\n")[0]


def _fields(kind: type, fields: "Iterable[dataclasses.Field[Any]]") -> list[StructFieldSpec]:
    types = get_type_hints(kind, include_extras=True)
    return [
        StructFieldSpec(
            field.name,
            types[field.name],
            constructors.MISSING_NONPROP if field.default is dataclasses.MISSING else field.default,
            functools.partial(_help, kind, field.name),
        )
        for field in fields
    ]


def _help(kind: type, field: str) -> str | None:
    """The text below the field, in one line: tyro would keep its line breaks."""
    return next((" ".join(text.split()) for base in kind.__mro__ if (text := _texts(base).get(field))), None)


@functools.cache
def _texts(kind: type) -> dict[str, str | None]:
    if kind is object:
        return {}
    return {parameter.arg_name: parameter.description for parameter in docstring_parser.parse_from_object(kind).params}
