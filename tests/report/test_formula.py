"""Formulas of docstrings: found in their prose, and typeset."""

import inspect
import re
from xml.etree import ElementTree

import pytest

from jaxcnn.ops import RULES
from jaxcnn.report import prose
from jaxcnn.report.formula import breakable, mathml


def shape(text):
    """MathML as nested tuples, without what only spaces: ("msub", "x", "i")."""

    def of(node):
        parts = [of(child) for child in node if child.tag != "mspace"]
        if not parts:
            return node.text
        return parts[0] if node.tag == "mrow" and len(parts) == 1 else (node.tag, *parts)

    return of(ElementTree.fromstring(mathml(text))[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[i]", ("msub", "x", "i")),
        ("dkernel[i]", ("msub", "dkernel", "i")),
        ("dx[i]", ("msub", ("mrow", "d", "x"), "i")),
        ("x²", ("msup", "x", "2")),
        ("e⁻ˣ", ("msup", "e", ("mrow", "−", "x"))),
        ("x[i]^p", ("msubsup", "x", "i", "p")),
        ("e^(-x²/2)", ("msup", "e", ("mrow", "−", ("msup", "x", "2"), "/", "2"))),
        ("e^-|z|", ("msup", "e", ("mrow", "−", ("mrow", "|", "z", "|")))),
        ("√(2π)", ("msqrt", ("mrow", "2", "π"))),
        ("1/m", ("mfrac", "1", "m")),
        ("∂y / ∂x[i]", ("mfrac", ("mrow", "∂", "y"), ("mrow", "∂", ("msub", "x", "i")))),
        ("W / (a + b) c", ("mrow", ("mfrac", "W", ("mrow", "a", "+", "b")), "c")),
        ("a / (b) (c)", ("mrow", ("mfrac", "a", "b"), ("mrow", "(", "c", ")"))),
        ("(a) (b) / c", ("mrow", ("mrow", "(", "a", ")"), ("mfrac", "b", "c"))),
        ("e / Σ_k x[k]", ("mfrac", "e", ("mrow", ("munder", "∑", "k"), ("msub", "x", "k")))),
        ("Σ_{o: q wins o} y", ("mrow", ("munder", "∑", ("mrow", "o", ":", "q", "wins", "o")), "y")),
        ("max_t x[t]", ("mrow", ("munder", "max", "t"), ("msub", "x", "t"))),
        ("P_lo", ("msub", "P", "lo")),
        ("c Πwindow", ("mrow", "c", "∏", "window")),
        ("x̂", ("mover", "x", "^")),
        ("5e-4 x", ("mrow", "5e-4", "x")),
        ("log_p[k]", ("msub", "log_p", "k")),
        ("f'(d)", ("mrow", ("mrow", "f", "′"), ("mrow", "(", "d", ")"))),
        ("|v| <= d", ("mrow", ("mrow", "|", "v", "|"), "≤", "d")),
    ],
)
def test_a_formula_is_typeset(text, expected):
    assert shape(text) == expected


@pytest.mark.parametrize("text", ["(a", "a)", "x[i", "x /", "x^", "√", "⟨x, y)"])
def test_half_a_formula_is_refused(text):
    with pytest.raises(ValueError, match=f"^formula {re.escape(repr(text))}: .*\\.$"):
        mathml(text)


def test_what_is_typeset_is_whole_and_escaped():
    assert 'alttext="0 &lt; x"' in mathml("0 < x") and "<mo>&lt;</mo>" in mathml("0 < x")
    assert mathml("x", display=True).startswith('<math display="block"')


@pytest.mark.parametrize(
    ("text", "display", "lines"),
    [
        ("x = y + z", False, ["x = y + z"]),
        ("dx[i] = r (a - b) + c[i = 1]", False, ["dx[i] =", "r (a - b) +", "c[i = 1]"]),
        ("dx[i] = r (a - b) + c[i = 1]", True, ["dx[i]", "= r (a - b)", "+ c[i = 1]"]),
        ("-a - b/c = |x - y| e^(-x - y)", False, ["-a -", "b/c =", "|x - y| e^(-x - y)"]),
    ],
)
def test_a_long_formula_may_be_broken(text, display, lines):
    parts = breakable(text, display=display).split("<wbr>")
    assert [ElementTree.fromstring(part).get("alttext") for part in parts] == lines
    assert all(len(parts) == 1 or '<mo form="infix">' in part for part in (parts[1:] if display else parts[:-1]))
    whole = "".join(ElementTree.fromstring(mathml(text)).itertext())
    assert "".join("".join(ElementTree.fromstring(part).itertext()) for part in parts) == whole


def test_punctuation_stays_with_its_formula():
    assert breakable("x = y,") == f'<span class="whole">{mathml("x = y")},</span>'
    first, _, last = breakable("dx[i] = r (a - b - c d):").partition("<wbr>")
    assert first == mathml("dx[i] =").replace("<mo>", '<mo form="infix">')
    assert last == f'<span class="whole">{mathml("r (a - b - c d)")}:</span>'


@pytest.mark.parametrize(
    ("text", "formulas"),
    [
        ("with axis=1, or groups = 1; x=1", ["= 1", "x=1"]),
        ("so conv is dense(unfold(x, 2), rows) or jnp.exp(x), x.shape", []),
        ("a (low, high) pair, a (x + 1)", ["a (x + 1)"]),
        ("with 0 log 0 = 0", ["0 log 0 = 0"]),
        ("has tanh's slope 1 - σ²", ["1 - σ²"]),
        ("- γ r x̂ mean(dy x̂)", ["- γ r x̂ mean(dy x̂)"]),
        ("The cotangents (dx, dkernel) of a layer", ["(dx, dkernel)"]),
        ("with stride s and dilation d, and", ["s", "d"]),
        ("else slope dy; at 0 the derivative is the slope.", ["slope dy"]),
        ("y = a σ(b), x = (a, b).", ["y = a σ(b)", "x = (a, b)"]),
        ("a unit that is off learns nothing", []),
        ("Far from 0 Φ is 0 or 1", ["Φ"]),
        ("t = tanh u, u = √(2/π) (x + a x³)", ["t = tanh u", "u = √(2/π) (x + a x³)"]),
        ("W(c) = c - 1, ..., c + 1 it lies in", ["W(c) = c - 1, ..., c + 1"]),
        ("the p-norm of a kernel rotated by 180°", []),
        ("so dx[q] = Σ_{o: q in o} dy[o] / m[o]: each", ["dx[q] = Σ_{o: q in o} dy[o] / m[o]"]),
        ("batch_norm(x) and x's entries, dy's", ["batch_norm(x)"]),
        ("in section 3.1, equation 5", []),
        ("is √(2/π) (1 + 3 a x²).", ["√(2/π) (1 + 3 a x²)"]),
    ],
)
def test_formulas_are_found_in_prose(text, formulas):
    parts = list(prose.split(text))
    assert "".join(part for _, part in parts) == text
    assert [part for typeset, part in parts if typeset] == formulas


DERIVATIONS = {rule.backward.__doc__: name for name, rule in RULES.items()}


@pytest.mark.parametrize("docstring", DERIVATIONS, ids=DERIVATIONS.values())
def test_every_derivation_is_typeset_and_nothing_of_it_is_left(docstring):
    text = re.sub(r'`[^`]*`|"[^"]*"|^ *\* ', " ", inspect.cleandoc(docstring), flags=re.MULTILINE)
    for paragraph in text.split("\n\n"):
        left = ""
        for typeset, part in prose.split(" ".join(paragraph.split())):
            if typeset:
                ElementTree.fromstring(mathml(part))
            else:
                assert part.strip() != "a"  # a variable, between two halves of a formula
                left += part
        assert not re.search(r"[=Σ√∂^≈⟨⟩²³ˣ_]|\b[a-z]\[| [-+/<>] ", left), left
