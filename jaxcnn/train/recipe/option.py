"""What the recipes share: how an option without a default is shown, and how a wrong one is told."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import tyro


def unset(metavar: str, default: str) -> Any:
    """How --help shows an option whose default is None."""
    return tyro.conf.arg(metavar=metavar, help_behavior_hint=f"(default: {default})")


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
