"""Ctrl-C ends the command without a traceback, whenever it is pressed: before its door listens, and after it, too."""

import os
import subprocess
import sys

import pytest

from tests.cli.test_huge_pages import on_glibc

PRESSED = "import signal\nsignal.raise_signal(signal.SIGINT)\n"
COMMANDS = [
    (sys.executable, "-m", "jaxcnn"),
    (sys.executable, "-c", "from jaxcnn.__main__ import command; command()"),  # as the script that pip makes
]


def pressed(folder, module, program=PRESSED, command=COMMANDS[0], **environment):
    """`jaxcnn models`, with a module of one's own in a folder: exit code, stdout and stderr."""
    (folder / f"{module}.py").write_text(program)
    environment = os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{os.getcwd()}"} | environment
    done = subprocess.run([*command, "models"], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=["module", "script"])
@pytest.mark.parametrize("module", ["tyro", "jax"])  # of the first that main imports, and the last before it works
def test_while_it_imports(tmp_path, module, command):
    assert pressed(tmp_path, module, command=command) == (130, "", "error: stopped.\n")


def test_what_a_library_makes_of_it_is_heard(tmp_path):
    lost = "try:\n    import signal; signal.raise_signal(signal.SIGINT)\nexcept BaseException:\n    pass\n"
    assert pressed(tmp_path, "tyro", lost) == (130, "", "error: stopped.\n")
    assert pressed(tmp_path, "tyro", "raise KeyboardInterrupt") == (130, "", "error: stopped.\n")


@on_glibc
def test_while_python_starts_anew(tmp_path):
    started = f"import os\nif 'JAXCNN_STARTED_ANEW' in os.environ:\n    {'; '.join(PRESSED.splitlines())}\n"
    environment = {"GLIBC_TUNABLES": "", "JAX_PLATFORMS": "cpu"}
    assert pressed(tmp_path, "sitecustomize", started, **environment) == (130, "", "error: stopped.\n")


def test_while_python_ends(tmp_path):
    code, out, err = pressed(
        tmp_path, "sitecustomize", "import atexit, signal\natexit.register(signal.raise_signal, signal.SIGINT)\n"
    )
    assert (code, err) == (130, "error: stopped.\n") and "resnet20" in out


def test_where_it_is_ignored_it_stays_so(tmp_path):
    ignored = "import atexit, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code, _, err = pressed(tmp_path, "sitecustomize", f"{ignored}atexit.register(signal.raise_signal, signal.SIGINT)\n")
    assert (code, err) == (0, "")
