"""Curves as paths: places, ticks, gaps, bands, and no more points than a screen has."""

import math

import numpy as np
import pytest

from jaxcnn.report.page.chart import SIDE, Line, chart, look, thinned, ticks
from jaxcnn.report.page.curves import curves
from jaxcnn.report.page.numbers import duration, number, percent


def points(path):
    """The (x, y) of a path, in pieces."""
    return [
        [tuple(map(float, point.split())) for point in piece.removesuffix("h0").removesuffix("Z").split("L")]
        for piece in path.split("M")[1:]
    ]


def values(drawn, scale="linear", line=0):
    """The points of a line, back from the path to epochs and values."""
    x, y = drawn.x, drawn.y[scale]
    (piece,) = points(drawn.paths[line].curve[scale])
    back = [(x.low + a / SIDE * (x.high - x.low), y.high - d / SIDE * (y.high - y.low)) for a, d in piece]
    return np.array([(a, 10**v if scale == "log" else v) for a, v in back])


def test_a_path_has_the_points_of_its_line_on_both_scales():
    x, y = [1, 2, 3, 7], [2.0, 0.3, 0.01, 0.5]
    drawn = chart("loss", "Loss", [Line("training", x, y)], log=True)
    for scale in ("linear", "log"):
        np.testing.assert_allclose(values(drawn, scale), list(zip(x, y, strict=True)), rtol=2e-2, atol=2e-3)
    assert drawn.scale == "log" and (drawn.x.low, drawn.x.high) == (1, 7)
    assert chart("loss", "Loss", [Line("training", x, y)], log=True, begin="linear").scale == "linear"
    assert chart("loss", "Loss", [Line("training", x, [2, 1, 1, 1.5])], log=True).scale == "linear"


def test_there_is_no_log_scale_where_a_value_is_0():
    drawn = chart("loss", "Loss", [Line("training", [1, 2], [0.0, 1.0])], log=True)
    assert list(drawn.y) == ["linear"]


def test_gaps_break_a_path_and_a_lone_point_is_a_dot():
    y = [1.0, 2.0, None, 3.0, math.nan, 4.0, 5.0]
    drawn = chart("loss", "Loss", [Line("training", range(1, 8), y)])
    path = drawn.paths[0].curve["linear"]
    assert [len(piece) for piece in points(path)] == [2, 1, 2] and path.count("h0") == 1
    assert drawn.data["lines"][0]["y"] == [1.0, 2.0, None, 3.0, None, 4.0, 5.0]


def test_a_chart_without_any_value_is_none():
    assert chart("loss", "Loss", []) is None
    assert chart("loss", "Loss", [Line("training", [1, 2], [None, math.inf])]) is None


def test_one_epoch_is_drawn_too():
    drawn = chart("loss", "Loss", [Line("training", [1], [0.5])])
    assert drawn.x.low == 0 and values(drawn)[0] == pytest.approx((1, 0.5), rel=1e-3)
    assert drawn.x.high > 1.05  # no dot is cut by the edge


def test_a_band_goes_along_mean_plus_and_back_along_mean_minus_deviation():
    line = Line("mean", [1, 2], [1.0, 2.0], deviation=[0.5, 0.25])
    drawn = chart("loss", "Loss", [line])
    (piece,) = points(drawn.paths[0].band["linear"])
    y = drawn.y["linear"]
    back = [y.high - d / SIDE * (y.high - y.low) for _, d in piece]
    assert back == pytest.approx([1.5, 2.25, 1.75, 0.5], abs=2e-3)
    assert y.low < 0.5 and y.high > 2.25


def test_the_range_can_be_widened_and_cut():
    drawn = chart("speed", "Speed", [Line("a", [1, 2], [5.0, 6.0])], within=(0.0, 10.0))
    assert drawn.y["linear"].low <= 0 and drawn.y["linear"].high >= 10
    cut = chart("accuracy", "Accuracy", [Line("a", [1, 2], [0.1, 0.9])], lowest=0.8)
    assert 0.75 < cut.y["linear"].low <= 0.8


@pytest.mark.parametrize(("low", "high"), [(0, 1), (0.57, 2.48), (-3, 7), (1, 60), (1e-7, 3e-7), (12, 15000)])
@pytest.mark.parametrize("most", [5, 7])
def test_ticks_are_round_numbers_within_the_range(low, high, most):
    marks = ticks(low, high, most)
    assert 2 <= len(marks) <= most + 1
    assert all(low - 1e-9 * abs(low) <= mark <= high * (1 + 1e-9) for mark in marks)
    steps = np.diff(marks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-6)
    assert float(f"{steps[0]:.1e}"[:3]) in (1.0, 2.0, 5.0)


def test_ticks_stand_where_their_values_are():
    drawn = chart("loss", "Loss", [Line("a", [1, 9], [0.01, 40.0])], log=True)
    for scale, read in (("linear", float), ("log", math.log10)):
        axis = drawn.y[scale]
        assert axis.ticks
        for value, at in axis.ticks:
            assert axis.low + at * (axis.high - axis.low) == pytest.approx(read(value))


def test_a_long_line_keeps_its_peaks():
    y = np.sin(np.arange(50_000) / 500)
    y[31_234] = 9.0
    line = thinned(Line("a", range(50_000), list(y)), most=1000)
    assert len(line.x) <= 1000 and 9.0 in line.y and (line.x[0], line.x[-1]) == (0, 49_999)
    assert list(line.x) == sorted(line.x) and all(y[x] == v for x, v in zip(line.x, line.y, strict=True))


def test_numbers_as_a_page_writes_them():
    shown = {0: "0", 0.58571: "0.5857", 12930.4: "12,930", 3.14e-5: "3.1e-5", 1e-4: "1e-4", 2e9: "2e9", -0.5: "-0.5"}
    assert {value: number(value) for value in shown} == shown
    assert percent(0.991666) == "99.17 %"
    assert [duration(s) for s in (8.24, 200, 4321)] == ["8.2 s", "3 min 20 s", "1 h 12 min"]
    assert number(math.nan) == "nan"


def test_a_table_of_many_epochs_has_one_of_each_so_many_and_the_last():
    fields = {"part": "test", "train_loss": 1.0, "train_accuracy": 0.5, "eval_loss": 1.0, "eval_accuracy": 0.5}
    epochs = [fields | {"epoch": n, "step": 7 * n, "learning_rate": 0.1, "seconds": 1.0} for n in range(1, 2502)]
    made = curves(epochs, [])
    assert made.every == 3 and [record["epoch"] for record in made.epochs] == list(range(2, 2502, 3))
    assert curves(epochs[:9], []).epochs == epochs[:9]


def test_colours_come_again_dashed():
    looks = [look(tone) for tone in range(24)]
    assert len(set(looks)) == 24 and looks[0] == "tone0 dash0" and looks[9] == "tone1 dash1"


def test_many_long_lines_have_no_more_points_together_than_a_page_can_hold():
    lines = [Line(str(i), range(5000), list(np.random.default_rng(i).random(5000))) for i in range(60)]
    drawn = chart("loss", "Loss", lines, log=True)
    assert 5_000 < sum(len(path.line.x) for path in drawn.paths) <= 12_000
