"""Fixtures shared by all tests, and XLA told to compile fast: most of the tests' time is compiling, not computing."""

import os

os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=1 " + os.environ.get("XLA_FLAGS", "")

import jax
import pytest

from tests.train.tiny import compile_once, trained  # noqa: F401  (fixtures)


@pytest.fixture
def x64():
    """Run the test in float64."""
    with jax.enable_x64(True):
        yield
