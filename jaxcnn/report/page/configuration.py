"""What a run was told: its command, its options, and the dataset."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

from jaxcnn.report.page.trained import Trained
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.recipe.option import Recipe
from jaxcnn.train.run_folder import RunFolder, options_of


@dataclass(frozen=True)
class Option:
    """An option, its value and its default, as text."""

    name: str
    value: str
    default: str


@dataclass(frozen=True)
class Configuration:
    """All options, by recipe; `given` are those that differ from their defaults."""

    command: str
    given: list[Option]
    recipes: list[tuple[str, list[Option]]]
    dataset: list[tuple[str, str]]


def configuration(run: RunFolder, trained: Trained) -> Configuration:
    """Of a run; its dataset's parts are told where the dataset is there."""
    config, defaults = run.config, run.config.defaults()

    def option(name: str) -> Option:
        return Option(name, text(getattr(config, name)), text(defaults[name]))

    own = {kind: [f.name for f in fields(kind)] for kind in recipes()}
    by_recipe = [(_title(kind), [option(name) for name in names]) for kind, names in own.items()]
    kept = options_of(config)  # without what is said to one command, such as --resume
    given = [option(name) for name in config.given() if name in kept]
    return Configuration(config.command(), given, by_recipe, _dataset(run, trained))


def recipes() -> list[type[Recipe]]:
    """Those that a configuration is made of: options of one concern each."""
    return [kind for kind in reversed(TrainConfig.__mro__) if kind.__base__ is Recipe]


def text(value: Any) -> str:
    """An option's value, as one would read it."""
    words = {None: "–", True: "yes", False: "no", "": "–"}
    return words[value] if isinstance(value, bool | str | None) and value in words else str(value)


def _title(kind: type[Recipe]) -> str:
    return kind.__name__.removesuffix("Recipe")


def _dataset(run: RunFolder, trained: Trained) -> list[tuple[str, str]]:
    facts = run.facts
    height, width, channels = facts.image_shape
    told = [
        ("name", facts.name),
        ("images", f"{height} × {width} pixels, {'grey' if channels == 1 else f'{channels} channels'}"),
        ("mean, by channel", _numbers(facts.mean)),
        ("deviation, by channel", _numbers(facts.std)),
        (f"{len(facts.classes):,} classes", _some(facts.classes)),
    ]
    if trained.tested is not None:
        told.insert(2, ("test images", f"{len(trained.tested.labels):,}"))
    return told


def _some(names: Sequence[str], most: int = 100) -> str:
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
