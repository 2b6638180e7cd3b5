"""Pages made anew by each build: the API, and the derivations, from what the modules say of themselves."""

import ast
import dataclasses
import importlib
import inspect
import shutil
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

import docstring_parser

from extension.docstrings import as_rst, code, escaped, inline
from jaxcnn.ops import RULES, Rule
from jaxcnn.report.operations import FAMILIES, derivations, family, summary
from jaxcnn.train.recipe.option import Recipe

# Title, module, and what of it: all that it names, unless said. A thing stands on one page.
API: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "rules": ("Rules", "jaxcnn.ops.rule", ("Rule", "rule", "backward")),
    "layers": ("Layers", "jaxcnn.layers", ()),
    "models": ("Models", "jaxcnn.models", ()),
    "data": ("Data", "jaxcnn.data", ()),
    "augment": ("Augmentation", "jaxcnn.data.augment", ()),
    "fit": ("fit", "jaxcnn.train.fit", ("fit", "Fitted")),
    "recipe": ("Recipes", "jaxcnn.train.recipe", ()),
    "step": ("The training step", "jaxcnn.train.step", ("make_train_step", "StepOptions")),
    "watch": ("Watchers", "jaxcnn.train.watch", ("Watcher", "Epoch", "Steps")),
    "sweep": ("Sweeps", "jaxcnn.train.sweep", ("grid", "sweep")),
    "model": ("A trained model", "jaxcnn.train.model", ("Model", "Card")),
    "load_model": ("Loading a model", "jaxcnn.train.model_folder", ("load_model",)),
    "pretrained": ("Pretrained weights", "jaxcnn.interop.pretrained", ("load_pretrained", "Pretrained")),
    "weights": ("Weights of a network of one's own", "jaxcnn.interop.weights", ("load_weights",)),
    "onnx": ("ONNX files", "jaxcnn.interop.onnx.read", ("load_onnx",)),
    "explain": ("What a network looks at", "jaxcnn.explain", ()),
    "serve": ("Serving", "jaxcnn.serve", ()),
    "kernels": ("Kernels", "jaxcnn.kernels", ("use",)),
    "verify": ("Verification", "jaxcnn.verify", ()),
}
_WITH_MEMBERS = ("Layer", "Rule", "Watcher", "Model", "Report", "Summary")


def write(source: str | Path) -> None:
    """Write docs/api and docs/derivations."""
    for folder, pages in (("api", _api()), ("derivations", _derivations())):
        into = Path(source) / folder
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir()
        for name, text in pages:
            (into / f"{name}.rst").write_text(text)


def _api() -> Iterator[tuple[str, str]]:
    yield (
        "index",
        _index(
            "API", "From the docstrings. Operations by family, then the packages that stand on them.", [*FAMILIES, *API]
        ),
    )
    for folder, title in FAMILIES.items():
        names = [name for name, thing in _exported("jaxcnn.ops") if family(thing) == folder]
        derived = f":doc:`Their derivations <../derivations/{folder}>`."
        yield (
            folder,
            "\n\n".join([_title(title), _said(f"jaxcnn.ops.{folder}"), derived, _members("jaxcnn.ops", names)]),
        )
    for page, (title, module, names) in API.items():
        chosen = names or [name for name, _ in _exported(module)]
        yield page, "\n\n".join([_title(title), _said(module), _members(module, chosen)])


def _exported(module: str) -> Iterator[tuple[str, Any]]:
    """The classes and functions that a module names, but those that a module of its own here names, too."""
    found = importlib.import_module(module)
    inner = {name for _, other, _ in API.values() if other.startswith(module + ".") for name in _named(other)}
    for name in _named(module):
        thing = getattr(found, name)
        if name not in inner and (inspect.isclass(thing) or inspect.isroutine(thing)):
            yield name, thing


def _named(module: str) -> list[str]:
    return getattr(importlib.import_module(module), "__all__", [])


def _members(module: str, names: list[str] | tuple[str, ...]) -> str:
    return "\n\n".join(_member(module, name, getattr(importlib.import_module(module), name)) for name in names)


def _member(module: str, name: str, thing: Any) -> str:
    if not inspect.isclass(thing):
        return f".. autofunction:: {module}.{name}"
    if issubclass(thing, Recipe):
        return _recipe(module, thing)
    options = ["   :members:"] * (name in _WITH_MEMBERS)
    return "\n".join([f".. autoclass:: {module}.{name}", *options])


def _recipe(module: str, kind: type[Recipe]) -> str:
    """Its own options, each with its type, its default and its text."""
    texts = {p.arg_name: p.description for p in docstring_parser.parse_from_object(kind).params}
    types, shown = get_type_hints(kind), get_type_hints(kind, include_extras=True)
    options = []
    for field in (field for field in dataclasses.fields(kind) if field.name in texts):
        of = inspect.formatannotation(types[field.name])
        name = f"**{escaped(field.name)}**: ``{of}`` = ``{field.default!r}``"
        hints = [getattr(extra, "help_behavior_hint", "") for extra in getattr(shown[field.name], "__metadata__", ())]
        options.append(f"{name}\n    {inline(' '.join([_one_line(texts[field.name]), *hints]))}")
    body = "\n\n".join([as_rst(inspect.getdoc(kind) or ""), *options])
    return f".. py:class:: {kind.__name__}\n   :module: {module}\n\n{textwrap.indent(body, '   ')}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())


def _derivations() -> Iterator[tuple[str, str]]:
    said = (
        "Each backward pass, derived, and the code that computes it, whose docstring the text above it is. A cotangent "
        "dx is the derivative of the loss by x, and a backward computes those of the arguments from dy."
    )
    yield "index", _index("Derivations", said, FAMILIES)
    for folder, title in FAMILIES.items():
        parts = [_title(title)]
        rules = [rule for rule in RULES.values() if family(rule) == folder]
        modules = dict.fromkeys(rule.__module__ for rule in rules)
        for module in modules:
            alike: dict[str | None, list[Rule[..., Any]]] = {}  # a docstring may be of several
            for rule in rules:
                if rule.__module__ == module:
                    alike.setdefault(rule.backward.__doc__, []).append(rule)
            file = module.rpartition(".")[2] + ".py"
            parts += [_title(file, "-"), _said(module, formulas=True), *map(_derivation, alike.values())]
        backwards = {rule.backward for rule in RULES.values()}
        derived = (function for rule in rules for _, function in derivations(rule))
        shared = dict.fromkeys(function for function in derived if function not in backwards)
        if shared:
            parts += [_title("What they share", "-"), *map(_helper, shared)]
        yield folder, "\n\n".join(parts)


def _derivation(rules: list[Rule[..., Any]]) -> str:
    labels = "\n".join(f".. _derivation-{rule.name}:" for rule in rules)
    first = [f":py:func:`{rule.name} <jaxcnn.ops.{rule.name}>`: {inline(summary(rule))}" for rule in rules]
    derived = as_rst(inspect.getdoc(rules[0].backward) or "", formulas=True)
    title = _title(", ".join(rule.name for rule in rules), "~")
    return "\n\n".join([labels, title, *first, derived, _code(rules[0].backward)])


def _helper(function: Callable[..., Any]) -> str:
    return "\n\n".join(
        [_title(function.__name__, "~"), as_rst(inspect.getdoc(function) or "", formulas=True), _code(function)]
    )


def _code(function: Callable[..., Any]) -> str:
    """A function without the docstring that is typeset above it."""
    source = textwrap.dedent(inspect.getsource(function))
    definition = ast.parse(source).body[0]
    assert isinstance(definition, ast.FunctionDef)
    lines = source.splitlines()
    if ast.get_docstring(definition) is not None:
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return code("\n".join(lines), "python")


def _said(module: str, *, formulas: bool = False) -> str:
    return as_rst(inspect.getdoc(importlib.import_module(module)) or "", formulas=formulas)


def _index(title: str, text: str, pages: Any) -> str:
    listed = "\n".join(f"   {page}" for page in pages)
    return f"{_title(title)}\n\n{text}\n\n.. toctree::\n   :maxdepth: 1\n\n{listed}\n"


def _title(text: str, line: str = "=") -> str:
    return f"{text}\n{line * len(text)}"
