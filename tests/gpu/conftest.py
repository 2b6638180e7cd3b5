"""What must hold on a GPU, in a few minutes: `pytest -m gpu tests/gpu`.

Where JAX has no GPU these tests are skipped. With JAXCNN_GPU_REHEARSAL=1 they run on the CPU, to be known to work.
"""

import os
from pathlib import Path

import jax
import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items):
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.gpu)


@pytest.fixture(autouse=True)
def _where_there_is_one():
    if jax.default_backend() != "gpu" and not os.environ.get("JAXCNN_GPU_REHEARSAL"):
        pytest.skip("JAX has no GPU here; JAXCNN_GPU_REHEARSAL=1 tries this on the CPU")


@pytest.fixture
def in_full():
    """float32 is multiplied in all its digits: by itself a GPU keeps 11 bits of them."""
    with jax.default_matmul_precision("float32"):
        yield


@pytest.fixture
def on_gpu():
    """Only where there is one: a rehearsal can't show it."""
    if jax.default_backend() != "gpu":
        pytest.skip("a CPU has no such thing")
