"""The house's order: imports go down only, and importing jaxcnn stays cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# A folder may import from its own floor and from those below it.
FLOORS = [
    ["cli"],
    ["bench", "serve"],
    ["report"],
    ["train", "verify"],
    ["interop", "explain"],
    ["data", "models"],
    ["layers"],
    ["ops"],
    ["kernels"],
]
HEIGHT = {folder: -i for i, floor in enumerate(FLOORS) for folder in floor}


def imported(file):
    """Names of the jaxcnn folders that a file imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        modules = []
        if isinstance(node, ast.ImportFrom) and node.module:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            parts = module.split(".")
            if parts[0] == "jaxcnn" and len(parts) > 1 and parts[1] in HEIGHT:
                yield parts[1]


def test_every_folder_has_a_floor():
    assert {p.name for p in (ROOT / "jaxcnn").iterdir() if p.is_dir() and p.name != "__pycache__"} == set(HEIGHT)


@pytest.mark.parametrize("folder", HEIGHT)
def test_imports_go_down_only(folder):
    for file in (ROOT / "jaxcnn" / folder).rglob("*.py"):
        above = {other for other in imported(file) if HEIGHT[other] > HEIGHT[folder]}
        assert not above, f"{file} imports from {above}, above it"


def test_importing_jaxcnn_imports_nothing_heavy():
    heavy = ["tensorflow", "matplotlib", "sklearn", "tensorflow_datasets", "orbax", "rich", "tyro", "PIL", "scipy"]
    heavy += ["grain", "psutil", "onnx"]
    code = (
        "import sys, jax, optax; before = set(sys.modules); import jaxcnn; "
        f"print([m for m in {heavy!r} if m in set(sys.modules) - before])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
