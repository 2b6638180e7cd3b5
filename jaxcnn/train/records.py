"""JSON that a run wrote, read back strictly: every field is there, none is unknown, each has its declared type.

Of a damaged file that is JSON all the same, a default in a lost field's place would be another run in silence.
"""

import json
import reprlib
import sys
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

T = TypeVar("T")
_UNIONS = (types.UnionType, typing.Union)


def parse(text: str | bytes) -> Any:
    """What the JSON says. Raises ValueError if it is none."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read(kind: Callable[..., T], written: Any) -> T:
    """The dataclass or `TypedDict` whose fields are those of a parsed JSON object; a list becomes a tuple.

    Raises ValueError, naming the field, if one is missing, unknown or of another type. A float is a finite number.
    """
    types_of = typing.get_type_hints(kind)
    if not isinstance(written, dict):
        raise ValueError(f"{reprlib.repr(written)} is no JSON object")
    for name in types_of | written:
        if name not in written or name not in types_of:
            raise ValueError(f"{name!r} is {'missing' if name in types_of else 'no field that is known'}")
    return kind(**{name: _read(name, expected, written[name]) for name, expected in types_of.items()})


def _read(name: str, expected: Any, value: Any) -> Any:
    for choice in typing.get_args(expected) if typing.get_origin(expected) in _UNIONS else (expected,):
        if typing.get_origin(choice) is tuple and isinstance(value, list):
            return tuple(_read(name, typing.get_args(choice)[0], item) for item in value)
        if choice is Path and isinstance(value, str):
            return Path(value)
        if _is(choice, value):
            return value
    words = str(expected) if typing.get_args(expected) else expected.__name__
    words = words.replace("typing.", "").replace("float", "finite float")
    raise ValueError(f"{name!r} holds {reprlib.repr(value)}, expected {words}")


def _is(expected: Any, value: Any) -> bool:
    if typing.get_origin(expected) is Literal:
        return value in typing.get_args(expected)
    if expected is float:
        return type(value) in (int, float) and abs(value) <= sys.float_info.max  # false of NaN
    return type(value) is (typing.get_origin(expected) or expected)
