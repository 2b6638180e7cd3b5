"""Docstrings, read for a page: paragraphs, formulas, lists, and in them what is code, raised, lowered or a variable."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal, cast

Kind = Literal["text", "code", "emphasis", "sub", "sup", "variable"]
Token = tuple[Kind, str]

_LETTER = "A-Za-zα-ωΑ-ΡΤ-Ω"  # but for Σ, which sums
_TOKENS = re.compile(
    rf"""
      `(?P<code>[^`]+)`
    | \*(?P<emphasis>\w+)\*(?!\w)
    | (?:(?<=[ΣΠ])|(?<=\bmax)|(?<=\bmean)|(?<=\bvar))_(?P<sub>\{{[^}}]*\}}|\w\b)
    | \^(?P<sup>\([^()]*\)|−?\|[^|]*\||−?\w+(?:\[[^\]]*\])?)
    | (?<![\w"'.])(?<!\w-)
      (?P<variable>[{_LETTER}]\d?|d?[{_LETTER}]\w*(?=\[)|d+[a-np-zα-ω]\d?)  # "do" is a word
      (?![0-9_{_LETTER}]|["-]\w|'s)
    """,
    re.VERBOSE,
)
_MINUS = re.compile(r"`[^`]*`-?|(?<![\w)\]-])-(?!>)|(?<=\s)-(?=\s)")  # not in code, in a word or an arrow
_HEADINGS = ("Args", "Returns", "Raises")


@dataclass(frozen=True)
class Block:
    """A piece of a docstring.

    `lines` holds one line of tokens for a "paragraph" or "source", several for "formula" and "bullets". An "arguments"
    block has the names in `terms`, each with its line.
    """

    kind: Literal["paragraph", "formula", "bullets", "arguments", "source"]
    lines: list[list[Token]]
    heading: str = ""
    terms: tuple[str, ...] = ()


def blocks(docstring: str, names: tuple[str, ...] = ()) -> list[Block]:
    """The blocks of a docstring that `inspect.getdoc` has cleaned; with a "d" before them `names` are variables."""
    groups = groupby(docstring.splitlines(), lambda line: not line.strip())
    return [block for blank, lines in groups if not blank for block in _blocks(list(lines), names)]


def tokens(text: str, names: tuple[str, ...] = (), *, formula: bool = False) -> list[Token]:
    """A line taken apart: `code`, *emphasis*, Σ_k, e^(x), and variables: of one letter, before an index, or dkernel.

    In a formula "a" is a variable, else mostly an article.
    """
    text = _MINUS.sub(lambda found: found[0] if found[0].startswith("`") else "−", text)
    text = re.sub(r"\[[^\]]{1,24}\]", lambda index: index[0].replace(" ", "\u00a0"), text)  # not broken between lines
    found: list[Token] = []
    position = 0
    for match in _TOKENS.finditer(text):
        kind = cast(Kind, match.lastgroup)
        inner = match[kind]
        before, after = text[: match.start()], text[match.end() :]
        if kind == "variable" and not formula and _is_a_word(inner, before, after):
            continue
        found += _named(before[position:], names)
        if kind in ("sub", "sup") and inner[0] in "{(":
            inner = inner[1:-1]
        found.append((kind, inner))
        position = match.end()
    return [*found, *_named(text[position:], names)]


def _is_a_word(letter: str, before: str, after: str) -> bool:
    """Whether it is an article and no variable, which stands beside a bracket, a bar, a comma or a sign."""
    beside = before.endswith(("[", "|")) or after.startswith(("]", ",", "|", ")", " −", " +", " ="))
    return letter in ("a", "A", "I") and not beside


def _named(text: str, names: tuple[str, ...]) -> Iterator[Token]:
    """Plain text, in which dkernel is a variable where kernel is one of the names."""
    for i, part in enumerate(re.split(rf"\b(d+(?:{'|'.join(map(re.escape, names))}))\b", text) if names else [text]):
        if part:
            yield ("variable" if i % 2 else "text", part)


def _blocks(lines: list[str], names: tuple[str, ...]) -> Iterator[Block]:
    """Those of lines without a blank one among them."""
    heading, _, rest = lines[0].partition(":")
    if heading in _HEADINGS and rest.strip():
        yield Block("paragraph", [tokens(_one_line([rest, *lines[1:]]), names)], heading)
    elif heading in _HEADINGS:
        yield _arguments(heading, lines[1:], names)
    elif all(line.startswith("    ") for line in lines):
        apart = [re.sub(r"(?<=\S) {2,}", "\u2003", line.strip()) for line in lines]
        yield Block("formula", [tokens(line, names, formula=True) for line in apart])
    elif lines[0].startswith("* "):
        bullets = re.split(r"(?:^|\n)\* ", "\n".join(lines))[1:]
        yield Block("bullets", [tokens(_one_line([bullet]), names) for bullet in bullets])
    else:
        text, *sources = re.split(r"(?:^|(?<=\s))(?=Source: )", _one_line(lines))
        if text:
            yield Block("paragraph", [tokens(text.strip(), names)])
        for source in sources:
            yield Block("source", [tokens(source.strip())])


def _arguments(heading: str, lines: list[str], names: tuple[str, ...]) -> Block:
    """Each "name: what it is", over one line or more, of which the later ones are indented further."""
    items: list[list[str]] = []
    for line in lines:
        if line.startswith("   ") and items:
            items[-1].append(line)
        else:
            items.append([line])
    split = [_one_line(item).partition(": ") for item in items]
    return Block("arguments", [tokens(text, names) for _, _, text in split], heading, tuple(term for term, *_ in split))


def _one_line(lines: list[str]) -> str:
    return " ".join(" ".join(lines).split())
