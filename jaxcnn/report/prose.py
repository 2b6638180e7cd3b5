"""Which parts of a docstring's prose are formulas, for `formula` to typeset."""

from collections.abc import Iterator

from jaxcnn.report.formula import CLOSING, Token, tokens

# Words that are variables in the docstrings of `ops`.
_WORDS = """
    alpha anchor bias class_weights delta dilation gain grid high index inf kept kernel labels log_p logits loss low
    margin mean negative offset positive positive_weight prediction rate scale scores size slope stride target theta
    threshold var
"""
NAMES = frozenset(_WORDS.split())
FUNCTIONS = frozenset(
    ["exp", "log", "tanh", "sinh", "cosh", "softplus", "max", "min", "mean", "sign", "floor", "ceil", "expm1"]
)
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
        at = max(stop, at + 1)
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
        return (start, end) if any(map(self.tells, range(start, end))) else (at, at)

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
            return self.is_variable(at) or self.is_word(at) or self.is_function(at)
        return token.kind in ("number", "raised", "operator", "list")

    def is_variable(self, at: int) -> bool:
        """A letter, or a cotangent: dx, dkernel. The letter a only where it can't be the article."""
        name = self.tokens[at].text.rstrip("'")
        if name in ("a", "A", "I"):
            before, after = self.tokens[max(at - 1, 0) : at], self.tokens[at + 1 : at + 2]
            sure = any(t.kind in ("operator", "close") or t.text in "([σ" for t in before + after)
            return name == "a" and (sure or any(t.kind == "number" for t in before))
        return len(name) == 1 or (len(name) == 2 and name[1].isdigit()) or self.is_cotangent(name)

    def is_cotangent(self, name: str) -> bool:
        """Of a letter or of one of the names: dx, ddx, dkernel."""
        of = name.lstrip("d")
        return len(name) > len(of) > 0 and (len(of) == 1 or of in NAMES) and name not in ("do", "down")

    def is_word(self, at: int) -> bool:
        token = self.tokens[at]
        return token.kind == "name" and token.text.rstrip("'") in NAMES and not self.is_variable(at)

    def is_function(self, at: int) -> bool:
        """A name that touches its bracket, as in W(c), or that everyone knows and that stands before a factor."""
        name, after = self.tokens[at], self.tokens[at + 1 : at + 2]
        if not after:
            return False
        if after[0].text == "(" and after[0].start == name.end:
            return True
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
        """Whether the first token of a run belongs to the sentence: "with stride s", "the cotangents (dx, dkernel)"."""
        token, after = self.tokens[at], self.tokens[at + 1] if at + 1 < end else None
        if after is None or after.kind in ("operator", "raised") or after.start == token.end:
            return False
        named = after.text in CLOSING or (at + 2 == end and len(after.text) == 1)
        behind_article = at > 0 and self.tokens[at - 1].text.lower() in _ARTICLES
        return token.text == "0" or (self.is_word(at) and (named or behind_article))

    def tells(self, at: int) -> bool:
        """Whether a token can stand in a formula only."""
        token = self.tokens[at]
        if token.kind == "name":
            return self.is_variable(at) or self.is_function(at)
        return token.kind == "raised" or token.text in (*_RELATIONS, "Σ", "∂", "√", "^", "+", "·", "⟨")
