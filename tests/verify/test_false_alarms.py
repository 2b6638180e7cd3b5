"""A right backward is not blamed for what the function itself can not do."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.verify import check

X = np.random.default_rng(0).standard_normal((4, 5)).astype(np.float32)


def test_a_reference_without_forward_mode_is_judged_by_the_other_checks():
    twice = jax.custom_vjp(lambda x: 2 * x)
    twice.defvjp(lambda x: (2 * x, None), lambda _, dy: (2 * dy,))
    report = check(lambda x: twice(x) * x, (X,), reference=lambda x: twice(x) * x)
    assert report.ok, str(report)
    (transpose,) = (c for c in report.checks if c.name == "transpose")
    assert transpose.status == "skipped" and "custom_vjp" in transpose.note


def test_an_infinite_slope_times_a_dy_of_0_is_nobodys_fault():
    report = check(jnp.sqrt, (abs(X) + 0.5,), reference=jnp.sqrt)
    assert report.ok, str(report)


def test_what_has_no_half_precision_is_not_asked_for_it():
    def solved(x):
        return jnp.linalg.solve(x @ x.T + jnp.eye(4, dtype=x.dtype), x)

    report = check(solved, (X,), reference=solved)
    assert report.ok, str(report)
    assert next(c for c in report.checks if c.name == "bfloat16").status == "skipped"
