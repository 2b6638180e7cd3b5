"""What is installed where: oneDNN only where there is one, and without it nothing is built."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
MACHINES = {
    "linux x86_64": True,
    "linux aarch64": False,
    "darwin arm64": False,
    "darwin x86_64": False,
    "win32 AMD64": False,
}
# The setup script on a machine without oneDNN's packages, which are for x86-64; what it would have built.
BUILD = """
import importlib.metadata as metadata, setuptools, sys
found = metadata.files
def files(name):
    if "onednn" in name:
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.files = files
setuptools.setup = lambda ext_modules: print([e.name for e in ext_modules])
exec(open("setup.py").read())
"""


@pytest.mark.parametrize("machine", MACHINES)
def test_oneDNN_is_asked_for_where_there_is_one(machine):
    system, processor = machine.split()
    environment = {"sys_platform": system, "platform_machine": processor, "python_version": "3.11"}
    for requirements in (PROJECT["project"]["dependencies"], PROJECT["build-system"]["requires"]):
        every = [r for r in map(Requirement, requirements) if r.marker is None or r.marker.evaluate(environment)]
        assert any(r.name.startswith("onednn") for r in every) == MACHINES[machine]
        assert "setuptools" in {r.name for r in every} or "jax" in {r.name for r in every}


def test_without_it_nothing_is_built_and_that_is_said():
    built = subprocess.run([sys.executable, "-c", BUILD], cwd=ROOT, capture_output=True, text=True, check=True)
    assert built.stdout == "[]\n"
    assert "the package will compute through XLA" in built.stderr
