"""The tables of "Coming from another library" name what there is, in jaxcnn and in the libraries installed."""

import functools
import importlib
import inspect
import os
import re
from pathlib import Path

import pytest

import jaxcnn
from tests.interop import libraries

SHORT = {"F": "torch.nn.functional", "nn": "torch.nn", "parametrizations": "torch.nn.utils.parametrizations"}
SHORT |= {"nnx": "flax.nnx"}
PAGES = Path(__file__).parent.parent.parent / "docs" / "coming-from"


def rows(page):
    """(their name, our name, the arguments' cell) of each row whose first cell is a name of theirs."""
    for line in (PAGES / page).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and re.fullmatch(r"`[\w.]+\.[\w.]+`", cells[0]):
            yield cells[0].strip("`"), cells[1].strip("`"), cells[2]


ROWS = [(page, *row) for page in ("pytorch.md", "flax.md", "keras.md") for row in rows(page)]


@functools.cache
def thing(name):
    """What the name stands for; the test is skipped where its library is not installed."""
    short, _, rest = name.partition(".")
    library, *parts = f"{SHORT.get(short, short)}.{rest}".split(".")
    os.environ.setdefault("KERAS_BACKEND", "jax")
    pytest.importorskip("torch" if library == "torchvision" else library)
    found, path = libraries.torchvision() if library == "torchvision" else importlib.import_module(library), library
    for part in parts:
        path += "." + part
        if not hasattr(found, part):
            importlib.import_module(path)
        found = getattr(found, part)
    return found


def check(of, argument):
    name, given, value = argument.partition("=")
    told = of.__init__ if inspect.isclass(of) and of.__init__ is not object.__init__ else of  # Flax's classes hide it
    found = inspect.signature(told).parameters
    assert name in found, f"{of} has no argument {name}, but {', '.join(found)}"
    if given:
        assert found[name].default == eval(value), argument


def test_the_tables_are_read():
    assert len(ROWS) > 100
    for page in ("pytorch.md", "flax.md", "keras.md"):
        text = (PAGES / page).read_text()
        assert text.count("→") == sum(cell.count("→") for of, _, _, cell in ROWS if of == page)


@pytest.mark.parametrize(("page", "theirs", "ours", "arguments"), ROWS, ids=[f"{o}-{t}" for _, t, o, _ in ROWS])
class TestEveryRow:
    def test_names_what_jaxcnn_has(self, page, theirs, ours, arguments):
        kind, name = ours.split(".")
        of = getattr(getattr(jaxcnn, kind), name)
        for argument in re.findall(r"→ `([^`]+)`", arguments):
            check(of, argument)

    def test_names_what_the_other_library_has(self, page, theirs, ours, arguments):
        of = thing(theirs)
        for argument in re.findall(r"`([^`]+)` →", arguments):
            check(of, argument)
