"""What XLA compiled is kept for the next command, where the user has not said otherwise."""

import os
import subprocess
import sys

import jax
import pytest

from jaxcnn.cli import compiled
from tests.train.tiny import OPTIONS

SETTINGS = (
    *("jax_compilation_cache_dir", "jax_compilation_cache_max_size", "jax_enable_compilation_cache"),
    *("jax_persistent_cache_min_compile_time_secs", "jax_persistent_cache_min_entry_size_bytes"),
)


@pytest.fixture
def unset():
    """JAX as it is without settings; it gets back those of the tests."""
    before = {name: getattr(jax.config, name) for name in SETTINGS}
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def run(place, out, **environment):
    words = [word for name, value in OPTIONS.items() for word in ("--" + name.replace("_", "-"), str(value))]
    told = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
    told |= {"XDG_CACHE_HOME": str(place), "JAX_PLATFORMS": "cpu"} | environment
    command = [sys.executable, "-m", "tests.train.tiny", "train", *words, "--epochs", "1", "--out", str(place / out)]
    subprocess.run(command, env=told, check=True, capture_output=True)
    return (place / out / "model/last/weights.safetensors").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="XDG_CACHE_HOME is Linux's")
def test_a_second_run_compiles_nothing_and_ends_in_the_same_bits(tmp_path):
    first = run(tmp_path, "first")
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "jaxcnn/compiled").glob("*-cache")}
    assert any("jit_step" in name for name in kept)
    assert run(tmp_path, "second") == first
    assert kept == {file.name: file.stat().st_mtime_ns for file in (tmp_path / "jaxcnn/compiled").glob("*-cache")}
    assert run(tmp_path, "third", JAX_ENABLE_COMPILATION_CACHE="0", XDG_CACHE_HOME=str(tmp_path / "other")) == first
    assert not (tmp_path / "other/jaxcnn").exists()


def test_the_user_s_own_place_is_kept(unset, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path))
    size = jax.config.jax_compilation_cache_max_size
    compiled.keep()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path)
    assert jax.config.jax_compilation_cache_max_size == size


def test_where_nothing_can_be_written_nothing_is_kept(unset, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "file" / "compiled")
    compiled.keep()
    assert jax.config.jax_compilation_cache_dir is None


def test_it_is_kept_by_those_that_compile_a_network_alone(unset, tmp_path, monkeypatch, jaxcnn):
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "compiled")
    jaxcnn("bench", "--help")
    jaxcnn("verify", "--rule", "nothing")
    assert not (tmp_path / "compiled").exists()
    assert jaxcnn("models")[0] == 0
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "compiled")


def test_doctor_says_where_and_how_not_to(unset, tmp_path, monkeypatch, jaxcnn):
    monkeypatch.setattr(compiled, "folder", lambda: tmp_path / "compiled")
    _, out, _ = jaxcnn("doctor")
    assert f"compiled   0 programs, 0 B, are kept in {tmp_path}/compiled" in out
    assert "to stop it export JAX_ENABLE_COMPILATION_CACHE=0" in out
    jax.config.update("jax_enable_compilation_cache", False)
    _, out, _ = jaxcnn("doctor")
    assert "programs are compiled anew each time, as JAX_ENABLE_COMPILATION_CACHE says" in out
