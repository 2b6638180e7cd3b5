"""An exception of the code under test comes with the line that raised it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.verify import check, check_backward, check_rule
from jaxcnn.verify.errors import where

X = np.ones((2, 3), np.float32)


def adding(x, dy):
    return (x + jnp.ones(7),)


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    return next(first + i for i, line in enumerate(lines) if text in line)


def test_it_is_the_users_line_and_not_that_of_the_library_which_it_called():
    report = check_backward(jnp.sin, adding, (X,), forward=lambda x: (jnp.sin(x), x))
    (failure,) = report.failures
    at = f"(tests/verify/test_errors.py:{line_of(adding, 'jnp.ones')}, in adding)"
    assert failure.message.startswith("raised ") and failure.message.endswith(at)

    sine = jax.custom_vjp(lambda x: jnp.sin(x))
    sine.defvjp(lambda x: (jnp.sin(x), x), adding)
    assert check(sine, (X,)).failures[0].message.endswith(at)


def test_it_is_told_of_a_forward_too():
    def forward(x):
        return x @ x

    with pytest.raises(ValueError, match=rf"can't be run on args: .*test_errors.py:{line_of(forward, 'x @ x')}, in "):
        check(forward, (X,))


def test_in_a_rule_of_jaxcnn_it_is_the_rules_line(monkeypatch):
    monkeypatch.setattr(RULES["relu"], "backward", RULES["conv"].backward)
    assert "jaxcnn/ops/" in check_rule(RULES["relu"], cases=1).failures[0].message


def test_without_a_line_of_the_users_nothing_is_said():
    try:
        compile("1 +", "<string>", "eval")
    except SyntaxError as error:
        error.__traceback__ = None
        assert where(error) == ""
