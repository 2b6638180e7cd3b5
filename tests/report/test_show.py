"""An operation's page: its numbers are the derivatives of loops in NumPy, and it is well made."""

import functools

import jax
import numpy as np
import pytest

from jaxcnn.ops.rule import RULES
from jaxcnn.report.show import page
from jaxcnn.report.show.array import grid
from jaxcnn.report.show.curve import samples
from jaxcnn.report.show.examples import EXAMPLES, example
from jaxcnn.report.show.numbers import number
from jaxcnn.report.show.page import operation
from jaxcnn.report.show.shares import shares
from jaxcnn.report.show.steps import steps
from jaxcnn.verify.catalog.draw import Draw, worked_out
from jaxcnn.verify.catalog.naive import NAIVE
from tests.report.pages import Page

STEP = 1e-4
run = functools.cache(lambda name: shares(name, EXAMPLES[name]))
with_arrays = pytest.mark.parametrize("name", [name for name, shown in EXAMPLES.items() if shown.args])


@functools.cache
def call(name):
    """The arrays and options that the door makes of the example's; keys are raw."""
    with jax.enable_x64(True):
        arrays, options = worked_out(name, Draw(EXAMPLES[name].args, EXAMPLES[name].options))
    return [a if a is None else np.asarray(a) for a in arrays], options


def by_loops(name, inputs):
    """The outputs by loops in NumPy, one after the other, with these in place of the first arrays that are shown."""
    arrays, options = call(name)
    given = iter(inputs)
    args = [a if a is None else next(given, a) for a in arrays]
    try:
        with jax.enable_x64(True):
            y = NAIVE[name](*args, **options)
    except ValueError:  # the logarithm of what has been moved below 0
        return np.full(sum(out.value.size for out in run(name).outputs), np.nan)
    return np.concatenate([np.ravel(y) for y in jax.tree.leaves(y)])


def differences(name, arrays, moved):
    """The derivatives of all outputs for each entry of an input, and where they have one: both sides agree."""
    columns = []
    for entry in range(arrays[moved].size):
        sides = []
        for step in (-STEP, 0, STEP):
            x = arrays[moved].astype(np.float64)
            x.flat[entry] += step
            sides.append(by_loops(name, [x if i == moved else a for i, a in enumerate(arrays)]))
        columns.append(((sides[1] - sides[0]) / STEP, (sides[2] - sides[1]) / STEP))
    left, right = (np.stack(side, 1) for side in zip(*columns, strict=True))
    return (left + right) / 2, np.abs(right - left) < 1e-2


def test_an_example_is_an_operation_s_and_says_what_to_look_at():
    assert set(EXAMPLES) <= set(RULES)
    assert all(shown.look and (shown.args or shown.line) for shown in EXAMPLES.values())


@with_arrays
def test_what_is_shown_is_what_loops_and_their_differences_give(name):
    shown = run(name)
    arrays = [named.value for named in shown.inputs]
    values = np.concatenate([np.ravel(named.value) for named in shown.outputs])
    dy = np.concatenate([np.ravel(named.cotangent) for named in shown.outputs])
    np.testing.assert_allclose(values, by_loops(name, arrays), rtol=1e-9, atol=1e-12)
    for i, named in enumerate(shown.inputs):
        slopes = [of_output[i] for of_output in shown.slopes]
        if named.cotangent is None:
            assert not np.issubdtype(named.value.dtype, np.floating) and slopes == [None] * len(slopes)
            continue
        expected, smooth = differences(name, arrays, i)
        assert smooth.mean() > 0.6
        np.testing.assert_allclose(np.concatenate(slopes)[smooth], expected[smooth], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(np.ravel(named.cotangent), dy @ np.concatenate(slopes), rtol=1e-9, atol=1e-12)


@with_arrays
def test_a_step_shows_the_derivatives_and_shares_of_its_entry(name):
    shown = run(name)
    for output, of_output in zip(shown.outputs, shown.slopes, strict=True):
        for entry, parts in enumerate(steps(shown).parts[shown.outputs.index(output)]):
            told = {(i, j): (slope, share) for i, j, slope, share, _ in parts}
            for i, slopes in enumerate(of_output):
                for j, slope in enumerate([] if slopes is None else slopes[entry]):
                    share = slope * output.cotangent.flat[entry]
                    assert told.pop((i, j), ("0", "0")) == (number(slope), number(share))
            assert not told


def test_at_a_tie_the_first_maximum_gets_all():
    slopes = run("max_pool").slopes[0][0].reshape(3, 3, 4, 4)
    window = np.array([[3, 6], [2, 1]])  # at (2, 0) of x, with a 6 beside it that is in the next window, too
    np.testing.assert_array_equal(run("max_pool").inputs[0].value[0, 2:, :2, 0], window)
    assert slopes[2, 1].sum() == slopes[2, 1, 2, 1] == 1  # of two 6 the left one
    assert slopes[:2, :2, 1, 1].sum() == 4  # the 9 wins four windows


@pytest.mark.parametrize(
    ("name", "kinks"),
    [
        ("relu", [(0, 0, 1, 0)]),
        ("relu6", [(0, 0, 1, 0), (6, 1, 0, 0)]),
        ("elu", [(0, 0.5, 1, 0.5)]),
        ("celu", []),
        ("gelu", []),
        ("hard_swish", [(-3, 0, -0.5, 0), (3, 1.5, 1, 1)]),
        ("hinge", [(1, -1, 0, 0)]),
        ("l1", [(0, -1, 1, 0)]),
        ("huber", []),
    ],
)
def test_kinks_are_found_with_the_slope_that_the_rule_takes(name, kinks):
    drawn = samples(name, EXAMPLES[name])
    found = [(kink.at, kink.left, kink.right, kink.taken) for kink in drawn.kinks]
    np.testing.assert_allclose(np.reshape(found, (-1, 4)), np.reshape(kinks, (-1, 4)), atol=1e-5)
    assert len(drawn.pieces) == len(kinks) + 1
    line = EXAMPLES[name].line
    others = [np.full(drawn.x.shape, other) for other in line.others]
    expected = NAIVE[name](drawn.x, *others, **EXAMPLES[name].options)
    np.testing.assert_allclose(drawn.value, expected, rtol=1e-9, atol=1e-12)


def test_the_page_of_all_is_well_made_and_needs_nothing_else():
    html = page(list(RULES))
    read = Page(html)
    assert len(html.encode()) < 2_500_000
    assert len(read.ids) == len(set(read.ids)) and set(RULES) <= set(read.ids)
    assert {href.removeprefix("#") for href in read.hrefs} <= set(read.ids)
    assert not read.loads and "http://" not in html and "https://" not in html
    text = " ".join(read.text)
    assert "dx[0, 0]" in text and "rotated by 180°" in text and "nan" not in text.split()


@pytest.mark.parametrize("name", ["batch_norm", "prelu"])
def test_the_page_of_one_has_its_numbers_and_its_derivation(name):
    read = Page(page([name]))
    text = " ".join("".join(read.text).split())
    shown = run(name)
    assert "".join(read.text).count(name) > 1
    for named in shown.inputs + shown.outputs:
        for entry, value in enumerate(named.value.flat):
            index = "" if named.value.size == 1 else list(map(int, np.unravel_index(entry, named.value.shape)))
            assert f"{named.name}{index} is {number(value)}" in text
    assert read.data[-1] == [[[list(part) for part in parts] for parts in of] for of in steps(shown).parts]
    assert {"batch_norm": "three paths", "prelu": "dslope"}[name] in text
    assert {"batch_norm": "misses the path through the mean", "prelu": "At x = 0 the slope jumps from 0.25"}[
        name
    ] in text


def test_planes_do_not_overlap_and_cells_have_their_own_place():
    drawn = grid("x", np.arange(2 * 2 * 3 * 3.0).reshape(2, 2, 3, 3))
    cells = [cell for plane in drawn.planes for row in plane.rows for cell in row]
    assert [plane.caption for plane in drawn.planes[:4]] == [
        "n = 0, c = 0",
        "n = 0, c = 1",
        "n = 0, c = 2",
        "n = 1, c = 0",
    ]
    assert len({(cell.x, cell.y) for cell in cells}) == len({(cell.row, cell.column) for cell in cells}) == 36
    assert all(cell.text == str(cell.entry) for cell in cells)
    assert {cell.entry: cell.index for cell in cells}[35] == "[1, 1, 2, 2]"
    assert max(cell.x for cell in cells) + drawn.cell[0] == drawn.width
    assert max(cell.y for cell in cells) + drawn.cell[1] == drawn.height


@pytest.mark.parametrize(
    ("value", "text"), [(2.0, "2"), (-1 / 3, "−0.33"), (12.54, "12.5"), (1e-3, "~0"), (-1e-12, "0"), (0.996, "1")]
)
def test_numbers_are_short(value, text):
    assert number(value) == text


@pytest.mark.parametrize("name", ["dense", "batch_norm", "dropout", "relu"])
def test_an_operation_without_an_example_is_shown_on_a_draw(name, monkeypatch):
    monkeypatch.delitem(EXAMPLES, name)
    assert example(name).args[0].size >= 4 or example(name).args[1].size >= 4
    assert {"dense": 3, "batch_norm": 3, "dropout": 1, "relu": 1}[name] >= len(operation(name).steps.inputs) >= 1
    assert operation(name).plot is None
