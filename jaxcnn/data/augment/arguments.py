"""What the numbers and words of an augmentation may be: each kind reads a value, and says what it expected."""

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Kind:
    """A kind of argument.

    Attributes:
      expected: in words, as an error says it.
      read: the value as the augmentation takes it, a hashable one; ValueError or TypeError where it is of another kind.
    """

    expected: str
    read: Callable[[Any], Any]

    def checked(self, augmentation: str, argument: str, value: Any) -> Any:
        """The value read; ValueError that names the argument, what was seen and what was expected."""
        try:
            return self.read(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{augmentation}: {argument} is {value!r}; expected {self.expected}.") from None


def whole(expected: str, *, least: int, most: float = math.inf) -> Kind:
    """A whole number from `least` to `most`."""

    def read(value: Any) -> int:
        number = operator.index(value)
        return number if not isinstance(value, bool) and least <= number <= most else _refused()

    return Kind(expected, read)


def real(expected: str, *, least: float = -math.inf, most: float = math.inf, above: float = -math.inf) -> Kind:
    """A finite number from `least` to `most` and greater than `above`."""

    def read(value: Any) -> float:
        number = _float(value)
        return number if least <= number <= most and number > above else _refused()

    return Kind(expected, read)


def interval(expected: str, *, least: float = 0, most: float = math.inf) -> Kind:
    """Two finite numbers, the smaller one first, above `least` and up to `most`."""

    def read(value: Any) -> tuple[float, float]:
        low, high = map(_float, value)
        return (low, high) if least < low <= high <= most else _refused()

    return Kind(expected, read)


def word(*known: str, **others: str) -> Kind:
    """One of the words that are known; for another name the one that it stands for."""
    names = {name: name for name in known} | others
    return Kind(f"one of {', '.join(known)}", lambda value: names[value] if value in names else _refused())


def either(first: Kind, second: Kind) -> Kind:
    """Whatever is of one of the kinds."""

    def read(value: Any) -> Any:
        try:
            return first.read(value)
        except (TypeError, ValueError, OverflowError):
            return second.read(value)

    return Kind(f"{first.expected}, or {second.expected}", read)


def _float(value: Any) -> float:
    if isinstance(value, (bool, str)):
        raise TypeError
    number = float(value)
    return number if math.isfinite(number) else _refused()


def _refused() -> Any:
    raise ValueError


PIXELS = whole("a whole number of pixels, 0 or more", least=0)
SIDE = whole("1 pixel or more, a whole number", least=1)
PROBABILITY = real("a probability, 0 to 1", least=0, most=1)
STRENGTH = real("0 or more, such as 0.4", least=0)
DEGREES = real("degrees, 0 to 180", least=0, most=180)
FILL = real("a pixel's value, 0 to 255", least=0, most=255)
