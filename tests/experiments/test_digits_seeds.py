"""The seeds experiment, one epoch long, and that it trains what the demo trains."""

import json
import re
import shlex
import statistics
from pathlib import Path

import pytest

from experiments import digits_seeds
from jaxcnn.cli import main as command
from jaxcnn.train.recipe import TrainConfig
from jaxcnn.train.run_folder import open_run


def test_the_recipe_is_that_of_make_demo(monkeypatch):
    makefile = (Path(__file__).parents[2] / "Makefile").read_text().replace("\\\n", "")
    words = shlex.split(re.search(r"jaxcnn (train .*)", makefile)[1])
    seen = []
    monkeypatch.setitem(command.RUN, command.train.TrainOptions, lambda options: seen.append(options.config()) or 0)
    with pytest.raises(SystemExit):
        command.main(words)
    assert seen == [TrainConfig(**digits_seeds.RECIPE, out=Path("runs/demo"), overwrite=True)]


def test_two_seeds_for_one_epoch(tmp_path, capsys):
    accuracies = digits_seeds.main(seeds=2, epochs=1, out=tmp_path, overwrite=False, kinds=["xla"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lenet5 on digits, epochs: 1"
    losses = set()
    for seed, accuracy in enumerate(accuracies):
        run = tmp_path / "xla" / f"seed{seed}"
        (record,) = open_run(run).metrics()
        losses.add(record["train_loss"])
        assert record["eval_accuracy"] == accuracy
        assert json.loads((run / "config.json").read_text())["config"]["seed"] == seed
        assert lines[1 + seed] == f"xla, seed {seed}: test accuracy {accuracy:.4f}, run folder {run}"
    mean, spread = statistics.mean(accuracies), statistics.stdev(accuracies)
    assert lines[3] == f"2 runs: {mean:.4f} ± {spread:.4f}, lowest {min(accuracies):.4f}"
    assert min(accuracies) > 0.2, "one epoch is no better than chance, 0.1 ± 0.016 on 360 images"
    assert len(losses) == 2, "the seeds train alike"


def test_existing_runs_are_refused(tmp_path):
    (tmp_path / "auto" / "seed0").mkdir(parents=True)
    (tmp_path / "auto" / "seed0" / "notes.txt").touch()
    with pytest.raises(FileExistsError, match="auto/seed0 exists already"):
        digits_seeds.main(seeds=2, epochs=1, out=tmp_path, overwrite=False)


def test_one_seed_has_no_spread(tmp_path):
    with pytest.raises(SystemExit, match="--seeds is 1; expected 2 or more"):
        digits_seeds.main(seeds=1, epochs=1, out=tmp_path, overwrite=False, kinds=["auto"])
