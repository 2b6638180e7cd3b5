"""What the command prints on consoles that lack characters, and into a pipe that nobody reads."""

import io
import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

from jaxcnn.cli.main import RUN, main
from jaxcnn.cli.summary import SummaryOptions
from tests.train.tiny import config


@pytest.fixture
def console(monkeypatch):
    """Run the command on a console of an encoding: (exit code, stdout, stderr), both as that console shows them."""

    def run(encoding, *arguments):
        streams = [io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2)]
        monkeypatch.setattr(sys, "stdout", streams[0])
        monkeypatch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit) as exit:
            main([str(argument) for argument in arguments])
        return exit.value.code, *(stream.buffer.getvalue().decode(encoding) for stream in streams)

    return run


@pytest.mark.parametrize(
    ("encoding", "rule", "sizes"),
    [
        ("utf-8", "┏━", "28×28×6"),
        ("cp437", "├─", "28x28x6"),
        ("cp1252", "+-", "28×28×6"),
        ("ascii", "+-", "28x28x6"),
    ],
)
def test_a_table_is_drawn_with_what_the_console_has(console, encoding, rule, sizes):
    code, out, err = console(encoding, "summary", "lenet5", "--input", "28,28,1")
    assert (code, err) == (0, "")
    assert sizes in out and "?" not in out and re.search(rf"^{re.escape(rule)}", out, re.M)
    rows = [line for line in out.splitlines() if re.match("[│┃|]", line)]
    assert len(rows) > 12 and len({len(row) for row in rows}) == 1, "the columns are no longer straight"


@pytest.mark.parametrize(("encoding", "command"), [("cp1252", "eval"), ("ascii", "check")])
def test_commands_on_a_run(console, trained, tmp_path, encoding, command):
    shutil.copytree(trained.run.path, tmp_path / "run")
    code, out, err = console(encoding, command, tmp_path / "run")
    assert (code, err) == (0, "")
    assert "?" not in out and re.search(r"^[|+]", out, re.M)


def test_training_on_an_ascii_console(console, tmp_path):
    code, out, err = console("ascii", *config(tmp_path / "run", epochs=1).command().split()[1:])
    assert (code, err) == (0, "")
    assert "8x8x1, 10 classes" in out and out.endswith("/run/report.html\n")


@pytest.mark.parametrize("command", [(), *[(name,) for name in ("train", "bench", "verify")]])
def test_help_on_an_ascii_console(console, command):
    code, out, _ = console("ascii", *command, "--help")
    assert code == 0 and "usage: jaxcnn" in out and "?" not in out


def test_an_error_keeps_its_line_on_an_ascii_console(console):
    code, out, err = console("ascii", "eval", "/nowhere/日本-é-\udcff")
    assert (code, out) == (2, "")
    assert err.startswith("error: /nowhere/??-e-? is not a run folder") and err.count("\n") == 1


@pytest.mark.parametrize(
    ("closed", "arguments"),
    [
        ("stdout", ("summary", "lenet5", "--input", "28,28,1")),
        ("stdout", ("--help",)),
        ("stdout", ("eval", "RUN")),
        ("stderr", ("eval", "/nowhere")),
    ],
)
def test_a_pipe_that_nobody_reads_ends_the_command_in_silence(trained, monkeypatch, capfd, closed, arguments):
    """As `jaxcnn ... | head -1`, but the pipe is closed before the first line."""
    read, write = os.pipe()
    os.close(read)
    words = [str(trained.run.path) if word == "RUN" else word for word in arguments]
    with open(write, "w") as pipe:
        monkeypatch.setattr(sys, closed, pipe)
        with pytest.raises(SystemExit) as exit:
            main(words)
    assert exit.value.code == 141
    assert capfd.readouterr() == ("", "")


def test_python_itself_says_nothing_of_a_closed_pipe():
    command = f"{sys.executable} -m jaxcnn --help | head -c 1"
    process = subprocess.run(["bash", "-c", f"{command}; exit ${{PIPESTATUS[0]}}"], capture_output=True, text=True)
    assert process.returncode in (0, 141)  # 0 where it wrote all before head was gone
    assert (len(process.stdout), process.stderr) == (1, "")


@pytest.mark.parametrize("redirected", ["2>&-", "2>/dev/full", ">&- 2>&-", ">/dev/full 2>/dev/full", "2>&- <&-"])
def test_what_stderr_cant_take_does_not_decide_the_exit_code(redirected):
    words = ["summary", "nope", "--input", "28,28,1"]
    command = shlex.join([sys.executable, "-m", "jaxcnn", *words])
    process = subprocess.run(["bash", "-c", f"{command} {redirected}"], capture_output=True, text=True)
    assert (process.returncode, process.stdout, process.stderr) == (2, "", "")


@pytest.mark.parametrize(
    ("unbuffered", "said"),
    [
        ("", "stdout can't be written (No space left on device); make room there, or send it elsewhere."),
        ("1", "stdout, or a file, can't be read or written (No space left on device)."),
    ],
)
def test_what_stdout_cant_take_is_told_in_words(monkeypatch, unbuffered, said):
    """Of a command that prints, of one that flushes on its way, and of one that fails besides."""
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    code = "from jaxcnn.cli import main, models; main.RUN[models.ModelsOptions] = lambda options: {}; "
    for run in ("print(1)", "print(1, flush=True)", "print(1) or int('x')"):
        command = [sys.executable, "-c", code.format(run) + "main.main(['models'])"]
        with open("/dev/full", "w") as full:
            process = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
        assert (process.returncode, process.stderr.splitlines()[-1]) == (2, f"error: {said}")
        assert "Traceback" not in process.stderr


def test_what_the_system_refuses_is_told_with_the_file(monkeypatch, capfd, tmp_path):
    monkeypatch.setitem(RUN, SummaryOptions, lambda options: (tmp_path / "none").read_text())
    with pytest.raises(SystemExit):
        main(["summary", "lenet5", "--input", "28,28,1"])
    said = f"error: {tmp_path}/none can't be read or written (No such file or directory).\n"
    assert capfd.readouterr() == ("", said)


def test_a_warning_that_stderr_cant_take_stops_nothing(monkeypatch):
    import warnings

    def warn(options):
        warnings.warn("nobody can read this", stacklevel=1)
        return 0

    monkeypatch.setitem(RUN, SummaryOptions, warn)
    with open("/dev/full", "w") as full, pytest.raises(SystemExit) as exit:
        monkeypatch.setattr(sys, "stderr", full)
        main(["summary", "lenet5", "--input", "28,28,1"])
    assert exit.value.code == 0
