"""Docstrings as reStructuredText. They are written to be read where they stand, in plain text and a little Markdown."""

import ast
import re
import textwrap

from jaxcnn.ops import RULES
from jaxcnn.report import prose


def as_rst(docstring: str, *, formulas: bool = False) -> str:
    """Paragraphs, lists, arguments and indented blocks; with `formulas` what is mathematics is typeset."""
    blocks = re.split(r"\n\s*\n", re.sub(r"\n(?=(Raises|Returns|Source): )", "\n\n", docstring.strip("\n")))
    return "\n\n".join(_block(block, formulas) for block in blocks if block.strip()) + "\n"


def _block(block: str, formulas: bool) -> str:
    lines = block.splitlines()
    if lines[0].startswith("    "):
        body = textwrap.dedent(block)
        if formulas and any(typeset for typeset, _ in prose.split(body)):
            return f".. math::\n\n{textwrap.indent(body, '    ')}"
        return code(body, "python" if _is_python(body) else "text")
    if lines[0].startswith(">>> "):
        return code(re.sub(r" *# doctest:.*", "", block), "pycon")
    if lines[0] in ("Args:", "Attributes:"):
        return "\n\n".join(_argument(entry, formulas) for entry in re.split(r"\n(?=  \S)", block)[1:])
    if lines[0].startswith("* "):
        items = re.split(r"\n(?=\* )", block)
        return "\n".join("* " + inline(" ".join(item[2:].split()), formulas) for item in items)
    text = " ".join(block.split())
    head = re.match(r"(Returns|Raises|Source): ?", text)
    if head:
        return f"**{head[1]}:** {inline(text[head.end() :], formulas)}"
    return inline(text, formulas)


def code(text: str, language: str) -> str:
    """A block of code."""
    return f".. code-block:: {language}\n\n{textwrap.indent(text, '    ')}"


def _is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _argument(entry: str, formulas: bool) -> str:
    names, _, text = " ".join(entry.split()).partition(": ")
    return f"**{escaped(names)}**\n    {inline(text, formulas)}"


def inline(text: str, formulas: bool = False) -> str:
    """One paragraph: `code` becomes a link where it names something that has a page, and letters formulas."""
    parts = []
    for part in re.split(r"(`[^`]+`|\*\w+\*)", text):
        if part.startswith("`") and len(part) > 1:
            parts.append(_code(part[1:-1]))
        elif re.fullmatch(r"\*\w+\*", part):
            parts.append(f"\\ *{part[1:-1]}*\\ ")
        elif formulas:
            parts += [f"\\ :math:`{t}`\\ " if typeset else escaped(t) for typeset, t in prose.split(part)]
        else:
            parts.append(escaped(part))
    return re.sub(r"(^|(?<=\s))\\ |\\ (?=\s|$)", "", "".join(parts))


def _code(name: str) -> str:
    if name in RULES:
        return f"\\ :py:func:`{name} <jaxcnn.ops.{name}>`\\ "
    rule, _, part = name.removeprefix("ops.").partition(".")
    if rule in RULES and part in ("", "backward"):
        target = f"jaxcnn.ops.{rule}"
        return f"\\ :ref:`{name} <derivation-{rule}>`\\ " if part else f"\\ :py:func:`{name} <{target}>`\\ "
    return f"\\ ``{name}``\\ "


def escaped(text: str) -> str:
    """Text that means itself in reStructuredText."""
    return re.sub(r"([\\*`_|])", r"\\\1", text)
