"""Fixtures shared by all tests."""

import jax
import pytest

from tests.train.tiny import compile_once, trained  # noqa: F401  (fixtures)


@pytest.fixture
def x64():
    """Run the test in float64."""
    with jax.enable_x64(True):
        yield
