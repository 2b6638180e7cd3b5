"""The page of one operation or of all: what `jaxcnn show` writes."""

import importlib
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jaxcnn.ops.rule import RULES
from jaxcnn.report.docstring import Block, Piece, blocks, pieces
from jaxcnn.report.formula import breakable
from jaxcnn.report.operations import FAMILIES, derivations, family, operation_of, summary
from jaxcnn.report.show.curve import samples
from jaxcnn.report.show.examples import EXAMPLES, Example, example
from jaxcnn.report.show.plot import Plot, plot
from jaxcnn.report.show.shares import shares
from jaxcnn.report.show.steps import Steps, steps
from jaxcnn.report.templating import environment
from jaxcnn.verify.catalog import of_families
from jaxcnn.verify.checks import FULL

GENERATOR = "jaxcnn show"
# "The backward pass and its derivation: `conv.backward`.": which stands beside it here.
_POINTER = re.compile(
    r"\s*(?:The|Its) backward(?: pass)?(?: and its derivation)?:\s+`\w+\.backward`(?:, and `[^`]*`)?\."
)

_USAGE = ("Args", "Raises")
# What is refused, where a docstring of few words says so in its first paragraph.
_ERRORS = re.compile(r"(?:(?<=\.)\s+|^)(?:ValueError|Errors)\s[^.]*\.")


@dataclass(frozen=True)
class Operation:
    """All that a page tells of an operation.

    `summary`, `conventions` and `usage` are the door's docstring, `derivations` that of the backward and of what it
    refers to, by their names; `mistakes` complete the sentence "The cotangent ...".
    """

    name: str
    summary: list[Piece]
    call: str
    look: list[Piece]
    steps: Steps | None
    plot: Plot | None
    conventions: list[Block]
    usage: list[Block]
    derivations: list[tuple[str, list[Block]]]
    mistakes: list[list[Piece]]


@dataclass(frozen=True)
class Family:
    """The operations of one folder of `jaxcnn.ops`."""

    name: str
    title: str
    about: list[Piece]
    operations: list[Operation]


def page(names: Sequence[str]) -> str:
    """One HTML file that shows these operations, by name; it needs no network, and no other file.

    Raises: KeyError for a name that is not among `RULES`.
    """
    titles, order = list(FAMILIES), [*EXAMPLES, *RULES]
    shown = sorted(names, key=lambda name: (titles.index(family(RULES[name])), order.index(name)))
    families = []
    for folder, members in groupby(shown, lambda name: family(RULES[name])):
        about = pieces(summary(importlib.import_module(f"jaxcnn.ops.{folder}")))
        families.append(Family(folder, FAMILIES[folder], about, [operation(name) for name in members]))
    templates = environment("jaxcnn.report", "templates/show")
    templates.filters |= {"pieces": pieces, "mathml": breakable, "operation_of": operation_of}
    return templates.get_template("page.html").render(
        generator=GENERATOR,
        families=families,
        names=set(names),
        checks=[(name, pieces(summary(checker))) for name, checker in FULL.items()],
    )


def operation(name: str) -> Operation:
    """Run a rule on its example, and read its docstrings."""
    rule, shown = RULES[name], example(name)
    parameters = tuple(inspect.signature(rule).parameters)
    about, *rest = _POINTER.sub("", inspect.getdoc(rule) or "").split("\n\n")
    told = blocks("\n\n".join(rest))
    faults = [fault for module in of_families("faults") for fault in module.FAULTS if fault.rule == name]
    errors = blocks("\n\n".join(_ERRORS.findall(about)))
    return Operation(
        name=name,
        summary=pieces(" ".join(_ERRORS.sub("", about).split())),
        call=_call(name, parameters, shown),
        look=pieces(shown.look),
        steps=steps(shares(name, shown)) if shown.args else None,
        plot=plot(parameters[0], shown.outputs[0], samples(name, shown)) if shown.line else None,
        conventions=[block for block in told if block.heading not in _USAGE],
        usage=[*errors, *(block for block in told if block.heading in _USAGE)],
        derivations=[(path, blocks(inspect.getdoc(function) or "")) for path, function in derivations(rule)],
        mistakes=[pieces(fault.cause) for fault in faults if not fault.equivalent],
    )


def _call(name: str, parameters: tuple[str, ...], shown: Example) -> str:
    """The example as a call: `max_pool(x, size=2, stride=1)`."""
    named = zip(parameters, shown.args, strict=False)
    given = [p if hasattr(a, "shape") else f"{p}={_literal(a)}" for p, a in named]
    if shown.line and not given:
        given = list(parameters[: 1 + len(shown.line.others)])
    return f"{name}({', '.join([*given, *(f'{k}={_literal(v)}' for k, v in shown.options.items())])})"


def _literal(option: Any) -> str:
    return f'"{option}"' if isinstance(option, str) else repr(option)
