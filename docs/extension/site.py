"""The extension of Sphinx: our docstrings, their formulas, and pages that are made from them."""

import dataclasses
import inspect
from html import escape
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

from extension import docstrings, includes, pages
from extension.translator import Translator
from jaxcnn.ops import Rule
from jaxcnn.report import formula
from jaxcnn.report.docstring import pieces


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.set_translator("html", Translator)
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    app.connect("builder-inited", lambda app: pages.write(app.srcdir))
    app.connect("source-read", includes.included)
    app.connect("autodoc-process-docstring", _docstring)
    app.connect("autodoc-process-signature", _signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _docstring(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = docstrings.as_rst("\n".join(lines)).splitlines()


def _signature(app: Sphinx, what: str, name: str, obj: Any, *rest: Any) -> tuple[str, str | None] | None:
    """Of a rule its door's, with the annotations as they are written; of a dataclass its fields and their defaults."""
    if isinstance(obj, Rule):
        arguments, _, returns = str(inspect.signature(obj)).partition(" -> ")
        return arguments, returns or None
    if inspect.isclass(obj) and dataclasses.is_dataclass(obj):
        made = {f.name: f.default_factory for f in dataclasses.fields(obj) if callable(f.default_factory)}
        shown = inspect.signature(obj)
        given = [p.replace(default=made[p.name]()) if p.name in made else p for p in shown.parameters.values()]
        return stringify_signature(
            shown.replace(parameters=given), unqualified_typehints=True, show_return_annotation=False
        ), None
    return None


def _inline(writer: Any, node: nodes.math) -> None:
    writer.body.append(formula.breakable(node.astext()))
    raise nodes.SkipNode


def _block(writer: Any, node: nodes.math_block) -> None:
    """Lines of formulas, with what words stand between them."""
    writer.body.append('<div class="formulas">')
    for line in node.astext().splitlines():
        shown = (f"<span>{_line(part)}</span>" for part in line.split("  ") if part)
        writer.body.append(f"<p>{' '.join(shown)}</p>")
    writer.body.append("</div>")
    raise nodes.SkipNode


def _line(text: str) -> str:
    parts = pieces(text)
    return "".join(formula.breakable(t, display=True) if kind == "formula" else escape(t) for kind, t in parts)
