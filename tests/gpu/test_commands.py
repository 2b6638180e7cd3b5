"""Commands in processes of their own, beside this one, which has the GPU, too."""

import os
import subprocess
import sys

import jax

from tests.switches import ROOT


def jaxcnn(*arguments):
    """What the command prints."""
    environment = os.environ | {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    command = [sys.executable, "-m", "jaxcnn", *map(str, arguments)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_doctor_names_the_device():
    assert jax.devices()[0].device_kind in jaxcnn("doctor")


def test_handwritten_and_derived_gradients_are_the_same(tmp_path):
    """After an epoch of training, in float64."""
    options = ["--data", "digits", "--model", "lenet5", "--image-size", "8", "--epochs", "1", "--batch-size", "256"]
    jaxcnn("train", *options, "--layer-norms", "no", "--out", tmp_path / "run")
    assert "agree" in jaxcnn("check", tmp_path / "run", "--images", 2)


def test_rules_are_verified():
    """On a GPU, too, float32 within its own rounding."""
    assert "3 of 3 verified" in jaxcnn("verify", "--rule", "dense", "max_pool", "conv", "--cases", 2)
