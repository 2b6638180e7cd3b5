"""The precisions are trained from the same seeds and set beside each other, here on digits."""

from statistics import mean

import pytest

from experiments import half_precision as experiment
from jaxcnn import data


def test_each_precision_learns_and_the_table_says_how_well(monkeypatch, capsys):
    digits = data.load("digits")
    monkeypatch.setattr(data, "load", lambda *a, **k: digits)
    accuracies = experiment.main(("float32", "mixed"), seeds=2, epochs=4, widths=(8, 8, 8))
    assert list(accuracies) == ["float32", "mixed"] and min(map(min, accuracies.values())) > 0.2  # chance is 0.1
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines()[-3:-1]]
    for row, (precision, of) in zip(rows, accuracies.items(), strict=True):
        assert row[:3] == [precision, *(f"{a:.4f}" for a in of)] and row[3].startswith(f"{mean(of):.4f} ± ")
        assert row[4] == f"{100 * (mean(of) - mean(accuracies['float32'])):+.2f}"


def test_one_seed_has_no_spread():
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        experiment.main(seeds=1)
