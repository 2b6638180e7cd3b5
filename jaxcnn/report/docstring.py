"""Docstrings as pages show them: their blocks, and in a line of text what is code, emphasis or a formula."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from jaxcnn.report import prose

Piece = tuple[Literal["text", "code", "emphasis", "formula"], str]
_MARKED = re.compile(r"`(?P<code>[^`]+)`|\*(?P<emphasis>\w+)\*(?!\w)")
_LISTS = ("Args", "Attributes")
_HEADING = re.compile(r"(Returns|Raises|Source):\s+")
_MINUS = re.compile(r"(?<![^\s(\[=])-(?=[\w.])|(?<=\s)-(?=\s)")  # as in -1 and 1 - rate, and not in a word
_MARK = re.compile(r"[.,;:]+(?=\s|$)")


@dataclass(frozen=True)
class Block:
    """A piece of a docstring.

    `texts` holds one line for a "paragraph", several for "bullets" and "arguments", whose names are the `terms`. Those
    of an "indented" block and of a "session" of Python are as they stand.
    """

    kind: Literal["paragraph", "indented", "session", "bullets", "arguments"]
    texts: list[str]
    heading: str = ""
    terms: tuple[str, ...] = ()

    @property
    def is_formula(self) -> bool:
        """Whether it is indented for its formulas, rather than for code."""
        return self.kind == "indented" and any(formula for text in self.texts for formula, _ in prose.split(text))


def blocks(docstring: str) -> list[Block]:
    """The blocks of a docstring that `inspect.getdoc` has cleaned."""
    apart = re.split(r"\n\s*\n", re.sub(r"\n(?=(?:Returns|Raises|Source): )", "\n\n", docstring.strip("\n")))
    return [block for text in apart if text.strip() for block in _blocks(text.splitlines())]


def pieces(text: str, *, formulas: bool = True) -> list[Piece]:
    """A line taken apart; without `formulas` these are left in the text, whose hyphens stay as they are.

    A formula has the punctuation behind it, which must not begin a line.
    """
    found: list[Piece] = []
    position = 0
    for marked in [*_MARKED.finditer(text), None]:
        between = text[position : marked.start() if marked else None]
        for is_formula, part in prose.split(between) if formulas else [(False, between)]:
            if is_formula:
                found.append(("formula", part))
                continue
            mark = _MARK.match(part)
            if mark and found and found[-1][0] == "formula":
                found[-1] = ("formula", found[-1][1] + mark[0])
                part = part.removeprefix(mark[0])
            if part:
                found.append(("text", _with_minus(part, found) if formulas else part))
        if marked:
            found.append(("emphasis", marked["emphasis"]) if marked["code"] is None else ("code", marked["code"]))
            position = marked.end()
    return found


def _with_minus(text: str, before: list[Piece]) -> str:
    """Text that follows these, with minus signs for such hyphens."""
    last = before[-1][1][-1] if before else ""
    return _MINUS.sub("−", last + text)[len(last) :]


def _blocks(lines: list[str]) -> Iterator[Block]:
    """Those of lines without a blank one among them."""
    if lines[0].rstrip(":") in _LISTS and lines[0].endswith(":"):
        entries = [_one_line(entry).partition(": ") for entry in re.split(r"\n(?=  \S)", "\n".join(lines))[1:]]
        terms = tuple(term for term, *_ in entries)
        yield Block("arguments", [text for *_, text in entries], lines[0].rstrip(":"), terms)
    elif lines[0].startswith("    "):
        indent = min(len(line) - len(line.lstrip()) for line in lines)
        yield Block("indented", [line[indent:].rstrip() for line in lines])
    elif lines[0].startswith(">>> "):
        yield Block("session", [re.sub(r" *# doctest:.*", "", line) for line in lines])
    elif lines[0].startswith("* "):
        yield Block("bullets", [_one_line(item[2:]) for item in re.split(r"\n(?=\* )", "\n".join(lines))])
    else:
        for text in re.split(r"(?<=\s)(?=Source: )", _one_line("\n".join(lines))):
            heading = _HEADING.match(text)
            yield Block("paragraph", [text[heading.end() if heading else 0 :].strip()], heading[1] if heading else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())
