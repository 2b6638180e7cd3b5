"""Which parts of a docstring's prose are formulas, for `formula` to typeset."""

from collections.abc import Iterator

from jaxcnn.report.formula import CLOSING, HAT, Token, tokens
from jaxcnn.report.names import FUNCTIONS, NAMES, is_cotangent

_RELATIONS = frozenset(["=", "<", ">", "<=", ">=", "≤", "≥", "≠", "≈", "∈"])
_ARTICLES = frozenset(["the", "a", "an", "each", "every", "its", "one", "whose"])


def split(text: str) -> Iterator[tuple[bool, str]]:
    """Formulas and what stands between them, as (whether it is one, text).

    A formula is a run of numbers, operators, brackets, letters, functions and `NAMES`. A name that is a word of English
    as well counts only beside something that is not: `slope x` is a formula, and "the slope" is none.
    """
    found = _Finder(tokens(text))
    done = at = 0
    while at < len(found.tokens):
        start, stop = found.run(at)
        if start < stop:
            first, last = found.tokens[start], found.tokens[stop - 1]
            if done < first.start:
                yield False, text[done : first.start]
            yield True, text[first.start : last.end]
            done = last.end
        at = max(stop, found.behind_code(at))
    if done < len(text):
        yield False, text[done:]


class _Finder:
    def __init__(self, of: list[Token]) -> None:
        self.tokens = of

    def run(self, at: int) -> tuple[int, int]:
        """Where the formula begins and ends that is the longest one from `at`; two equal numbers if there is none."""
        start = stop = at
        while stop < len(self.tokens) and (after := self.behind(stop)) > stop:
            stop = after
        end = stop
        while end > start and self.hangs(end - 1, start):
            end -= 1
        while start < end and self.leads(start, end):
            start += 1
        return (start, end) if any(self.tells(i, start, end) for i in range(start, end)) else (at, at)

    def behind(self, at: int) -> int:
        """Where the token ends, or the bracket that it opens, if it can be part of a formula; else `at`."""
        token = self.tokens[at]
        if token.text not in CLOSING or token.text == "|":
            return at + self.belongs(at)
        in_words = token.text == "{" and at > 0 and self.tokens[at - 1].text == "_"
        close = at + 1
        while close < len(self.tokens) and self.tokens[close].kind != "close":
            inside = self.tokens[close]
            after = self.behind(close)
            if after == close:
                if not (in_words or inside.kind in ("mark", "list")):
                    return at
                after += 1
            close = after
        return close + 1 if close < len(self.tokens) else at

    def belongs(self, at: int) -> bool:
        token = self.tokens[at]
        if token.kind == "name":
            return not self.is_code(at) and (self.is_variable(at) or self.is_word(at) or self.is_function(at))
        return token.kind in ("number", "raised", "operator", "list")

    def behind_code(self, at: int) -> int:
        """Where to look on: at the next token, or behind a call of which not all is a formula: dense(x, rows)."""
        name, depth = self.tokens[at], 0
        for i, token in enumerate(self.tokens[at + 1 :], at + 1):
            if not depth and (name.kind != "name" or token.text != "(" or token.start != name.end):
                break
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            if not depth:
                return i + 1
        return at + 1

    def is_code(self, at: int) -> bool:
        """Whether a name has a dot within: jnp.exp, x.shape."""
        return self.is_dot(at - 1) or self.is_dot(at + 1)

    def is_dot(self, at: int) -> bool:
        """Whether it is one with something on both sides, as within a name."""
        beside = self.tokens[max(at - 1, 0) : at + 2]
        return len(beside) == 3 and beside[1].text == "." and beside[0].end + 1 == beside[1].end == beside[2].start

    def is_variable(self, at: int) -> bool:
        """A letter, or a cotangent: dx, dkernel. The letter a only where it can't be the article."""
        name = self.tokens[at].text.rstrip("'").removesuffix(HAT)
        if name in ("a", "A", "I"):
            before, after = self.tokens[max(at - 1, 0) : at], self.tokens[at + 1 : at + 2]
            sure = any(t.kind in ("operator", "close") or t.text in "([σ" for t in before + after)
            sure = sure and not (after and after[0].text == "(" and self.is_tuple(at + 1))
            return name == "a" and (sure or any(t.kind == "number" for t in before))
        return len(name) == 1 or (len(name) == 2 and name[1].isdigit()) or is_cotangent(name)

    def is_tuple(self, at: int) -> bool:
        """Whether a bracket holds several things: "a (low, high) pair"."""
        inside = self.tokens[at + 1 : self.behind(at) - 1]
        return any(token.text == "," for token in inside)

    def is_word(self, at: int) -> bool:
        token = self.tokens[at]
        return token.kind == "name" and token.text.rstrip("'") in NAMES and not self.is_variable(at)

    def is_function(self, at: int) -> bool:
        """A name that touches its bracket, as in W(c), or that everyone knows and that stands before a factor."""
        name, after = self.tokens[at], self.tokens[at + 1 : at + 2]
        if not after:
            return False
        if after[0].text == "(" and after[0].start == name.end:
            return self.behind(at + 1) > at + 1
        if name.text.rstrip("'") not in FUNCTIONS:
            return False
        if after[0].kind == "name":
            return self.is_variable(at + 1) or self.is_function(at + 1)
        return self.behind(at + 1) > at + 1

    def hangs(self, at: int, start: int) -> bool:
        """Whether the last token of a run belongs to the sentence: an operator without its right side, a lone word."""
        token = self.tokens[at]
        if token.kind in ("operator", "list"):
            return token.text not in ("∞", "|")
        return self.is_word(at) and (at == start or self.tokens[at - 1].kind != "operator")

    def leads(self, at: int, end: int) -> bool:
        """Whether the first token of a run belongs to the sentence: "with stride s", "the cotangents (dx, dkernel)".

        Or to an argument that is given, as in axis=1.
        """
        token, after = self.tokens[at], self.tokens[at + 1] if at + 1 < end else None
        if token.text == "=" and at > 0 and self.tokens[at - 1].end == token.start:
            return True
        if after is None or after.kind in ("operator", "raised") or after.start == token.end:
            return False
        before = self.tokens[at - 1].text.lower() if at > 0 else ""
        named = after.text in CLOSING or (at + 2 == end and len(after.text) == 1)
        behind_article = before in _ARTICLES or before.endswith("'s")
        return (token.text == "0" and not self.is_function(at + 1)) or (self.is_word(at) and (named or behind_article))

    def tells(self, at: int, start: int, end: int) -> bool:
        """Whether a token can stand in a formula only."""
        token = self.tokens[at]
        if token.text in ("/", "-"):
            between = start < at < end - 1 and token.end < self.tokens[at + 1].start
            return between and (self.is_word(at - 1) or self.is_word(at + 1))
        if token.kind == "name":
            return self.is_variable(at) or self.is_function(at)
        return token.kind == "raised" or token.text in (*_RELATIONS, "Σ", "∂", "√", "^", "+", "·", "⟨")
