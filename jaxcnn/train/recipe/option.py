"""What the recipes share: how an option without a default is shown, and how a wrong one is told."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import tyro

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}  # in seconds
ALIASES = {"--lr": "learning_rate"}


def unset(metavar: str, default: str, *aliases: str) -> Any:
    """How --help shows an option whose default is None, and how else it may be written: by some of `ALIASES`."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})", aliases=aliases)


def in_seconds(time: str) -> float:
    """8h, 90m, 45s or a number of seconds; 0 where it is none of these."""
    number, unit = (time[:-1], time[-1]) if time[-1:] in UNITS else (time, "s")
    try:
        return float(number) * UNITS[unit]
    except ValueError:
        return 0.0


@dataclass(frozen=True)
class Recipe:
    """Options of one concern, checked when they are made; a recipe of several concerns inherits from each.

    So all options are of one namespace: that of the command line, of config.json and of messages.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            words = get_args(field.type)
            if get_origin(field.type) is Literal and getattr(self, field.name) not in words:
                raise self.wrong(field.name, f"expected one of {', '.join(words)}")

    def fill_in(self, **defaults: Any) -> None:
        """Set what was not given."""
        for name, value in defaults.items():
            if getattr(self, name) is None:
                self.put(name, value)

    def put(self, name: str, value: Any) -> None:
        """Set a field; only while the recipe is being made."""
        object.__setattr__(self, name, value)

    def need(self, name: str, right: bool, expected: str) -> None:
        """ValueError unless the option's value is right."""
        if not right:
            raise self.wrong(name, expected)

    def wrong(self, name: str, expected: str) -> ValueError:
        """The error about an option's value."""
        return ValueError(f"{name} is {getattr(self, name)!r}; {expected}.")
