"""The command's process is started anew, once and as it was, where glibc can be told to ask for huge pages."""

import json
import os
import signal
import subprocess
import sys

import pytest

from jaxcnn.cli import huge_pages

# What a process is after `ask`: said once, by the one that goes on.
SAY = (
    "import json, os, sys\n"
    "from jaxcnn.cli import huge_pages\n"
    "with open('starts', 'a') as file: file.write('x')\n"
    "huge_pages.ask()\n"
    "said = dict(tunables=os.environ.get('GLIBC_TUNABLES'), argv=sys.argv, pid=os.getpid(), by=huge_pages.by_itself,\n"
    "            stdin=sys.stdin.read(), warn=sys.warnoptions, x=sys._xoptions,\n"
    "            left='JAXCNN_STARTED_ANEW' in os.environ)\n"
    "print(json.dumps(said))\n"
)


def glibc_asks():
    """Whether it does here, by other means than the module's: Linux by madvise, and glibc new enough."""
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION").split()
        return huge_pages.ENABLED.read_text().find("[madvise]") >= 0 and [*map(int, library[1].split("."))] >= [2, 35]
    except (OSError, ValueError, AttributeError):
        return False


on_glibc = pytest.mark.skipif(not glibc_asks(), reason="glibc asks for no huge pages here")


@pytest.fixture
def started(tmp_path):
    """Run `SAY` as a script or a module: what it said, how often it was started, and its pid as the shell knows it."""
    (tmp_path / "said.py").write_text(SAY)

    def run(*python, told=None, **environment):
        (tmp_path / "starts").unlink(missing_ok=True)
        env = {name: value for name, value in os.environ.items() if name not in ("GLIBC_TUNABLES", "JAX_PLATFORMS")}
        env |= environment | ({} if told is None else {"GLIBC_TUNABLES": told})
        command = [sys.executable, *python, "one", "two words"]
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=tmp_path, env=env | {"PYTHONPATH": os.getcwd()}, **pipe)
        out, _ = process.communicate("of the pipe")
        said = json.loads(out)
        assert said["pid"] == process.pid and said["stdin"] == "of the pipe" and not said["left"]
        assert said["argv"][1:] == ["one", "two words"] and process.returncode == 0
        return said, len((tmp_path / "starts").read_text())

    return run


@on_glibc
@pytest.mark.parametrize(
    "how", [("said.py",), ("-m", "said"), ("-X", "dev", "-W", "error::DeprecationWarning", "said.py")]
)
def test_it_is_started_anew_once_as_it_was(started, how):
    said, starts = started(*how)
    assert (said["tunables"], said["by"], starts) == ("glibc.malloc.hugetlb=1", True, 2)
    assert ("dev" in said["x"], "error::DeprecationWarning" in said["warn"]) == (len(how) > 2,) * 2


@on_glibc
def test_what_glibc_was_told_already_stays(started):
    assert started("said.py", told="glibc.malloc.arena_max=1")[0]["tunables"] == (
        "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1"
    )
    assert started("said.py", told="")[0]["tunables"] == "glibc.malloc.hugetlb=1"


@pytest.mark.parametrize("told", ["glibc.malloc.hugetlb=0", "glibc.malloc.hugetlb=1", "glibc.malloc.hugetlb=2"])
def test_who_decides_about_huge_pages_is_heard(started, told):
    said, starts = started("said.py", told=told)
    assert (said["tunables"], said["by"], starts) == (told, False, 1)


@pytest.mark.parametrize(
    "how, environment",
    [
        (("-m", "cProfile", "-o", "profile", "said.py"), {}),  # it would lose what it has measured
        (("said.py",), {"JAX_PLATFORMS": "cuda"}),
        (("said.py",), {"GLIBC_TUNABLES": "x" * (2**17 - 16)}),  # Linux's longest
    ],
    ids=["profiled", "on a GPU", "no room for more"],
)
def test_it_goes_on_as_it_is_where_that_is_better(started, how, environment):
    said, starts = started(*how, **environment)
    assert (said["by"], starts) == (False, 1)


@pytest.mark.parametrize(
    "enabled, library, told, given",
    [
        ("always [madvise] never", "glibc 2.36", "", "small"),
        ("always [madvise] never", "glibc 2.36", "glibc.malloc.hugetlb=1", "asked"),
        ("always [madvise] never", "glibc 2.34", "", "never"),
        ("[always] madvise never", "glibc 2.31", "", "always"),
        ("always madvise [never]", "glibc 2.36", "glibc.malloc.hugetlb=1", "never"),
        ("always [madvise] never", None, "", "never"),
        (None, "glibc 2.36", "", "never"),
    ],
)
def test_what_large_arrays_get(monkeypatch, tmp_path, enabled, library, told, given):
    if enabled is not None:
        (tmp_path / "enabled").write_text(enabled)
    monkeypatch.setattr(huge_pages, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(os, "confstr", lambda name: library, raising=False)
    monkeypatch.setenv("GLIBC_TUNABLES", told)
    assert huge_pages.given() == given


def test_without_python_s_own_path_nothing_is_started(monkeypatch):
    monkeypatch.setattr(huge_pages, "given", lambda: "small")
    monkeypatch.delenv("GLIBC_TUNABLES", raising=False)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(huge_pages, "_watched", lambda: False)
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("started anew"))
    huge_pages.ask()


@on_glibc
def test_the_command_does_and_main_does_not():
    def doctor(*python):
        env = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"} | {"JAX_PLATFORMS": "cpu"}
        return subprocess.run([sys.executable, *python], env=env, capture_output=True, text=True, check=True).stdout

    assert "memory     large arrays are on huge pages, which this command asks for\n" in doctor(
        "-m", "jaxcnn", "doctor"
    )
    called = doctor("-c", "from jaxcnn.cli.main import main; main(['doctor'])")
    assert "large arrays are on small pages" in called


@on_glibc
def test_ctrl_c_is_heard_after_it(tmp_path):
    program = (
        "import time\nfrom jaxcnn.cli import huge_pages\nhuge_pages.ask()\nprint('on', flush=True)\ntime.sleep(60)\n"
    )
    (tmp_path / "waits.py").write_text(program)
    env = {name: value for name, value in os.environ.items() if name != "GLIBC_TUNABLES"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, tmp_path / "waits.py"], env=env | {"PYTHONPATH": os.getcwd()}, **pipes)
    assert process.stdout.readline() == "on\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert "KeyboardInterrupt" in errors
