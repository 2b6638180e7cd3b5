"""Pages that show a file of the repository, or a section of it: a line `{{ README.md#Functions }}`."""

import re
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent.parent
PAGES = {  # the repository's pages that are pages here, too
    "README.md": "index",
    "jaxcnn/DESIGN.md": "design",
    "experiments": "results",
    "experiments/README.md": "results",
    "experiments/BENCHMARKS.md": "benchmarks",
    "experiments/LOG.md": "log",
    "experiments/faults.md": "faults",
}


_LINE = re.compile(r"^\{\{ ([\w./-]+)(?:#(.+))? \}\}$", re.MULTILINE)
_RELATIVE = re.compile(r"(?<=\]\()(?!https?:|#)([^)\s#]+)")


def included(app: "Sphinx", page: str, source: list[str]) -> None:
    """Put the text in the place of such lines, and have the page made again when the file changes."""
    for line in _LINE.finditer(source[0]):
        app.env.note_dependency(str(ROOT / line[1]))
    source[0] = expanded(page, source[0])


def expanded(page: str, text: str) -> str:
    """A page's text with what it includes. Raises ValueError for a section that there is not."""
    return _LINE.sub(lambda line: _text(page, line[1], line[2]), text)


def _text(page: str, name: str, section: str | None) -> str:
    file = ROOT / name
    text = file.read_text() if section is None else _section(name, file.read_text(), section)
    return _RELATIVE.sub(lambda link: _link(file.parent, link[1], page), text)


def _section(name: str, text: str, title: str) -> str:
    """What stands below a heading, up to the next one."""
    found = re.search(rf"^##+ {re.escape(title)}\n(.*?)(?=^##+ |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{name} has no section {title!r}.")
    return found[1]


def _link(folder: Path, target: str, page: str) -> str:
    """A link of the repository as one of the page: to a page, or to the file, which can be downloaded."""
    path = relpath(folder / target, ROOT)
    there = ROOT / "docs" / f"{PAGES[path]}.md" if path in PAGES else ROOT / path
    return relpath(there, (ROOT / "docs" / page).parent)
