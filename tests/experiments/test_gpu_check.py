"""The check of a GPU: what fails or hangs is said and takes nothing with it; and a rehearsal of its parts."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest

from experiments import gpu_check
from experiments.gpu_check import Part
from jaxcnn.bench import precision
from jaxcnn.cli.bench import plan
from jaxcnn.cli.main import parse
from tests.experiments.test_benchmarks import REPORT
from tests.switches import ROOT


def shell(title, command, seconds=30):
    return Part(title, ["bash", "-c", command], seconds)


def test_what_hangs_is_ended_with_all_that_it_began_and_what_it_printed_is_kept():
    outcome = gpu_check.run(shell("hangs", "sleep 600 & echo $!; sleep 600"), 2)
    assert outcome.code is None and outcome.verdict == "TIME OVER"
    begun = int(outcome.output)
    assert not psutil.pid_exists(begun) or psutil.Process(begun).status() == psutil.STATUS_ZOMBIE


def test_the_report_tells_of_every_part_and_the_exit_code_of_all(tmp_path, monkeypatch, capsys):
    made = [
        shell("good", "echo one"),
        shell("bad", "echo two >&2; exit 7"),
        shell("long", f"seq {gpu_check.SHOWN + 2}"),
    ]
    monkeypatch.setattr(gpu_check, "parts", lambda *_, **__: made)
    assert gpu_check.main(["machine"], 1.0, tmp_path / "out.md", None, rehearse=False) == 1
    text = (tmp_path / "out.md").read_text()
    assert capsys.readouterr().out == text + "\n"
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[1] for row in rows[2:]] == ["ok", "FAILED, exit code 7", "ok"]
    assert "\none\n" in text and "\ntwo\n" in text and "(2 lines before)\n3\n4\n" in text
    made[1:] = []
    assert gpu_check.main(["machine"], 1.0, tmp_path / "out.md", None, rehearse=False) == 0
    assert gpu_check.main(["machine"], 0.0, tmp_path / "out.md", None, rehearse=False) == 1
    assert "NOT RUN, no time was left" in (tmp_path / "out.md").read_text()


def test_a_part_with_tables_shows_them(tmp_path):
    file = tmp_path / "tables.json"
    file.write_text(json.dumps(REPORT))
    text = gpu_check.Outcome(replace(shell("timed", "true"), tables=file), 0, 1.0, "printed").markdown()
    assert "\n| net, 8×4×4×3, float32 | 100 ± 10% | 312 ± 10% (3.12×) | 50% | 80 |\n" in text


def test_all_parts_fit_into_their_time_or_are_of_least_interest(tmp_path):
    made = gpu_check.parts(gpu_check.PARTS, tmp_path, None, rehearse=False)
    assert [part.title.split()[0] for part in made] == ["The", "pytest", "A", "A", "cifar10_fast", "A", "A", "A", "A"]
    assert sum(part.seconds for part in made[:5]) <= 14 * 60


@pytest.mark.parametrize("rehearse", [False, True])
def test_training_steps_are_what_jaxcnn_bench_knows(tmp_path, monkeypatch, rehearse):
    monkeypatch.setattr("jaxcnn.bench.precision.available", lambda: precision.PRECISIONS)
    found = []
    for part in gpu_check.parts(["bench"], tmp_path, None, rehearse=rehearse):
        assert part.command[:4] == [sys.executable, "-m", "jaxcnn", "bench"]
        made = plan(parse(part.command[3:]))
        found.append((made.training[0].name, made.training[0].batch_size, *made.precisions))
    if rehearse:
        assert found == [("lenet5", 2, "float32")]
    else:
        assert len(found) == 6 and found[0] == ("cifar_small", 1024, "bfloat16")


def test_a_rehearsal(tmp_path):
    out = tmp_path / "out.md"
    command = [ROOT / "experiments" / "gpu_check.sh", "--rehearse", "--parts", "machine,tests", "--out", out]
    done = subprocess.run(command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert out.read_text() + "\n" == done.stdout
    assert "REHEARSAL" in done.stdout and "\njax " in done.stdout and "2 passed" in done.stdout


def test_what_is_timed_of_cifar10_fast(capsys):
    gpu_check.fast(None, rehearse=True)
    made_up, _, seed = capsys.readouterr().out.splitlines()
    assert made_up.startswith("No CIFAR-10 here") and seed.startswith("seed 0: compiling ")
    assert "accuracy" not in seed
