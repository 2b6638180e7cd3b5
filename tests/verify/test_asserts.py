"""The assertions for other people's tests: they pass in silence, and fail with the report."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

X = np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3)


def square(x):
    return x * x


def test_a_right_backward_passes_through_the_fixture(assert_backward, assert_gradients):
    assert assert_backward(square, lambda residuals, dy: (2 * residuals[0] * dy,), (X,)).ok
    assert assert_gradients(jnp.sin, (X,), checks=["differences"]).ok


def test_a_wrong_one_fails_with_the_report(assert_backward):
    with pytest.raises(AssertionError, match=r"square FAILS(?s:.*)\[autodiff\] dx(?s:.*)likely cause"):
        assert_backward(square, lambda residuals, dy: (residuals[0] * dy,), (X,), checks=["autodiff"])


def test_a_wrong_custom_vjp_fails_with_the_report(assert_gradients):
    wrong = jax.custom_vjp(square)
    wrong.defvjp(lambda x: (square(x), x), lambda x, dy: (x * dy,))
    with pytest.raises(AssertionError, match=r"square FAILS(?s:.*)\[differences\] dx"):
        assert_gradients(wrong, (X,), checks=["differences"])


def test_in_a_project_of_its_own_the_failure_is_the_report_at_the_tests_line(tmp_path):
    """pytest as a user runs it; nothing is imported from here, and JAX not before the fixture is asked for."""
    (tmp_path / "conftest.py").write_text(
        "import sys\nassert 'jax' not in sys.modules, 'the plugin imported JAX before conftest.py'\n"
    )
    (tmp_path / "test_mine.py").write_text(
        "import numpy as np\n"
        "def plain(x, w): return x @ w\n"
        "def backward(residuals, dy):\n"
        "    x, w = residuals\n"
        "    return dy @ w.T, -x.T @ dy\n"
        "def test_mine(assert_backward):\n"
        "    rng = np.random.default_rng(0)\n"
        "    assert_backward(plain, backward, (rng.standard_normal((4, 5)), rng.standard_normal((5, 3))))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "test_mine.py:8: AssertionError" in ran.stdout
    assert "[autodiff] dw: 15 of 15 entries wrong" in ran.stdout
    assert "likely cause: has the wrong sign" in ran.stdout
    assert "asserts.py" not in ran.stdout
