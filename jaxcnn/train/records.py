"""JSON that a run wrote, read back strictly: every field is there, none is unknown, each has its declared type.

Of a damaged file that is JSON all the same, a default in a lost field's place would be another run in silence.
"""

import hashlib
import json
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Mapping
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


def sealed(parts: Mapping[str, Any]) -> str:
    """The parts as JSON under their hash."""
    return json.dumps({"sha256": _hash(parts), **parts}, indent=2) + "\n"


def unsealed(text: str | bytes) -> Any:
    """What `sealed` wrote, without the hash. Raises ValueError if it is no JSON, or not what was hashed.

    Of JSON without a hash anything is taken: an earlier version wrote none, and who edits it removes that line.
    """
    written = parse(text)
    own = written.pop("sha256", None) if isinstance(written, dict) else None
    if own is not None and own != _hash(written):
        raise ValueError("it is not as it was written, by its sha256 (remove that line if you changed it yourself)")
    return written


def _hash(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def read(kind: Callable[..., T], written: Any) -> T:
    """The dataclass or `TypedDict` whose fields are those of a parsed JSON object; a list becomes a tuple.

    Only what a `TypedDict` does not require may be missing. Raises ValueError, naming the field, if one is missing,
    unknown or of another type. A float is a finite number.
    """
    types_of = typing.get_type_hints(kind)
    required = getattr(kind, "__required_keys__", types_of)
    if not isinstance(written, dict):
        raise ValueError(f"{reprlib.repr(written)} is no JSON object")
    for name in types_of | written:
        if name not in types_of:
            raise ValueError(f"{name!r} is no field that is known")
        if name not in written and name in required:
            raise ValueError(f"{name!r} is missing")
    return kind(**{name: _read(name, types_of[name], value) for name, value in written.items()})


def _read(name: str, expected: Any, value: Any) -> Any:
    for choice in typing.get_args(expected) if typing.get_origin(expected) in _UNIONS else (expected,):
        if typing.get_origin(choice) is tuple and isinstance(value, list):
            return tuple(_read(name, typing.get_args(choice)[0], item) for item in value)
        if typing.get_origin(choice) is dict and isinstance(value, dict) and typing.get_args(choice)[1] is not Any:
            return {key: _read(name, typing.get_args(choice)[1], item) for key, item in value.items()}
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
