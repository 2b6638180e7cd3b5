"""`jaxcnn doctor`: what is in use, what is missing, and the one command that adds it."""

import platform
import shutil

import jax
import pytest

from jaxcnn.cli import doctor, huge_pages
from jaxcnn.kernels import library


@pytest.fixture
def lines(jaxcnn):
    """Run it: its exit code, and its lines by their first words."""

    def run():
        code, out, err = jaxcnn("doctor")
        assert err == ""
        return code, {line[:10].strip(): line[11:] for line in out.splitlines()}

    return run


@pytest.fixture
def missing(monkeypatch):
    """A Linux machine where the kernels can't be had, and why."""

    def set_up(part, reason):
        monkeypatch.setattr(library, "find", lambda: library.Missing(reason, part))
        monkeypatch.setattr(platform, "system", lambda: "Linux")
        monkeypatch.setattr(platform, "machine", lambda: "x86_64")

    return set_up


def test_it_says_what_there_is(lines):
    code, found = lines()
    assert code == 0
    assert platform.python_version() in found["python"]
    assert found["jax"].startswith(jax.__version__)
    assert found["devices"] == f"{len(jax.devices())} × {jax.devices()[0].device_kind}"


@pytest.mark.parametrize(
    "given, by_itself, said",
    [
        ("small", False, {"memory": "small pages", "to set it": "export GLIBC_TUNABLES=glibc.malloc.hugetlb=1"}),
        ("asked", False, {"memory": "as GLIBC_TUNABLES says"}),
        ("asked", True, {"memory": "which this command", "to stop it": "hugetlb=0", "in Python": "hugetlb=1"}),
        ("always", False, {"memory": "to every program"}),
        ("never", False, {}),
    ],
)
def test_it_says_who_has_huge_pages_and_how_to_get_or_stop_them(lines, monkeypatch, given, by_itself, said):
    monkeypatch.setattr(huge_pages, "given", lambda: given)
    monkeypatch.setattr(huge_pages, "by_itself", by_itself)
    monkeypatch.setattr(doctor, "_compiled", lambda: None)
    _, found = lines()
    assert {"memory", "to set it", "to stop it", "in Python"} & found.keys() == said.keys()
    assert all(words in found[line] for line, words in said.items())


def test_a_gpu_that_jax_does_not_see_is_told_of_with_the_package_that_it_needs(lines, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "nvidia-smi" else None)
    _, found = lines()
    assert found["GPU"] == "an NVIDIA driver is here, but JAX does not compute with it"
    assert f'pip install "jax[cuda13]=={jax.__version__}"' in found["to use it"]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert "GPU" not in lines()[1]


@pytest.mark.parametrize("told, said", [(None, "is multiplied in TensorFloat-32: 11 bits"), ("float32", "as float32")])
def test_it_says_how_a_gpu_multiplies_float32(lines, monkeypatch, told, said):
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    with jax.default_matmul_precision(told):
        _, found = lines()
    assert said in found["float32"]
    assert found.get("for all") == (None if told else "export JAX_DEFAULT_MATMUL_PRECISION=float32")


@pytest.mark.skipif(isinstance(library.find(), library.Missing), reason="no oneDNN here")
def test_with_oneDNN_it_computes_a_convolution(lines, monkeypatch):
    code, found = lines()
    assert found["kernels"].startswith("oneDNN 3") and found["kernels"].endswith("agrees with XLA's")
    assert "libdnnl.so.3" in found["oneDNN"] and "missing" not in found
    monkeypatch.setattr(doctor, "_error", lambda: 0.5)
    code, found = lines()
    assert code == 1 and "WRONG" in found["kernels"]


@pytest.mark.parametrize(
    "part, reason, compiler, remedy",
    [
        ("handlers", "not built", "/usr/bin/c++", "python -m pip install --force-reinstall --no-deps"),
        ("handlers", "not built", None, "sudo apt-get install g++ && "),
        ("oneDNN", "libdnnl.so.3: cannot open shared object file", "/usr/bin/c++", "pip install onednn-cpu-gomp"),
        ("oneDNN", "libgomp.so.1: cannot open shared object file", "/usr/bin/c++", "apt-get install libgomp1"),
        ("jaxlib", "version", "/usr/bin/c++", "--no-build-isolation"),
    ],
)
def test_without_it_it_names_the_part_and_the_command(lines, missing, monkeypatch, part, reason, compiler, remedy):
    missing(part, reason)
    monkeypatch.setattr(shutil, "which", lambda name: compiler)
    monkeypatch.setattr(doctor.sys, "executable", "python")
    code, found = lines()
    assert code == 0 and found["kernels"].startswith("XLA")
    assert found["missing"] == reason
    assert remedy in found["to add it"]


def test_on_another_platform_nothing_is_missing(lines, missing, monkeypatch):
    missing("handlers", "not built")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    code, found = lines()
    assert code == 0 and found["kernels"].startswith("XLA") and "missing" not in found
