"""The page of one operation or of all: what `jaxcnn show` writes."""

import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxcnn.ops.rule import RULES, Rule
from jaxcnn.report.show.curve import samples
from jaxcnn.report.show.derivation import Block, Token, blocks, tokens
from jaxcnn.report.show.examples import EXAMPLES, Example, example
from jaxcnn.report.show.plot import Plot, plot
from jaxcnn.report.show.shares import shares
from jaxcnn.report.show.steps import Steps, steps
from jaxcnn.verify.catalog import FAMILIES, of_families
from jaxcnn.verify.checks import FULL

GENERATOR = "jaxcnn show"
# "The backward pass and its derivation: `conv.backward`.": which stands beside it here.
_POINTER = re.compile(
    r"\s*(?:The|Its) backward(?: pass)?(?: and its derivation)?:\s+`\w+\.backward`(?:, and `[^`]*`)?\."
)

# What is refused, where a docstring of few words says so in its first paragraph.
_ERRORS = re.compile(r"(?:(?<=\.)\s+|^)(?:ValueError|Errors)\s[^.]*\.")


@dataclass(frozen=True)
class Operation:
    """All that a page tells of an operation.

    `summary`, `conventions` and `usage` are the door's docstring, `derivations` that of the backward and of what it
    refers to, by their names; `mistakes` complete the sentence "The cotangent ...".
    """

    name: str
    summary: list[Token]
    call: str
    look: list[Token]
    steps: Steps | None
    plot: Plot | None
    conventions: list[Block]
    usage: list[Block]
    derivations: list[tuple[str, list[Block]]]
    mistakes: list[list[Token]]


@dataclass(frozen=True)
class Family:
    """The operations of one folder of `jaxcnn.ops`."""

    name: str
    about: list[Token]
    operations: list[Operation]


def page(names: Sequence[str]) -> str:
    """One HTML file that shows these operations, by name; it needs no network, and no other file.

    Raises: KeyError for a name that is not among `RULES`.
    """
    order = [*EXAMPLES, *RULES]
    shown = sorted(names, key=lambda name: (FAMILIES.index(_family(name)), order.index(name)))
    families = []
    for family, members in groupby(shown, _family):
        about = tokens(_first_paragraph(importlib.import_module(f"jaxcnn.ops.{family}")))
        families.append(Family(family, about, [operation(name) for name in members]))
    environment = Environment(
        loader=PackageLoader("jaxcnn.report", "templates/show"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        generator=GENERATOR,
        families=families,
        names=set(names),
        checks=[(name, tokens(_first_paragraph(checker))) for name, checker in FULL.items()],
    )


def operation(name: str) -> Operation:
    """Run a rule on its example, and read its docstrings."""
    rule, shown = RULES[name], example(name)
    parameters = tuple(inspect.signature(rule).parameters)
    variables = (*parameters, *shown.outputs, "kernel")
    about, *rest = _POINTER.sub("", inspect.getdoc(rule) or "").split("\n\n")
    errors = _ERRORS.findall(about)
    told = blocks("\n\n".join(rest), variables)
    faults = [fault for module in of_families("faults") for fault in module.FAULTS if fault.rule == name]
    return Operation(
        name=name,
        summary=tokens(" ".join(_ERRORS.sub("", about).split()), variables),
        call=_call(name, parameters, shown),
        look=tokens(shown.look, variables),
        steps=steps(shares(name, shown)) if shown.args else None,
        plot=plot(parameters[0], shown.outputs[0], samples(name, shown)) if shown.line else None,
        conventions=[block for block in told if block.heading not in ("Args", "Raises")],
        usage=[
            *(block for error in errors for block in blocks(error, variables)),
            *(block for block in told if block.heading in ("Args", "Raises")),
        ],
        derivations=list(_derivations(rule, variables)),
        mistakes=[tokens(fault.cause, variables) for fault in faults if not fault.equivalent],
    )


def _family(name: str) -> str:
    return RULES[name].__module__.removeprefix("jaxcnn.ops.").split(".")[0]


def _first_paragraph(described: Any) -> str:
    return " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())


def _call(name: str, parameters: tuple[str, ...], shown: Example) -> str:
    """The example as a call: `max_pool(x, size=2, stride=1)`."""
    named = zip(parameters, shown.args, strict=False)
    given = [p if hasattr(a, "shape") else f"{p}={_literal(a)}" for p, a in named]
    if shown.line and not given:
        given = list(parameters[: 1 + len(shown.line.others)])
    return f"{name}({', '.join([*given, *(f'{k}={_literal(v)}' for k, v in shown.options.items())])})"


def _literal(option: Any) -> str:
    return f'"{option}"' if isinstance(option, str) else repr(option)


def _derivations(rule: Rule[..., Any], variables: tuple[str, ...]) -> Iterator[tuple[str, list[Block]]]:
    """The backward's docstring, and those of the functions that it, or the door, or one of these refers to."""
    paths = [f"{rule.name}.backward", *re.findall(r"`(jaxcnn(?:\.\w+)+)`", inspect.getdoc(rule) or "")]
    for path in paths:
        function = _found(path)
        if function is not None:
            told = inspect.getdoc(function) or ""
            paths += [more for more in re.findall(r"`(jaxcnn(?:\.\w+)+|\w+\.backward)`", told) if more not in paths]
            yield path.removeprefix(f"{function.__module__}."), blocks(told, variables)


def _found(path: str) -> Any:
    """The function of that path, `conv.backward` or a module's; None where it is another thing."""
    module, _, name = path.rpartition(".")
    if module in RULES:
        return RULES[module].backward
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ModuleNotFoundError:
        return None
    return found if inspect.isfunction(found) else None
