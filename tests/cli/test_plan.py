"""`jaxcnn train --dry-run`: what it says of a run is so, and nothing is left of it."""

import math
import re

import jax

from jaxcnn.cli import plan
from jaxcnn.layers import summary
from tests.train.tiny import STEPS, config


def test_the_plan_says_what_the_run_would_be_and_writes_nothing(jaxcnn, trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cost = plan.Cost(seconds=0.25, compiling=7.4, held=12_345_678, memory=2_345_678_901)
    monkeypatch.setattr(plan, "measured", lambda experiment: cost)
    code, out, err = jaxcnn(*config(tmp_path / "run").command().split()[1:], "--dry-run")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert re.fullmatch(r"tiny, \d+ parameters, on digits: 1,437 images to train on and 360 to test, .*", lines[0])
    parts = "every fifth picture of each class is for testing"
    assert lines[1] == f"images: scikit-learn's digits; {parts}; in memory, 115 kB of pixels"
    assert str(summary(trained.experiment.model, (8, 8, 1))) in out
    pixels = 64 * (1437 + 360)
    assert lines[-5:] == [
        f"steps: {2 * STEPS} of 128 images in 2 epochs of {STEPS}",
        f"memory: 2.3 GB in a step, 12.3 MB of it from step to step; all pixels {pixels / 1000:.0f} kB",
        "time of a step: 0.25 s, 512 images/s; 7 s to compile it",
        "time of all steps: 0:00:06, without evaluations",
        f"run folder: {tmp_path / 'run'}, which is not made now",
    ]
    assert list(tmp_path.iterdir()) == []


def test_a_step_is_measured_on_the_batches_of_the_run(trained):
    experiment = trained.experiment
    first = experiment.feed.rest_of_epoch(0)
    cost = plan.measured(experiment)
    state = experiment.initial_state()
    held = sum(leaf.nbytes for leaf in jax.tree.leaves((state, next(first))) if hasattr(leaf, "nbytes"))
    assert 0.9 * held <= cost.held <= 1.1 * held + 1000
    assert cost.memory >= cost.held + 128 * math.prod((4, 4, 4)) * 4  # the convolution's outputs, at the least
    assert cost.seconds > 0 and cost.compiling > 0


def test_a_run_that_would_be_refused_is_refused(jaxcnn, trained):
    before = sorted(trained.run.path.rglob("*"))
    code, out, err = jaxcnn("train", "--out", trained.run.path, "--dry-run")
    assert (code, out) == (2, "") and "exists already; choose another with --out" in err
    assert sorted(trained.run.path.rglob("*")) == before
