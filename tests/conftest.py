"""Fixtures shared by all tests, and what makes them fast: most of their time is tracing and compiling."""

import gc
import os

import jax
import pytest

from tests.train.tiny import compile_once, trained  # noqa: F401  (fixtures)


def pytest_configure():
    gc.set_threshold(100_000, 20, 100)  # JAX's caches are millions of objects, none of them garbage
    os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1 " + os.environ.get("XLA_FLAGS", "")


@pytest.fixture
def x64():
    """Run the test in float64."""
    with jax.enable_x64(True):
        yield
