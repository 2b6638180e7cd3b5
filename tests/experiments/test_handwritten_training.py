"""Training by backprop and by jax.grad, a few steps of it."""

import jax
import numpy as np
import pytest

from experiments import handwritten_training as experiment
from jaxcnn import data


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Digits as they were scanned, 8 × 8."""
    digits = data.load("digits", image_size=8)
    monkeypatch.setattr(data, "load", lambda name: digits)


def test_both_ways_reach_the_same_parameters_and_learn(tmp_path, capsys):
    apart = experiment.main(experiment.Config(epochs=1), None, tmp_path)
    assert 0 <= apart <= 1e-9
    assert (tmp_path / "losses.png").read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    first, last = (float(number) for number in lines[0].rsplit(": ", 1)[1].split(", "))
    assert lines[0].startswith("loss of the first and the last of 44 steps") and last < first / 2
    assert lines[-2] == f"largest difference of a parameter after epoch 1: {apart:.1e}"


def test_steps_stop_it():
    with jax.enable_x64(True):
        losses, _ = experiment.train(experiment.by_hand, experiment.Config(), steps=2)
    assert len(losses) == 2


def test_no_jax_grad_takes_part_in_training_by_hand(monkeypatch):
    def refused(*args, **kwargs):
        raise AssertionError("jax.grad was called")

    for name in ("grad", "value_and_grad"):
        monkeypatch.setattr(jax, name, refused)
    with jax.enable_x64(True):
        losses, _ = experiment.train(experiment.by_hand, experiment.Config(), steps=1)
    assert np.isfinite(losses[0])
