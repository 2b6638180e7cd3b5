"""Docstrings taken apart: their blocks, and in a line code, emphasis and formulas."""

import inspect
import re

import pytest

from jaxcnn.ops import RULES
from jaxcnn.report.docstring import blocks, pieces
from jaxcnn.report.operations import FAMILIES, derivations, family, operation_of
from jaxcnn.report.show.examples import EXAMPLES
from jaxcnn.verify import catalog
from jaxcnn.verify.catalog import faults
from jaxcnn.verify.checks import FULL


def test_a_docstring_has_blocks():
    told = blocks(
        """It is one,
        and two. Source: A 1999, "B".

            y = x  z
              + 1

            no formula

        >>> f(x)  # doctest: +SKIP

        * this
          one
        * that

        Args:
          x: an
            image.
          y, z: b.

        Returns: y: all of it.
        Raises: ValueError.""".replace("\n" + 8 * " ", "\n")
    )
    assert [(block.kind, block.heading, block.texts) for block in told] == [
        ("paragraph", "", ["It is one, and two."]),
        ("paragraph", "Source", ['A 1999, "B".']),
        ("indented", "", ["y = x  z", "  + 1"]),
        ("indented", "", ["no formula"]),
        ("session", "", [">>> f(x)"]),
        ("bullets", "", ["this one", "that"]),
        ("arguments", "Args", ["an image.", "b."]),
        ("paragraph", "Returns", ["y: all of it."]),
        ("paragraph", "Raises", ["ValueError."]),
    ]
    assert [block.is_formula for block in told[2:4]] == [True, False]
    assert told[6].terms == ("x", "y, z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "dkernel[k] = -Σ_p e^-x of `log_p - 1` -> 1-d",
            ["formula dkernel[k] = -Σ_p e^-x", "text  of ", "code log_p - 1", "text  -> 1-d"],
        ),
        ("is *not* (n, *spatial)", ["text is ", "emphasis not", "text  (", "formula n,", "text  *spatial)"]),
        ("-1 to 1, cross-entropy - -log of it", ["text −1 to 1, cross-entropy − −log of it"]),
        ("x = 1, y.", ["formula x = 1,", "text  ", "formula y."]),
        ("x-axis, `a`-wise", ["text x-axis, ", "code a", "text -wise"]),
    ],
)
def test_a_line_has_pieces(text, expected):
    assert [f"{kind} {part}" for kind, part in pieces(text)] == expected


def test_without_formulas_text_stays_as_it_is():
    assert pieces("x - `y`", formulas=False) == [("text", "x - "), ("code", "y")]


SHOWN = [text for made in RULES.values() for block in blocks(inspect.getdoc(made)) for text in block.texts]
SHOWN += [shown.look for shown in EXAMPLES.values()] + [fault.cause for fault in faults.FAULTS]
SHOWN += [inspect.getdoc(check) for check in FULL.values()]


def test_no_mathematics_is_left_in_what_a_page_tells():
    """As far as it can't stand in a sentence: not the = of an argument, nor the / of a shape."""
    for text in SHOWN:
        left = "".join(part if kind == "text" else "§" for kind, part in pieces(text))
        assert not re.search(r"[Σ√∂^≈≠⟨⟩²³ˣ`]|\b[a-z]\[|§[=+<>]|[=+<>]§", left), left


def test_every_family_has_a_title():
    assert sorted(FAMILIES) == sorted(catalog.FAMILIES)
    assert family(RULES["max_pool"]) == "pool" and family(family) == ""


@pytest.mark.parametrize(
    ("code", "name"),
    [("conv", "conv"), ("ops.conv", "conv"), ("conv.backward", "conv"), ("conv.forward", None), ("Conv", None)],
)
def test_code_may_name_an_operation(code, name):
    assert operation_of(code) == name


def test_a_derivation_is_the_backward_and_what_it_refers_to():
    assert [name for name, _ in derivations(RULES["group_norm"])] == ["group_norm.backward", "standardized_back"]
    assert [function for _, function in derivations(RULES["relu"])] == [RULES["relu"].backward]
