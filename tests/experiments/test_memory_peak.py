"""The memory that a step needs is measured in a process of its own, for everyone who is installed."""

import sys

import pytest

from experiments import memory_peak


def test_rematerialisation_needs_less():
    before, after = (memory_peak.laid_out("cifar_small", 8, remat=remat) for remat in (False, True))
    assert after < 0.8 * before


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_line_for_each_with_at_least_what_the_activations_take(monkeypatch, capsys):
    monkeypatch.setattr(
        memory_peak, "entrants", lambda *task, real=memory_peak.entrants: dict([next(iter(real(*task).items()))])
    )
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")  # loading leaves other memory behind
    monkeypatch.setattr("sys.argv", ["memory_peak.py", "--model", "lenet5", "--batch-size", "256"])
    memory_peak.main()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("│"))
    name, megabytes, ratio = (cell.strip() for cell in line.strip("│").split("│"))
    assert (name, ratio) == ("jaxcnn", "1.00")
    assert float(megabytes) > 256 * (28 * 28 * 6 + 10 * 10 * 16) * 4 / 2**20  # both convolutions' outputs
