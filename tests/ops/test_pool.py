"""Facts about pooling that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import avg_pool, global_avg_pool, global_max_pool, max_pool
from jaxcnn.verify.naive.windows import windows
from tests.ops.cases.pool import CASES
from tests.ops.test_rules import arrays_of, results


def test_2x2_pooling_halves_224():
    x = jax.ShapeDtypeStruct((1, 224, 224, 32), jnp.float32)
    assert jax.eval_shape(lambda x: max_pool(x, 2), x).shape == (1, 112, 112, 32)


def image(rows):
    return jnp.array(rows, jnp.float32)[None, :, :, None]


def test_max_pool_gives_its_gradient_to_the_maximum_alone():
    x = image([[1, 3, 2, 0], [4, 2, 1, 5]])
    dx = jax.grad(lambda x: (max_pool(x, 2) * image([[10, 20]])).sum())(x)
    np.testing.assert_array_equal(dx, image([[0, 0, 0, 0], [10, 0, 0, 20]]))


def test_mean_pool_shares_its_gradient_evenly():
    dx = jax.grad(lambda x: (avg_pool(x, 2) * image([[4, 8]])).sum())(jnp.zeros((1, 2, 4, 1)))
    np.testing.assert_array_equal(dx, image([[1, 1, 2, 2], [1, 1, 2, 2]]))


@pytest.mark.parametrize("pool", [lambda x: max_pool(x, 2), global_max_pool], ids=["max_pool", "global_max_pool"])
def test_of_equal_maxima_the_first_in_row_major_order_wins(pool):
    for rows, first in [([[1, 1], [1, 1]], (0, 0)), ([[0, 1], [1, 1]], (0, 1)), ([[0, 0], [1, 1]], (1, 0))]:
        dx = jax.grad(lambda x: pool(x).sum())(image(rows))
        assert [tuple(map(int, at)) for at in np.argwhere(dx[0, :, :, 0])] == [first]


def test_an_entry_that_wins_several_windows_gets_all_their_cotangents():
    dx = jax.grad(lambda x: max_pool(x, 3, stride=1).sum())(image([[0, 0, 9, 0, 0]] * 3))
    np.testing.assert_array_equal(dx, image([[0, 0, 3, 0, 0], [0] * 5, [0] * 5]))


def test_padding_never_wins():
    y = max_pool(-jnp.ones((1, 3, 3, 1)), 2, padding="SAME")
    np.testing.assert_array_equal(y, -np.ones((1, 2, 2, 1)))


def test_nan_is_not_hidden():
    x = image([[1, jnp.nan], [3, 4]])
    assert jnp.isnan(max_pool(x, 2)) and jnp.isnan(global_max_pool(x)) and jnp.isnan(avg_pool(x, 2))
    assert jnp.isnan(max_pool(jnp.repeat(x, 2, 2), 2, dilation=(1, 2), stride=1)).all()


@pytest.mark.parametrize(
    "size, stride, padding, places",
    [(2, 2, 0, 4), (3, 2, 1, 4), (3, 3, 1, 3), (2, 3, 1, 3), (8, 3, 0, 1), (1, 4, 0, 2)],
)
def test_ceil_mode_rounds_up_but_starts_no_window_in_the_high_padding(size, stride, padding, places):
    """PyTorch's numbers for 7 positions: the window of 2 in steps of 3 after a padding of 1 would start at 8."""
    x = jnp.arange(7.0)[None, :, None]
    assert max_pool(x, size, stride=stride, padding=padding, ceil_mode=True).shape == (1, places, 1)


def test_what_ceil_mode_adds_is_never_counted():
    x = jnp.ones((1, 4, 1))
    y = avg_pool(x, 3, stride=2, padding=1, count_padding=True, ceil_mode=True)
    np.testing.assert_allclose(y[0, :, 0], [2 / 3, 1, 1 / 2])  # the last: x, padding, and a position that isn't there


def test_a_dilated_window_skips_what_lies_between_its_taps():
    x = jnp.array([1.0, 9.0, 2.0, 8.0, 3.0])[None, :, None]
    np.testing.assert_array_equal(max_pool(x, 3, stride=1, dilation=2)[0, :, 0], [3])
    np.testing.assert_array_equal(max_pool(x, 2, stride=1, dilation=2)[0, :, 0], [2, 9, 3])


def test_count_padding_divides_the_border_by_the_whole_window():
    x = jnp.ones((1, 2, 2, 1))
    np.testing.assert_allclose(avg_pool(x, 2, stride=1, padding=1)[0, :, :, 0], np.ones((3, 3)))
    counted = avg_pool(x, 2, stride=1, padding=1, count_padding=True)[0, :, :, 0]
    np.testing.assert_allclose(counted, [[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])


def test_half_precision_is_summed_in_float32():
    x = jnp.ones((1, 64, 64, 1), jnp.bfloat16).at[0, ::2].set(3)  # in bfloat16 a sum of ones stops at 256
    assert avg_pool(x, 64).item() == 2
    assert global_avg_pool(x).item() == 2


@pytest.mark.parametrize("case", [c for c in CASES if c.rule == "max_pool" and not c.smooth], ids=str)
def test_second_order_of_ties_picks_the_first_maximum_again(case, x64):
    """dx is linear in dy, so its transpose reads the cotangent of dx where the maximum was."""
    (x,) = map(np.asarray, arrays_of(case))
    _, (dx,), (ddy, ddx) = results(case).handwritten
    c = np.random.default_rng(2).standard_normal(dx.shape)
    axes, size = x.ndim - 2, case.options["size"]
    size = (size,) * axes if isinstance(size, int) else size
    defaults = {"stride": size, "padding": "VALID", "dilation": 1}
    geometry = defaults | {name: value for name, value in case.options.items() if name != "size"}
    for _, place, taps in windows(x.shape[1:-1], size, **geometry):
        for n, channel in np.ndindex(len(x), x.shape[-1]):
            first = max((at for _, at in taps), key=lambda at: x[(n, *at, channel)])  # max keeps the first
            assert ddy[(n, *place, channel)] == c[(n, *first, channel)]
    assert not ddx.any()
