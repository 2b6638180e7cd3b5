"""Formulas as docstrings write them, typeset: text in the field's own letters becomes MathML, which browsers draw.

    dx[q] = Σ_{p: q(p) = q} dy[p]        e^(-x²/2) / √(2π)        ∂y[n, o] / ∂x[n, i] = kernel[i, o]

Brackets that touch a name are its indices, ^ and small digits raise, _ lowers, factors stand side by side, and / has
above and below it the one factor on either side.
"""

import re
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from jaxcnn.report.names import is_cotangent

TOKEN = re.compile(
    r"""(?P<list>,\s+\.\.\.,)                               # as in 1, ..., n
      | (?P<word>[A-Za-z0-9]+(?:-[A-Za-z]+)+|[A-Za-z]+'[a-z]\w*|"[^"]*"|->)
      | (?P<number>\d+(?:,\d{3})*(?:\.\d+)?(?:e-?\d+)?(?![A-Za-z]))
      | (?P<name>(?:max|min|[A-Za-z])(?=_)|[A-Za-z][A-Za-z0-9]*(?:_[a-z0-9]+)*\N{COMBINING CIRCUMFLEX ACCENT}?'?
                 |[α-ωΑ-ΟΡΤ-Ω]'?)
      | (?P<raised>[⁻⁰¹²³⁴⁵⁶⁷⁸⁹ˣᵀ]+)
      | (?P<operator><=|>=|//|[-=+·×/<>≤≥≠≈∈∂ΣΠ√^_|∞])
      | (?P<open>[(\[{⟨]) | (?P<close>[)\]}⟩])
      | (?P<mark>[,;:])
      | (?P<other>\S)""",
    re.VERBOSE,
)
CLOSING = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "|": "|"}
_SHOWN = {"<=": "≤", ">=": "≥", "-": "−", "Σ": "∑", "Π": "∏", "·": "⋅"}
_RAISED = dict(zip("⁻⁰¹²³⁴⁵⁶⁷⁸⁹ˣᵀ", "-0123456789xT", strict=True))
_LIMITS = ("max", "min", "Σ", "Π")  # what _ puts below rather than beside
HAT = "\N{COMBINING CIRCUMFLEX ACCENT}"
_BREAKS = ("=", "<", ">", "<=", ">=", "≤", "≥", "≠", "≈", "+", "-")
_SHORT = 20  # characters: a formula of fewer is not broken
_THIN = '<mspace width="0.17em"></mspace>'


@dataclass(frozen=True)
class Token:
    """A piece of a formula, and where it stands in the text."""

    kind: str
    text: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """All of the text but its spaces."""
    return [Token(match.lastgroup or "", match[0], *match.span()) for match in TOKEN.finditer(text)]


def mathml(text: str, *, display: bool = False) -> str:
    """A formula as a `math` element. Raises ValueError where brackets do not match or an operand is missing."""
    return _element(text, _read(text).markup, display)


def breakable(text: str, *, display: bool = False) -> str:
    """A formula as several elements, between which a line may break: browsers do not break within one.

    As in TeX that is behind the relations, pluses and minuses outside of brackets, or in a display before them. The
    punctuation that the text may end in stays with the last element, in a span of the class "whole".
    """
    mark = text[len(text.rstrip(".,;:")) :]
    text = text.removesuffix(mark)
    row = _read(text)
    breaks = row.breaks if len(text) >= _SHORT else []
    cuts = [(part, token.start) if display else (part + 1, token.end) for part, token in breaks]
    for part, _ in breaks:
        row.parts[part] = row.parts[part].replace("<mo>", '<mo form="infix">')
    *others, last = (
        _element(text[start:end].strip(), "".join(row.parts[first:to]), display)
        for (first, start), (to, end) in pairwise([(0, 0), *cuts, (len(row.parts), len(text))])
    )
    return "<wbr>".join([*others, f'<span class="whole">{last}{mark}</span>' if mark else last])


def _read(text: str) -> "_Row":
    try:
        reader = _Reader(tokens(text))
        row = reader.row()
        if reader.here is not None:
            raise ValueError(f"nothing opened {reader.here.text!r}")
    except ValueError as error:
        raise ValueError(f"formula {text!r}: {error}.") from None
    return row


def _element(text: str, row: str, display: bool) -> str:
    kind = "block" if display else "inline"
    return f'<math display="{kind}" alttext="{escape(text)}"><mrow>{row}</mrow></math>'


@dataclass(frozen=True)
class _Row:
    """Factors and operators one after the other; and which of them may end a line, with their places in the text."""

    parts: list[str]
    breaks: list[tuple[int, Token]]

    @property
    def markup(self) -> str:
        return "".join(self.parts)


class _Reader:
    """Reads tokens from left to right."""

    def __init__(self, of: list[Token]) -> None:
        self.tokens, self.at = of, 0
        self.raised = 0  # how many exponents deep; there fractions stay on the line

    @property
    def here(self) -> Token | None:
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def take(self) -> Token:
        if self.here is None:
            raise ValueError("it ends too early")
        self.at += 1
        return self.tokens[self.at - 1]

    def touching(self, *texts: str, kind: str = "") -> bool:
        """Whether the next token is one of these, with no space before it."""
        token = self.here
        if token is None or self.tokens[self.at - 1].end != token.start:
            return False
        return token.text in texts or token.kind == kind

    def row(self, close: str = "") -> _Row:
        """Factors and operators up to what closes them, which is taken, too."""
        parts: list[str] = []
        breaks: list[tuple[int, Token]] = []
        after_factor = False
        while (token := self.here) is not None and token.text != close and token.kind != "close":
            if token.text == "/" and after_factor and not self.raised:
                self.take()
                parts[-1] = f"<mfrac>{_bare(parts[-1])}{_bare(self.divisor())}</mfrac>"
            elif _is_factor(token):
                parts += [_THIN] * after_factor + [self.factor()]
                after_factor = True
            else:
                if after_factor and token.text in _BREAKS:
                    breaks.append((len(parts), token))
                parts.append(_operator(self.take().text, prefix=not after_factor))
                after_factor = False
        if close and self.take().text != close:
            raise ValueError(f"a bracket lacks its {close!r}")
        return _Row(parts, breaks)

    def divisor(self) -> str:
        """One factor; a sum or a logarithm with what it is of."""
        token = self.here
        factor = self.factor()
        if token is not None and token.text in ("Σ", "Π", "log") and self.here is not None and _is_factor(self.here):
            return f"<mrow>{factor}{_THIN}{self.divisor()}</mrow>"
        return factor

    def factor(self) -> str:
        """A number, a name, a bracket or a root, with what stands below and above it."""
        token = self.take()
        if token.text == "∂":
            return f"<mrow><mo>∂</mo>{self.factor()}</mrow>"
        if token.text == "√":
            return f"<msqrt>{_bare(self.factor())}</msqrt>"
        if token.text in CLOSING:
            return self.scripts(self.bracket(token.text))
        if not _is_factor(token):
            raise ValueError(f"{token.text!r} stands where a factor belongs")
        named = self.scripts(_atom(token), limits=token.text in _LIMITS)
        if token.kind == "name" and self.touching("("):
            return self.scripts(f"<mrow>{named}{self.bracket(self.take().text)}</mrow>")
        return named

    def bracket(self, opened: str) -> str:
        close = CLOSING[opened]
        return f"<mrow>{_fence(opened)}{self.row(close).markup}{_fence(close)}</mrow>"

    def scripts(self, base: str, *, limits: bool = False) -> str:
        below = above = ""
        while True:
            if self.touching("["):
                self.take()
                below += self.row("]").markup
            elif self.touching("_"):
                self.take()
                below += self.words() if self.touching("{") else _atom(self.take())
            elif self.touching("^"):
                self.take()
                above += self.exponent()
            elif self.touching(kind="raised"):
                above += _raised(self.take().text)
            else:
                break
        if below and limits:
            return f"<munder>{base}<mrow>{below}</mrow></munder>"
        scripts = "".join(f"<mrow>{script}</mrow>" for script in (below, above) if script)
        tag = {(True, True): "msubsup", (True, False): "msub", (False, True): "msup"}.get((bool(below), bool(above)))
        return f"<{tag}>{base}{scripts}</{tag}>" if tag else base

    def exponent(self) -> str:
        self.raised += 1
        sign = _operator(self.take().text, prefix=True) if self.touching("-") else ""
        factor = _bare(self.factor())
        self.raised -= 1
        return sign + factor

    def words(self) -> str:
        """A sum's subscript in braces, in which words of English may stand: {o: q wins o}."""
        self.take()
        return self.row("}").markup


def _is_factor(token: Token) -> bool:
    return token.kind in ("number", "name", "word", "open", "raised", "other") or token.text in (
        "∂",
        "√",
        "Σ",
        "Π",
        "∞",
        "|",
    )


def _atom(token: Token) -> str:
    text = escape(token.text.rstrip("'"))
    if token.kind == "number":
        return f"<mn>{text}</mn>"
    if token.kind == "raised":
        return f"<mrow>{_raised(token.text)}</mrow>"
    if token.text in ("Σ", "Π"):
        return _operator(token.text)
    if token.kind == "name":
        named = _name(text)
        return f'<mrow>{named}<mo lspace="0" rspace="0">′</mo></mrow>' if token.text.endswith("'") else named
    return f"<mtext>{text}</mtext>"


def _name(text: str) -> str:
    """Browsers draw single letters in italics; of words a page does so with the cotangents."""
    if text.endswith(HAT):
        return f'<mover accent="true"><mi>{text.removesuffix(HAT)}</mi><mo>^</mo></mover>'
    if re.fullmatch(r"d+[a-z]\d?", text):
        return "<mrow>" + "".join(f"<mi>{c}</mi>" for c in text) + "</mrow>"
    return f'<mi class="variable">{text}</mi>' if is_cotangent(text) else f"<mi>{text}</mi>"


def _operator(text: str, *, prefix: bool = False) -> str:
    form = ' form="prefix"' if prefix and text in "+-" else ""
    return f"<mo{form}>{escape(_SHOWN.get(text, text))}</mo>"


def _raised(small: str) -> str:
    tokens_of = re.findall(r"\d+|.", "".join(_RAISED[c] for c in small))
    return "".join(f"<mn>{t}</mn>" if t.isdigit() else "<mo>−</mo>" if t == "-" else f"<mi>{t}</mi>" for t in tokens_of)


def _fence(text: str) -> str:
    return f'<mo stretchy="false">{text}</mo>'


def _bare(factor: str) -> str:
    """A factor without the round brackets around all of it, where a line or a position already holds it together."""
    inner = re.fullmatch(r'<mrow><mo stretchy="false">\(</mo>(.*)<mo stretchy="false">\)</mo></mrow>', factor)
    if inner is None or not _balanced(inner[1]):
        return factor
    return f"<mrow>{inner[1]}</mrow>"


def _balanced(inside: str) -> bool:
    depth = 0
    for fence in re.findall(r'<mo stretchy="false">([()])</mo>', inside):
        depth += 1 if fence == "(" else -1
        if depth < 0:
            return False
    return depth == 0
