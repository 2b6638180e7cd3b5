"""Docstrings as reStructuredText. They are written to be read where they stand, in plain text and a little Markdown."""

import ast
import re
import textwrap

from jaxcnn.report.docstring import Block, blocks, pieces
from jaxcnn.report.operations import operation_of


def as_rst(docstring: str, *, formulas: bool = False) -> str:
    """Paragraphs, lists, arguments and indented blocks; with `formulas` what is mathematics is typeset."""
    return "\n\n".join(_block(block, formulas) for block in blocks(docstring)) + "\n"


def _block(block: Block, formulas: bool) -> str:
    body = "\n".join(block.texts)
    if block.kind == "session":
        return code(body, "pycon")
    if block.kind == "indented":
        if formulas and block.is_formula:
            return f".. math::\n\n{textwrap.indent(body, '    ')}"
        return code(body, "python" if _is_python(body) else "text")
    texts = [inline(text, formulas) for text in block.texts]
    if block.kind == "arguments":
        named = zip(block.terms, texts, strict=True)
        return "\n\n".join(f"**{escaped(term)}**\n    {text}" for term, text in named)
    if block.kind == "bullets":
        return "\n".join(f"* {text}" for text in texts)
    return f"**{block.heading}:** {texts[0]}" if block.heading else texts[0]


def code(text: str, language: str) -> str:
    """A block of code."""
    return f".. code-block:: {language}\n\n{textwrap.indent(text, '    ')}"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def inline(text: str, formulas: bool = False) -> str:
    """One paragraph: `code` becomes a link where it names something that has a page, and letters formulas."""
    parts = "".join(_piece(*piece) for piece in pieces(text, formulas=formulas))
    return re.sub(r"(^|(?<=\s))\\ |\\ (?=\s|$)", "", parts)


def _piece(kind: str, text: str) -> str:
    if kind == "code":
        return _code(text)
    if kind == "emphasis":
        return f"\\ *{text}*\\ "
    return f"\\ :math:`{text}`\\ " if kind == "formula" else escaped(text)


def _code(name: str) -> str:
    operation = operation_of(name)
    if operation is None:
        return f"\\ ``{name}``\\ "
    if name.endswith(".backward"):
        return f"\\ :ref:`{name} <derivation-{operation}>`\\ "
    return f"\\ :py:func:`{name} <jaxcnn.ops.{operation}>`\\ "


def escaped(text: str) -> str:
    """Text that means itself in reStructuredText."""
    return re.sub(r"([\\*`_|])", r"\\\1", text)
