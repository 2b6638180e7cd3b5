"""Fixtures shared by all tests, and what makes them fast: most of their time is tracing and compiling."""

import gc
import os

import jax
import pytest

from tests.train.tiny import compile_once, trained  # noqa: F401  (fixtures)

# LLVM does not optimise, and a program is one piece for it: less than half the time.
COMPILE_FAST = "--xla_backend_optimization_level=0 --xla_cpu_parallel_codegen_split_count=1"
if jax.__version_info__ < (0, 11):  # XLA emits a CPU's loops itself: half of that again; later ones can't any more
    COMPILE_FAST += " --xla_cpu_use_fusion_emitters=false"


def pytest_configure():
    gc.set_threshold(100_000, 20, 100)  # JAX's caches are millions of objects, none of them garbage
    os.environ["XLA_FLAGS"] = f"{COMPILE_FAST} {os.environ.get('XLA_FLAGS', '')}"


@pytest.fixture
def x64():
    """Run the test in float64."""
    with jax.enable_x64(True):
        yield
