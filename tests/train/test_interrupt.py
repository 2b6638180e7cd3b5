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


def test_the_first_asks_and_the_second_aborts():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), on_interrupt() as interrupt:
        assert not interrupt.requested
        signal.raise_signal(signal.SIGINT)
        assert interrupt.requested
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_a_thread_that_may_not_handle_signals_goes_on():
    seen = []

    def body():
        with on_interrupt() as interrupt:
            seen.append(interrupt.requested)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert seen == [False]


def test_ctrl_c_on_a_process_leaves_a_usable_run_that_resumes(tmp_path):
    out = tmp_path / "run"
    command = config(out, epochs=30).command().split()[1:]
    jaxcnn = [sys.executable, "-m", "tests.train.tiny"]
    process = subprocess.Popen([*jaxcnn, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    for line in process.stdout:
        if re.match(r" +2  ", line):
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate()
    assert process.returncode == 130, errors
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
