"""Ctrl-C: the first asks, the second aborts; and for real, on a process."""

import re
import signal
import subprocess
import sys
import threading

import pytest

from jaxcnn.train.interrupt import on_interrupt
from jaxcnn.train.restore import restore
from tests.train.tiny import STEPS, config


def test_the_first_asks_and_the_second_aborts(capfd):
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), on_interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        assert "press Ctrl-C again to stop at once" in capfd.readouterr().err
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


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


def test_what_is_ignored_stays_ignored():
    """As under `nohup` and `&`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with on_interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            assert not interrupt.requested and signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


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


def test_ctrl_c_while_the_data_is_read_leaves_nothing(tmp_path):
    program = (
        "import sys, time\n"
        "from tests.train import tiny\n"
        "from jaxcnn import data\n"
        "from jaxcnn.cli.main import main\n"
        "load = data.load\n"
        "data.load = lambda *a, **k: print('reading', flush=True) or time.sleep(1) or load(*a, **k)\n"
        "main(sys.argv[1:])\n"
    )
    command = config(tmp_path / "run").command().split()[1:]
    code, _, errors = interrupted(command, at="reading", program=("-c", program))
    assert code == 130
    assert errors.endswith("error: stopped before the first step; the run folder is as it was.\n")
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_on_a_process_leaves_a_usable_run_that_resumes(tmp_path):
    out = tmp_path / "run"
    command = config(out, epochs=30).command().split()[1:]
    jaxcnn = [sys.executable, "-m", "tests.train.tiny"]
    code, output, errors = interrupted(command, at=r" +2  ")
    assert code == 130, errors
    resume = re.search(r"stopped after step (\d+); go on with: jaxcnn (.*--resume)\n", output)
    step = int(resume[1])
    assert 2 * STEPS <= step < 30 * STEPS and restore(out).state.step == step
    assert f"run folder {out}" in output

    run = [*jaxcnn, "eval", str(out)]
    evaluated = subprocess.run(run, capture_output=True, text=True)
    assert evaluated.returncode == 0 and re.search(r"\ntest accuracy 0\.\d{4}\n", evaluated.stdout), evaluated.stderr

    resumed = subprocess.run([*jaxcnn, *resume[2].split()], capture_output=True, text=True)
    assert resumed.returncode == 0, resumed.stderr
    assert f"resumed after step {step}" in resumed.stdout
    assert restore(out).state.step == 30 * STEPS
