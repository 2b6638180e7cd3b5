"""The seeds experiment, one epoch long."""

import json
import statistics

import pytest

from experiments import digits_seeds


def test_two_seeds_for_one_epoch(tmp_path, capsys):
    accuracies = digits_seeds.main(seeds=2, epochs=1, out=tmp_path, overwrite=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lenet5 on digits, epochs: 1"
    losses = set()
    for seed, accuracy in enumerate(accuracies):
        run = tmp_path / f"seed{seed}"
        (record,) = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        losses.add(record["train_loss"])
        assert record["test_accuracy"] == accuracy
        assert json.loads((run / "config.json").read_text())["config"]["seed"] == seed
        assert lines[1 + seed] == f"seed {seed}: test accuracy {accuracy:.4f}, run folder {run}"
    mean, spread = statistics.mean(accuracies), statistics.stdev(accuracies)
    assert lines[3] == f"2 seeds: {mean:.4f} ± {spread:.4f}, lowest {min(accuracies):.4f}"
    assert min(accuracies) > 0.2, "one epoch is no better than chance, 0.1 ± 0.016 on 360 images"
    assert len(losses) == 2, "the seeds train alike"


def test_existing_runs_are_refused(tmp_path):
    (tmp_path / "seed0").mkdir()
    (tmp_path / "seed0" / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="seed0 exists already"):
        digits_seeds.main(seeds=2, epochs=1, out=tmp_path, overwrite=False)


def test_one_seed_has_no_spread(tmp_path):
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        digits_seeds.main(seeds=1, epochs=1, out=tmp_path, overwrite=False)
