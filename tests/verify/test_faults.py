"""The catalogue of planted faults. That each is found, and so is a fault, is what test_kill.py shows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.verify.catalog.faults import FAULTS, of_rule


def test_there_are_80_faults_or_more_and_each_has_a_name_of_its_own():
    assert len(FAULTS) >= 80
    assert len({(f.rule, f.name) for f in FAULTS}) == len(FAULTS)
    assert {f.rule for f in FAULTS} == set(RULES)


def test_causes_are_plain_sentences_that_continue_the_cotangent():
    """The cotangent ... "is half of what it should be": no capital, no full stop."""
    for fault in FAULTS:
        assert fault.cause.split()[0].islower(), fault
        assert not fault.cause.endswith("."), fault
        assert 10 < len(fault.cause) < 120, fault


def test_a_fault_stays_wrong_where_the_handwritten_backward_is_broken(monkeypatch, x64):
    """Otherwise a real mistake could not be looked up: the catalogue must not be built on what it judges."""
    (no_flip,) = (f for f in of_rule("conv") if f.name == "no-flip")
    arrays = jnp.arange(5.0).reshape(1, 5, 1), jnp.array([1.0, 2, 4]).reshape(3, 1, 1), None
    options = {"stride": (1,), "padding": ((0, 0),), "dilation": (1,), "groups": 1}
    dy = jnp.array([1.0, 0, 0]).reshape(1, 3, 1)
    monkeypatch.setattr(RULES["conv"], "backward", no_flip.backward)
    dx, _, dbias = no_flip.backward(arrays, dy, **options)
    np.testing.assert_array_equal(dx.ravel(), [4, 2, 1, 0, 0])
    assert dbias is None


def test_a_fault_of_the_first_example_has_that_of_the_first():
    (fault,) = (f for f in of_rule("dense") if f.name == "kernel-one-sample")
    arrays = jnp.array([[1.0], [10], [100]]), jnp.ones((1, 1)), None
    assert fault.backward(arrays, jnp.ones((3, 1)))[1] == 1


def values(rule, name, arrays, dy, **options):
    """The first cotangent of one fault."""
    (fault,) = (f for f in of_rule(rule) if f.name == name)
    y, kept = fault.forward(*map(jnp.asarray, arrays), **options)
    assert jax.tree.map(jnp.shape, y) == jax.tree.map(jnp.shape, dy)
    return np.asarray(fault.backward(kept, dy, **options)[0]).ravel().tolist()


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("ties-to-all", [5.0, 5, 3, 4], [1, 4, 0, 2]),
        ("ties-to-last", [5.0, 5, 3, 4], [0, 4, 0, 2]),
        ("ties-split", [5.0, 5, 3, 4], [0.5, 3.5, 0, 2]),
        ("shared-evenly", [5.0, 5, 3, 4], [0.5, 2, 2.5, 1]),
        ("first-entry", [5.0, 5, 3, 4], [1, 3, 2, 0]),
        ("minimum", [5.0, 7, 3, 4], [1, 0, 5, 0]),
        ("overlap-overwritten", [5.0, 7, 3, 4], [0, 3, 0, 2]),
        ("last-column-dropped", [5.0, 7, 3, 4], [0, 4, 0, 0]),
        ("border-zeroed", [5.0, 7, 3, 4], [0, 4, 0, 0]),
    ],
)
def test_faults_of_max_pooling_by_hand(name, x, expected, x64):
    """Windows of 2 in steps of 1, dy = 1 3 2."""
    (fault,) = (f for f in of_rule("max_pool") if f.name == name)
    x, dy = jnp.array(x).reshape(1, 4, 1), jnp.array([1.0, 3, 2]).reshape(1, 3, 1)
    options = {"size": (2,), "stride": (1,), "padding": ((0, 0),), "dilation": (1,)}
    y, kept = fault.forward(x, **options)
    assert y.shape == dy.shape
    (dx,) = fault.backward(kept, dy, **options)
    assert dx.ravel().tolist() == expected
