"""The memory that a step needs is measured in a process of its own, for everyone who is installed."""

import json
import sys
from dataclasses import replace

import pytest

from experiments import memory_peak
from jaxcnn.bench.networks import problem


def test_rematerialisation_needs_less():
    task = problem("cifar_small", batch_size=8)
    before, after = (memory_peak.laid_out(task, remat=remat) for remat in (False, True))
    assert after < 0.8 * before


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's /proc")
def test_a_line_for_each_with_at_least_what_the_activations_take(monkeypatch, capsys, tmp_path):
    everyone = memory_peak.contest
    monkeypatch.setattr(
        memory_peak, "contest", lambda task: replace(made := everyone(task), entrants=made.entrants[:1])
    )
    file = tmp_path / "memory.json"
    monkeypatch.setenv("JAX_ENABLE_COMPILATION_CACHE", "false")  # loading leaves other memory behind
    monkeypatch.setattr("sys.argv", ["memory_peak.py", "--model", "lenet5", "--batch-size", "256", "--json", str(file)])
    memory_peak.main()
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("│"))
    name, megabytes, ratio = (cell.strip() for cell in line.strip("│").split("│"))
    assert (name, ratio) == ("jaxcnn", "1.00")
    assert float(megabytes) > 256 * (28 * 28 * 6 + 10 * 10 * 16) * 4 / 2**20  # both convolutions' outputs
    (row,) = json.loads(file.read_text())["memory"]
    assert (row["task"], row["by"], round(row["megabytes"])) == ("lenet5, 256×28×28×1", "jaxcnn", int(megabytes))
