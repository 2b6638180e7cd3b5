"""JAX is told to compute on what is not here: every command says so in a line, with what to do."""

import os
import subprocess
import sys

import jax
import pytest

from jaxcnn.cli import platforms
from jaxcnn.cli.main import main
from jaxcnn.data import digits
from jaxcnn.kernels import library


def told(*words, **environment):
    environment = {name: value for name, value in os.environ.items() if name not in platforms.NAMES} | environment
    done = subprocess.run([sys.executable, "-m", "jaxcnn", *words], env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("value", ["cuda", "nonsense"])  # JAX asserts of one, and raises of the other
@pytest.mark.skipif(jax.default_backend() == "gpu", reason="it is here")
def test_a_command_refuses_and_doctor_says_the_rest(value):
    code, out, err = told("data", "digits", JAX_PLATFORMS=value)
    assert (code, out) == (2, "") and err.count("\n") == 1
    assert err.startswith(f"error: JAX_PLATFORMS is '{value}': ")
    assert err.endswith("; unset JAX_PLATFORMS to take what there is, or export JAX_PLATFORMS=cpu.\n")
    code, out, err = told("doctor", JAX_PLATFORMS=value)
    assert (code, err) == (1, "")
    assert f"devices    none; JAX_PLATFORMS is '{value}': " in out
    assert "to compute unset JAX_PLATFORMS to take what there is, or export JAX_PLATFORMS=cpu\n" in out


def test_an_empty_value_says_nothing():
    assert told("data", "digits", JAX_PLATFORMS="")[::2] == (0, "")


@pytest.fixture
def without_devices(monkeypatch):
    """JAX as it is where it can start none of its platforms, which says so with an error."""

    def set_up(error):
        def devices(platform=None):
            raise error

        monkeypatch.setattr(jax, "devices", devices)
        for name in platforms.NAMES:
            monkeypatch.delenv(name, raising=False)

    return set_up


def test_jax_s_own_words_stay_but_for_what_we_say(without_devices, monkeypatch):
    without_devices(RuntimeError("Unable to initialize backend 'tpu': no libtpu.so (set JAX_PLATFORMS='' to choose)"))
    monkeypatch.setenv("JAX_PLATFORMS", "tpu,cpu")
    assert platforms.refused()[0] == "JAX_PLATFORMS is 'tpu,cpu': Unable to initialize backend 'tpu': no libtpu.so"
    monkeypatch.delenv("JAX_PLATFORMS")
    monkeypatch.setenv("JAX_PLATFORM_NAME", "tpu")
    assert platforms.refused()[1] == "unset JAX_PLATFORM_NAME to take what there is"


def test_a_plugin_that_fails_unasked_is_told_of(without_devices):
    without_devices(RuntimeError("Unable to initialize backend 'cuda': broken."))
    assert platforms.refused() == (
        "Unable to initialize backend 'cuda': broken",
        "export JAX_PLATFORMS=cpu to compute on the CPU",
    )


def test_another_error_stays_one(monkeypatch):
    def fail(*_, **__):
        raise AssertionError("ours")

    monkeypatch.setattr(digits, "load", fail)
    with pytest.raises(AssertionError, match="ours"):
        main(["data", "digits"])


@pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no oneDNN here")
def test_doctor_where_the_cpu_is_left_out(monkeypatch, jaxcnn):
    here = jax.devices()

    def devices(platform=None):
        if platform == "cpu":
            raise RuntimeError("Unknown backend cpu")
        return here

    monkeypatch.setattr(jax, "devices", devices)
    code, out, err = jaxcnn("doctor")
    assert (code, err) == (0, "") and "on the CPU, which JAX_PLATFORMS leaves out" in out
