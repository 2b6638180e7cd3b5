"""Ctrl-C and its like: the first asks, the second aborts; and for real, on a process."""

import os
import re
import signal
import subprocess
import sys
import threading

import pytest

from jaxcnn.cli.main import main
from jaxcnn.train.interrupt import Stopped, on_interrupt
from jaxcnn.train.restore import restore
from tests.train.tiny import STEPS, config


@pytest.fixture(autouse=True)
def not_ignored():
    """SIGHUP as in a terminal, though the tests be run by `nohup`, which has it ignored: children inherit that."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_asks_and_the_second_aborts(capfd, number):
    before = signal.getsignal(number)
    with pytest.raises(Stopped), on_interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(number)
        assert interrupt.requested and interrupt.exit_code == 128 + number
        asked = "\nstopping after this step" + "; press Ctrl-C again to stop at once" * (number == signal.SIGINT) + "\n"
        assert capfd.readouterr().err == asked
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_before_there_is_something_to_save_the_first_stops_at_once(capfd, number):
    with pytest.raises(Stopped, match="stopped before the first step") as caught, on_interrupt(begun=False):
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number and capfd.readouterr().err == ""
    with on_interrupt(begun=False) as interrupt:
        interrupt.begin()
        signal.raise_signal(number)
        assert interrupt.requested


@pytest.mark.filterwarnings("ignore:Exception ignored in")
def test_a_request_whose_exception_python_has_dropped_stops_before_the_first_step():
    class Dropping:
        def __del__(self):
            signal.raise_signal(signal.SIGTERM)

    with on_interrupt(begun=False) as interrupt:
        Dropping()
        with pytest.raises(Stopped, match="stopped before the first step") as caught:
            interrupt.begin()
    assert caught.value.exit_code == 143


def test_one_inside_another_is_the_same():
    with on_interrupt() as outer, on_interrupt() as inner:
        signal.raise_signal(signal.SIGINT)
        assert inner is outer and inner.requested


def test_a_thread_that_may_not_handle_signals_goes_on():
    seen = []

    def body():
        with on_interrupt() as interrupt:
            seen.append(interrupt.requested)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [False]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_is_ignored_stays_ignored(number):
    """As under `&` and `nohup`."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with on_interrupt(begun=False) as interrupt:
            signal.raise_signal(number)
            assert not interrupt.requested and signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def interrupted(command, at, program=("-m", "tests.train.tiny"), by=signal.SIGINT):
    """(exit code, stdout, stderr) of a process that gets a signal when it prints a line that starts with `at`."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, *program, *command], **pipes)
    seen = ""
    for line in process.stdout:
        seen += line
        if re.match(at, line):
            process.send_signal(by)
            break
    output, errors = process.communicate()
    return process.returncode, seen + output, errors


def test_a_signal_at_the_first_sign_of_life_leaves_a_usable_run(tmp_path):
    out = tmp_path / "run"
    command = config(out, epochs=30).command().split()[1:]
    code, output, errors = interrupted(command, at="tiny, ", by=signal.SIGTERM)
    assert code == 143, errors
    step = int(re.search(r"stopped after step (\d+); go on with: jaxcnn .*--resume\n", output)[1])
    assert step < 30 * STEPS and restore(out).state.step == step
    assert errors == "\nstopping after this step\n"


def test_a_terminal_that_is_closed_leaves_a_usable_run(tmp_path):
    out = tmp_path / "run"
    command = config(out, epochs=30_000).command().split()[1:]
    program = (
        "import fcntl, sys, termios\n"
        "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"  # the process's own terminal, whose end it is told
        "from tests.train import tiny\n"
        "from jaxcnn.cli.main import main\n"
        "main(sys.argv[1:])\n"
    )
    terminal, its = os.openpty()
    arguments = [sys.executable, "-c", program, *command]
    process = subprocess.Popen(arguments, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    seen, metrics = b"", out / "metrics.jsonl"
    while b"epoch " not in seen or not metrics.exists() or not metrics.stat().st_size:  # the bar, and an epoch's end
        assert process.poll() is None, seen.decode()
        seen += os.read(terminal, 1000)
    os.close(terminal)
    assert process.wait() == 129, seen.decode()
    assert restore(out).state.step >= STEPS


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_data_is_read_ends_it_at_once_and_leaves_nothing(tmp_path, by):
    program = (
        "import sys, time\n"
        "from tests.train import tiny\n"
        "from jaxcnn import data\n"
        "from jaxcnn.cli.main import main\n"
        "load = data.load\n"  # goes on, since Python drops what a handler raises in a destructor
        "data.load = lambda *a, **k: print('reading', flush=True) or time.sleep(20) or load(*a, **k)\n"
        "main(sys.argv[1:])\n"
    )
    command = config(tmp_path / "run").command().split()[1:]
    code, _, errors = interrupted(command, at="reading", program=("-c", program), by=by)
    assert (code, errors) == (128 + by, "error: stopped before the first step; the run folder is as it was.\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_on_a_process_leaves_a_usable_run_that_resumes(tmp_path, capfd):
    out = tmp_path / "run"
    code, output, errors = interrupted(config(out, epochs=30).command().split()[1:], at=r" +2  ")
    assert code == 130, errors
    resume = re.search(r"stopped after step (\d+); go on with: jaxcnn (.*--resume)\n", output)
    step = int(resume[1])
    assert 2 * STEPS <= step < 30 * STEPS and restore(out).state.step == step
    assert f"run folder {out}" in output

    for words, said in [
        (["eval", str(out)], r"\ntest accuracy 0\.\d{4}\n"),
        (resume[2].split(), rf"resumed after step {step}\n"),
    ]:
        with pytest.raises(SystemExit) as end:
            main(words)
        output, errors = capfd.readouterr()
        assert end.value.code == 0 and re.search(said, output), errors
    assert restore(out).state.step == 30 * STEPS
