"""A registered rule is searched over shapes and options; a fault comes back with the smallest shape that shows it."""

import jax
import numpy as np
import pytest

import jaxcnn  # noqa: F401  (registers the rules)
from jaxcnn.ops.rule import RULES, Rule
from jaxcnn.verify import check_rule
from jaxcnn.verify.catalog.spaces import Draw
from jaxcnn.verify.cover import cover, features


def test_a_right_rule_passes():
    report = check_rule(RULES["relu"], cases=3)
    assert report.ok, str(report)
    assert report.name == "relu" and report.cases == 3


def test_a_fault_is_shrunk_to_the_smallest_failing_shape():
    rule = RULES["dense"]

    def mean(residuals, dy):
        dx, dkernel, dbias = rule.backward(residuals, dy)
        return dx, dkernel, None if dbias is None else dbias / max(len(dy), 1)

    report = check_rule(rule, backward=mean)
    failure = report.failures[0]
    assert (failure.check, failure.argument) == ("autodiff", "bias")
    assert failure.shapes["bias"] == "float64[1]"
    assert failure.shapes["x"] == "float64[2,1]"
    assert failure.cause


def test_the_smallest_failing_draw_is_one_that_was_tried():
    """Single values shrink to a shape that some values pass and others don't: the report is of one that failed."""
    report = check_rule(RULES["relu"], backward=lambda y, dy: (dy,))
    assert not report.ok
    assert {f.check for f in report.failures} >= {"autodiff", "differences"}


def test_two_runs_with_one_seed_find_the_same():
    def half(residuals, dy):
        return (0.5 * RULES["tanh"].backward(residuals, dy)[0],)

    first, second = (check_rule(RULES["tanh"], backward=half, cases=2, seed=3) for _ in range(2))
    assert first.failures == second.failures and first.failures


def test_a_rule_without_a_space_is_refused():
    unknown = Rule(lambda x: x, jax.numpy.sin, lambda x: (x, x), lambda x, dy: (dy,))
    unknown.name = "unknown"
    with pytest.raises(ValueError, match=r"it is not known what unknown takes.*check_backward"):
        check_rule(unknown)
    with pytest.raises(ValueError, match="cases is 0; expected 1 or more"):
        check_rule(RULES["relu"], cases=0)


def test_a_cover_makes_unlike_draws_and_keeps_one_empty():
    draws = [
        Draw((np.ones((2, 3)),), {"groups": 1}),
        Draw((np.ones((2, 3)),), {"groups": 1}),
        Draw((np.ones((4, 3)),), {"groups": 2}),
        Draw((np.ones((0, 3)),), {"groups": 1}),
        Draw((np.ones((0, 2)),), {"groups": 1}),
    ]
    assert cover(draws, 3) == [draws[0], draws[2], draws[3]]
    assert ("option", "groups", 2) in features(draws[2])
    assert (0, 0, "even") in features(draws[2])


def test_a_cover_meets_every_word_and_each_size_of_group():
    words = [Draw((np.ones((2, 3, 4)),), {"mode": "a", "padding": p}) for p in range(4)]
    words += [Draw((np.ones((1, 1)),), {"mode": mode}) for mode in "bc"]
    assert {d.options["mode"] for d in cover(words, 3)} == {"a", "b", "c"}
    of_two = Draw((np.ones((1, 4)), np.ones((2, 2))), {"groups": 2})
    assert {(0, "group", "two"), (1, "group", "one")} <= features(of_two)
    assert not any("group" in f for f in features(Draw((np.ones((1, 3)),), {"groups": 2})))
    assert not any("group" in f for f in features(Draw((np.ones((1, 4)),), {"groups": 1})))


def test_a_cover_meets_padding_of_unlike_ends():
    same = [Draw((np.ones((2, n, 4)),), {"padding": ((1, 1), (n, n)), "stride": n}) for n in range(1, 9)]
    unlike = Draw((np.ones((1, 1, 1)),), {"padding": ((1, 1), (0, 1))})
    assert unlike in cover([*same, unlike], 2)
