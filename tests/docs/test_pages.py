"""What the documentation's pages tell one to type: Python runs as it stands, and commands are commands."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from jaxcnn.cli import main
from jaxcnn.ops.rule import RULES

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
sys.path.append(str(DOCS))

from extension import includes  # noqa: E402
from extension.docstrings import as_rst  # noqa: E402

PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
WITH_CODE = [page for page in PAGES if "```python" in (DOCS / page).read_text()]


def blocks(text, *languages):
    return re.findall(rf"```(?:{'|'.join(languages)})\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize("page", WITH_CODE)
def test_python_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = dict(RULES)
    try:
        names = {"__name__": page}
        for block in blocks(includes.expanded(page, (DOCS / page).read_text()), "python"):
            exec(compile(block, page, "exec"), names)
    finally:
        RULES.clear()
        RULES.update(before)
    assert list(tmp_path.iterdir()) == []


COMMANDS = [
    line
    for file in (ROOT / "README.md", *(DOCS / page for page in PAGES))
    for block in blocks(file.read_text(), "sh", "bash")
    for line in re.sub(r"\\\n\s*", "", block).splitlines()
    if line.removeprefix("srun ").startswith("jaxcnn ")
]


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_commands(line):
    words = shlex.split(line.removeprefix("srun "), comments=True)
    assert type(main.sweep.parsed(words[1:], main.parse)) in main.RUN


def test_an_unknown_section_ends_the_build():
    with pytest.raises(ValueError, match=r"README\.md has no section 'Elsewhere'"):
        includes.expanded("index", "{{ README.md#Elsewhere }}")


def test_links_of_the_repository_become_those_of_the_site():
    text = includes.expanded("guide/training", "{{ README.md#Training }}")
    assert "](../faults.md)" in text and "](experiments" not in text


@pytest.mark.parametrize(
    ("docstring", "rst"),
    [
        ("x (n, *spatial, c), and y_", r"x (n, \*spatial, c), and y\_"),
        (
            "As `conv` and `relu`s\nand `None`.",
            "As :py:func:`conv <jaxcnn.ops.conv>` and :py:func:`relu <jaxcnn.ops.relu>`\\ s and ``None``\\ .",
        ),
        ("See `conv.backward`.", "See :ref:`conv.backward <derivation-conv>`\\ ."),
        ("Args:\n  x: an\n    image.\n  y, z: b.", "**x**\n    an image.\n\n**y, z**\n    b."),
        ("It is.\nRaises: ValueError.", "It is.\n\n**Raises:** ValueError."),
        ("Such as:\n\n    f(x)", "Such as:\n\n.. code-block:: python\n\n    f(x)"),
        ("Such as:\n\n    a  b", "Such as:\n\n.. code-block:: text\n\n    a  b"),
        ("* one,\n  more\n* two", "* one, more\n* two"),
    ],
)
def test_docstrings_become_restructured_text(docstring, rst):
    assert as_rst(docstring).rstrip() == rst


def test_formulas_become_mathematics():
    text = "So dx = 2 x dy at 0:\n\n    dx[q] = Σ_p dy[p]"
    assert as_rst(text, formulas=True) == "So :math:`dx = 2 x dy` at 0:\n\n.. math::\n\n    dx[q] = Σ_p dy[p]\n"
