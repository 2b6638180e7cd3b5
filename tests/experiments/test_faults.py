"""One fault of experiments/faults.py, done to a network that compiles fast."""

import sys

from experiments import faults


def test_a_run_that_is_killed_while_it_saves_ends_in_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(faults, "PROGRAM", [sys.executable, "-m", "tests.train.tiny"])
    options = "--data digits --model tiny --image-size 8 --batch-size 128 --save-every 0.02"
    monkeypatch.setattr(faults, "OPTIONS", options)
    monkeypatch.setattr(faults, "FAULTS", [fault for fault in faults.FAULTS if fault[1] is faults.killed_in_a_save])
    table = tmp_path / "table.md"
    assert faults.main(1, 2, 0, "--optimizer momentum", tmp_path / "runs", table)
    row = table.read_text().splitlines()[-1]
    assert "steps that were saved, RUN/checkpoints/" in row and row.endswith("left | the same bits |")
    assert f"`jaxcnn train {options} --optimizer momentum --epochs 2 --out RUN`" in table.read_text()
