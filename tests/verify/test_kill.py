"""The proof that the verifier can fail: every wrong backward pass of the catalogue is found, a right one is not."""

from dataclasses import replace

import pytest

from jaxcnn.ops import RULES
from jaxcnn.verify.catalog import tangents
from jaxcnn.verify.catalog.faults import Fault, of_rule
from jaxcnn.verify.kill import kills, survivors
from jaxcnn.verify.search import CASES, Search, check_rule


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_rule_passes_and_its_faults_do_not_but_for_the_equivalent_ones(rule):
    search = Search(RULES[rule])
    report = search.report()
    assert report.ok, str(report)
    assert report.cases == len(search.draws) == CASES
    found = kills(search)
    assert found.survivors == found.mistaken == ()
    assert found.ok
    assert set(found.equivalent) == {f.name for f in of_rule(rule) if f.equivalent}
    assert len(found.killed) + len(found.equivalent) == len(of_rule(rule)) + len(tangents.of_rule(rule))
    assert len(of_rule(rule)) >= 10 and len(tangents.of_rule(rule)) >= 8


def plain_relu(arrays, dy):
    return (dy * (arrays[0] > 0),)


RIGHT = Fault("relu", "right", "is right", plain_relu)


def test_a_right_backward_among_the_faults_survives():
    doubled = Fault("relu", "doubled", "is doubled", lambda arrays, dy: (2 * plain_relu(arrays, dy)[0],))
    raising = Fault("relu", "raising", "raises", lambda arrays, dy: (dy.missing,))
    assert survivors(Search(RULES["relu"], cases=2), [doubled, RIGHT, raising]) == [RIGHT]


def test_what_only_the_costly_checks_find_is_found():
    """A gradient whose own gradient is cut off: only second order shows it."""
    from jax import lax

    cut = Fault("relu", "cut", "is a constant", lambda arrays, dy: (lax.stop_gradient(dy) * (arrays[0] > 0),))
    assert survivors(Search(RULES["relu"], cases=2), [cut]) == []


def test_a_survivor_and_a_wrong_equivalence_are_told(monkeypatch):
    wrongly = replace(of_rule("relu")[0], equivalent="it is not")
    monkeypatch.setattr("jaxcnn.verify.catalog.faults.of_rule", lambda rule: [RIGHT, wrongly])
    found = kills(Search(RULES["relu"], cases=2))
    assert found.survivors == ("right",) and found.mistaken == (wrongly.name,)
    assert not found.ok and found.to_dict()["ok"] is False


def test_a_fault_found_here_fails_in_check_rule_too():
    """Faults are judged together for speed; one alone, by the door that users take, ends the same."""
    fault = of_rule("dense")[0]
    assert not check_rule(RULES["dense"], forward=fault.forward, backward=fault.backward, cases=2).ok
