"""A network of the user's own: built from its file, or refused in one line that says why."""

import sys

import pytest

from jaxcnn import models
from jaxcnn.layers import Conv, Dense, Flatten, chain
from jaxcnn.models import custom

NET = """
from jaxcnn.layers import Dense, Flatten, chain

def net(classes=3):
    return chain(f=Flatten(), head=Dense(classes))
"""


@pytest.fixture
def file(tmp_path):
    def write(text, name="nets.py"):
        (tmp_path / name).write_text(text)
        return f"{tmp_path / name}:net"

    return write


def test_the_function_is_given_the_number_of_classes(file):
    assert models.create(file(NET), 7) == chain(f=Flatten(), head=Dense(7))
    assert models.create(file(NET)) == chain(f=Flatten(), head=Dense(3))


def test_a_copy_gives_the_same_network_and_is_not_run_again(file):
    text = """
from __future__ import annotations
from dataclasses import dataclass
from jaxcnn.layers.base import Function

@dataclass(frozen=True, repr=False)
class Half(Function):
    by: float = 0.5

    def forward(self, params, x):
        return x * self.by

def net(classes):
    return Half()
"""
    one, other, changed = (
        models.create(file(t, n), 2) for t, n in [(text, "a.py"), (text, "b.py"), (text + "#", "c.py")]
    )
    assert one == other and hash(one) == hash(other) and one != changed


def test_its_name_hides_no_module_and_nothing_is_written_beside_it(file, tmp_path):
    import json

    models.create(file(NET, "json.py"), 2)
    assert sys.modules["json"] is json and [path.name for path in tmp_path.iterdir()] == ["json.py"]


def test_a_class_will_do(file):
    assert models.create(file("from jaxcnn.layers import Conv as net\n"), 5) == Conv(5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"nets\.py has no function 'net'; it has none\.$"),
        ("from os import path\ndef nett(n): pass\ndef _net(n): pass\nX = 1", r"no function 'net'; it has nett\.$"),
        ("net = 3", r"nets\.py has no function 'net'"),
        ("def net(n):\n    return [n]", r"net in .*nets\.py returned \[4\]; expected a layer"),
        ("def net(n):\n    pass", "returned None; expected a layer"),
        ("def net(:", r"nets\.py: running it raised SyntaxError in line 1: invalid syntax\.$"),
        ("\0", "running it raised (SyntaxError|ValueError).*null bytes"),
        ("x = 1\nx / 0", r"nets\.py: running it raised ZeroDivisionError in line 2: division by zero\.$"),
        ("import sys\nsys.exit(3)", r"running it raised SystemExit in line 2: 3\.$"),
        ("def net(n):\n    return n.layers", r"net\(4\) raised AttributeError in line 2: 'int' object has no"),
        ("def net():\n    pass", r"net\(4\) raised TypeError: net\(\) takes 0 positional arguments but 1 was given\.$"),
        (
            "from jaxcnn.layers import Conv\n\ndef net(n):\n    return Conv(-n)",
            r"raised ValueError in line 4: Conv: feat",
        ),
        ("import no_such_thing", r"nets\.py imports 'no_such_thing', which is not installed\.$"),
        ("def net(n):\n    import no_such.thing", r"imports 'no_such', which is not installed\.$"),
        (
            "import beside",
            r"imports 'beside', which lies beside it: a run keeps a copy of nets\.py alone\. Put what it",
        ),
        ("from folder.part import x", r"imports 'folder', which lies beside it.*, or install 'folder'\.$"),
        ("from . import beside", "running it raised ImportError in line 1: attempted relative import"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(file, tmp_path, monkeypatch, text, message):
    (tmp_path / "beside.py").write_text("")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/part.py").write_text("x = 1")
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m jaxcnn` does with the working directory
    for _ in range(2):  # a file that failed is not remembered as one that did not
        with pytest.raises(ValueError, match=message) as caught:
            models.create(file(text), 4)
        assert "\n" not in str(caught.value) and str(caught.value).startswith("create: ")
    assert not [name for name in sys.modules if name in ("beside", "folder")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nets.py", r"model is 'nets\.py'; expected FILE\.py:FUNCTION, such as nets\.py:net"),
        ("nets.py:", "expected FILE.py:FUNCTION"),
        ("nets.py:a b", "expected FILE.py:FUNCTION"),
        ("no/nets.py:net", r"but no/nets\.py can't be read \(No such file or directory\)"),
        ("lenet.pyy", "model is 'lenet.pyy'. Did you mean 'lenet5'"),
    ],
)
def test_what_is_no_file_is_told(name, message):
    with pytest.raises(ValueError, match=message):
        models.create(name, 3)


def test_the_home_folder_is_known(file, tmp_path, monkeypatch):
    file(NET)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert custom.read("~/nets.py:net").network(2) == chain(f=Flatten(), head=Dense(2))
