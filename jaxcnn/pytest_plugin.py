"""pytest fixtures for whoever writes backward passes by hand; there as soon as jaxcnn is installed.

    def test_my_backward(assert_backward):
        assert_backward(plain, backward, (x, kernel))

Nothing of JAX is imported before a test asks for a fixture.
"""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture(scope="session")
def assert_backward() -> Callable[..., Any]:
    """`jaxcnn.verify.assert_backward(plain, backward, args, ...)`: passes, or fails with the report."""
    from jaxcnn.verify import assert_backward

    return assert_backward


@pytest.fixture(scope="session")
def assert_gradients() -> Callable[..., Any]:
    """`jaxcnn.verify.assert_gradients(function, args, reference=..., ...)`: passes, or fails with the report."""
    from jaxcnn.verify import assert_gradients

    return assert_gradients
