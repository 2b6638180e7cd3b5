"""A contest admits who does the same work, says why another has no time, and goes on."""

import time

import numpy as np
import pytest

from jaxcnn.bench.contest import Contest, Entrant, Prepared
from jaxcnn.bench.measure import FEWEST, Run


def entrant(by, result, precision="float32"):
    def prepare():
        if isinstance(result, Exception):
            raise result
        return Prepared({"step": Run(lambda: result, lambda _: None)})

    return Entrant(by, precision, prepare)


def hold(*entrants, peaks=None, tick=lambda share: None):
    contest = Contest("training step", "a task", entrants, lambda precision: {"step": 2e9})
    return {(row.by, row.precision): row for row in contest.hold(2, peaks or {}, tick)}


def test_a_row_has_times_work_and_its_share_of_the_peak_of_its_precision():
    shares = []
    found = hold(entrant("jaxcnn", 1.0), entrant("other", 1.0, "bfloat16"), peaks={"float32": 1e20}, tick=shares.append)
    row = found["jaxcnn", "float32"]
    assert (row.section, row.task, row.unit, row.refused) == ("training step", "a task", "FLOP", "")
    assert row.timings["step"].samples == 2
    assert row.rate == pytest.approx(2e9 / row.seconds)
    assert row.share == pytest.approx(row.rate / 1e20)
    assert found["other", "bfloat16"].share is None
    assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize(
    ("result", "refused"),
    [
        (2.302, ""),
        (2.31, "not the same work: off by 4.3e-03, more than 1e-03 (2.3100 where jaxcnn has 2.3000)"),
        (np.nan, "not the same work: off by inf, more than 1e-03 (nan where jaxcnn has 2.3000)"),
        (np.full(6, 2.3), "not the same work: off by inf, more than 1e-03"),
        (ValueError("no such layer\nand more"), "ValueError: no such layer"),
    ],
)
def test_who_computes_something_else_is_refused_with_the_difference(result, refused):
    found = hold(entrant("jaxcnn", 2.3), entrant("other", result), entrant("third", 2.3))
    row = found["other", "float32"]
    assert row.refused == refused
    assert bool(row.timings) == (not refused)
    assert row.seconds is None or not refused
    assert found["third", "float32"].timings, "the contest goes on"


def test_bfloat16_may_differ_by_its_rounding_from_float32():
    found = hold(entrant("jaxcnn", 1.0), entrant("other", 1.01, "bfloat16"), entrant("third", 1.1, "bfloat16"))
    assert not found["other", "bfloat16"].refused
    assert found["third", "bfloat16"].refused


def test_the_difference_is_relative_to_the_largest_value_of_each_array():
    right = [np.array([1000.0, 1e-3]), np.array([1e-3])]
    found = hold(entrant("jaxcnn", right), entrant("other", [right[0] + 0.1, right[1]]))
    assert found["other", "float32"].difference == pytest.approx(1e-4)
    found = hold(entrant("jaxcnn", right), entrant("other", [right[0], right[1] + 0.1]))
    assert found["other", "float32"].refused


def test_who_has_not_begun_in_time_gets_none():
    contest = Contest("inference", "a task", (entrant("jaxcnn", 1.0), entrant("other", 1.0)), lambda precision: {})
    assert {row.refused for row in contest.hold(9, {}, until=time.perf_counter() - 1)} == {"the time was over"}


def test_who_has_to_hurry_takes_few_samples():
    contest = Contest("inference", "a task", (entrant("jaxcnn", 1.0), entrant("other", 1.0)), lambda precision: {})
    rows = contest.hold(9, {}, hurry=time.perf_counter() - 1)
    assert [row.timings["step"].samples for row in rows] == [FEWEST] * 2


def test_nobody_is_left():
    rows = hold(entrant("jaxcnn", RuntimeError("out of memory")))
    assert rows["jaxcnn", "float32"].refused == "RuntimeError: out of memory"
