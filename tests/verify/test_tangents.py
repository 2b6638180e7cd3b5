"""The check of forward mode. That it finds the planted tangents of every rule is what test_kill.py shows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn import ops, verify
from jaxcnn.verify.checks import tangents

ARGS = np.random.default_rng(0).standard_normal((3, 4)), np.random.default_rng(1).standard_normal(4)


def plain(x, scale):
    return jnp.tanh(x * scale)


def right(x, scale, dx, dscale):
    """The tangent of `plain`."""
    return (1 - jnp.tanh(x * scale) ** 2) * (dx * scale + x * dscale)


def with_tangent(tangent):
    """`plain` whose forward mode is (x, scale, dx, dscale) -> dy."""
    function = jax.custom_jvp(plain)
    function.defjvp(lambda primals, tangents: (plain(*primals), tangent(*primals, *tangents)))
    return function


def checked(function, reference=None):
    """The check's row of the report, and its failures."""
    report = verify.check(function, ARGS, reference=reference, checks=["tangent"])
    (row,) = (row for row in report.checks if row.name == "tangent")
    return row, [f for f in report.failures if f.check == "tangent"]


@pytest.mark.parametrize("reference", [plain, None])
def test_a_right_tangent_passes(reference):
    row, failures = checked(with_tangent(right), reference)
    assert row.status == "ok" and not failures


@pytest.mark.parametrize(("reference", "oracle"), [(plain, "JAX's derivative"), (None, "central differences")])
def test_a_wrong_tangent_is_told_with_its_entry_and_its_oracle(reference, oracle):
    row, (failure,) = checked(with_tangent(lambda *at: right(*at).at[2, 1].multiply(3)), reference)
    assert row.status == "failed"
    assert "the tangent of y[0] is wrong in 1 of 12 entries, the worst at [2, 1]: got " in failure.message
    assert failure.message.endswith(f"by {oracle}")


def test_modes_of_one_rule_that_differ_are_told_by_argument(monkeypatch):
    """No reference is given, and the tangent is right: what is wrong is the backward."""
    monkeypatch.setattr(ops.prelu, "backward", lambda residuals, dy: (2 * dy, dy.sum(0)))
    _, failures = checked(lambda x, slope: ops.prelu(x, slope))
    assert {f.argument for f in failures} == {"x", "slope"}
    assert all("the modes differ: ⟨J v, dy⟩ = " in f.message for f in failures)


def test_a_function_without_forward_mode_is_passed_over_with_the_reason():
    function = jax.custom_vjp(plain)
    function.defvjp(lambda x, scale: (plain(x, scale), (x, scale)), lambda at, dy: jax.vjp(plain, *at)[1](dy))
    row, failures = checked(function)
    assert row.status == "skipped" and not failures
    assert row.note == "the function has no forward mode: there is a jax.custom_vjp in it"


def test_a_backward_alone_has_no_forward_mode():
    report = verify.check_backward(plain, lambda at, dy: jax.vjp(plain, *at)[1](dy), ARGS, checks=["tangent"])
    (row,) = (row for row in report.checks if row.name == "tangent")
    assert row.note == "no forward mode belongs to the backward"


def test_a_rules_own_tangent_is_checked(monkeypatch):
    monkeypatch.setattr(ops.tanh, "tangent", lambda arrays, tangents: tangents[0])
    report = verify.check_rule(ops.tanh, cases=1)
    assert any(f.check == "tangent" and "is wrong in" in f.message for f in report.failures)


@pytest.mark.parametrize("takes", ["first", "last"])
def test_at_ties_reverse_mode_decides_where_jaxs_own_modes_choose_differently(monkeypatch, takes):
    """XLA's maximum of a window sometimes gives its tangent to another of equal entries than its cotangent."""
    monkeypatch.setattr(tangents, "_fit", lambda bench, point, *_: point.kind not in tangents.TIES)

    @jax.custom_jvp
    def pooled(x):
        return x.reshape(-1, 2).max(1)

    @pooled.defjvp
    def _(primals, moved):
        x, dx = primals[0].reshape(-1, 2), moved[0].reshape(-1, 2)
        second = x[:, 1] >= x[:, 0] if takes == "last" else x[:, 1] > x[:, 0]
        return x.max(1), jnp.where(second, dx[:, 1], dx[:, 0])

    def first(x):
        return ops.max_pool(x[None, :, None], 2)[0, :, 0]

    report = verify.check(pooled, (jnp.arange(8.0),), reference=first, checks=["tangent"])
    assert report.ok is (takes == "first")
    assert [(f.input, "the modes differ" in f.message) for f in report.failures] == (
        [("ties", True), ("whole", True)] * (takes == "last")
    )
