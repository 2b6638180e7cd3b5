"""Facts about pooling that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import (
    adaptive_avg_pool,
    adaptive_max_pool,
    adaptive_max_pool_with_indices,
    avg_pool,
    batch_norm,
    conv,
    dense,
    flatten,
    global_avg_pool,
    global_max_pool,
    lp_pool,
    max_pool,
    max_pool_with_indices,
    max_unpool,
)
from jaxcnn.verify.catalog.pool import naive
from jaxcnn.verify.catalog.windows.naive import windows
from tests.ops.cases.pool import CASES
from tests.ops.test_rules import arrays_of, results


def test_2x2_pooling_halves_224():
    x = jax.ShapeDtypeStruct((1, 224, 224, 32), jnp.float32)
    assert jax.eval_shape(lambda x: max_pool(x, 2), x).shape == (1, 112, 112, 32)


def image(rows):
    return jnp.array(rows, jnp.float32)[None, :, :, None]


def grad(f):
    return jax.jit(jax.grad(f))


def test_max_pool_gives_its_gradient_to_the_maximum_alone():
    x = image([[1, 3, 2, 0], [4, 2, 1, 5]])
    dx = grad(lambda x: (max_pool(x, 2) * image([[10, 20]])).sum())(x)
    np.testing.assert_array_equal(dx, image([[0, 0, 0, 0], [10, 0, 0, 20]]))


def test_mean_pool_shares_its_gradient_evenly():
    dx = grad(lambda x: (avg_pool(x, 2) * image([[4, 8]])).sum())(jnp.zeros((1, 2, 4, 1)))
    np.testing.assert_array_equal(dx, image([[1, 1, 2, 2], [1, 1, 2, 2]]))


@pytest.mark.parametrize("pool", [lambda x: max_pool(x, 2), global_max_pool], ids=["max_pool", "global_max_pool"])
def test_of_equal_maxima_the_first_in_row_major_order_wins(pool):
    for rows, first in [([[1, 1], [1, 1]], (0, 0)), ([[0, 1], [1, 1]], (0, 1)), ([[0, 0], [1, 1]], (1, 0))]:
        dx = grad(lambda x: pool(x).sum())(image(rows))
        assert [tuple(map(int, at)) for at in np.argwhere(dx[0, :, :, 0])] == [first]


def test_an_entry_that_wins_several_windows_gets_all_their_cotangents():
    dx = grad(lambda x: max_pool(x, 3, stride=1).sum())(image([[0, 0, 9, 0, 0]] * 3))
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
    x = image([[256, 1, 1], [1, 1, 1], [1, 1, 1]]).astype(jnp.bfloat16)  # in bfloat16 256 + 1 is 256
    expected = jnp.bfloat16(264 / 9)
    assert avg_pool(x, 3).item() == global_avg_pool(x).item() == expected != jnp.bfloat16(262 / 9)


@pytest.mark.parametrize("case", [c for c in CASES if c.rule == "max_pool" and not c.smooth], ids=str)
def test_second_order_of_ties_picks_the_first_maximum_again(case, x64):
    """dx is linear in dy, so its transpose reads the cotangent of dx where the maximum was."""
    (x,) = map(np.asarray, arrays_of(case))
    (dx,), (ddy, ddx) = results(case).handwritten.dx, results(case).handwritten.reverse_over_reverse
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


def test_an_lp_pool_lies_between_the_sum_and_the_maximum():
    x = image([[1, 2], [3, 4]])
    assert lp_pool(x, 1, 2).item() == 10
    assert lp_pool(x, 2, 2).item() == pytest.approx(30**0.5, rel=1e-6)
    assert lp_pool(x, 40.0, 2).item() == pytest.approx(4, rel=1e-5)


def test_where_an_lp_pools_sum_is_zero_its_gradient_is_zero():
    x = image([[0, 0, 3, 0], [0, 0, 0, 4]])
    dx = grad(lambda x: lp_pool(x, 2, 2).sum())(x)
    np.testing.assert_allclose(dx, image([[0, 0, 0.6, 0], [0, 0, 0, 0.8]]), rtol=1e-6)
    again = grad(lambda x: (grad(lambda x: lp_pool(x, 2, 2).sum())(x) ** 2).sum())(x)
    assert jnp.isfinite(again).all()


def test_adaptive_bins_overlap_where_they_must():
    x = jnp.arange(5.0)[None, :, None]  # bins of 5 positions in 3: 0-1, 1-3, 3-4
    np.testing.assert_allclose(adaptive_avg_pool(x, 3)[0, :, 0], [0.5, 2, 3.5])
    np.testing.assert_array_equal(adaptive_max_pool(x, 3)[0, :, 0], [1, 3, 4])
    dx = grad(lambda x: (adaptive_avg_pool(x, 3)[0, :, 0] * jnp.array([2.0, 3.0, 2.0])).sum())(x)
    np.testing.assert_allclose(dx[0, :, 0], [1, 2, 1, 2, 1])


def test_adaptive_pooling_to_one_is_global_and_to_a_divisor_is_pooling():
    x = jax.random.normal(jax.random.key(0), (2, 6, 8, 3))
    np.testing.assert_allclose(adaptive_avg_pool(x, 1)[:, 0, 0], global_avg_pool(x), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(adaptive_max_pool(x, 1)[:, 0, 0], global_max_pool(x))
    np.testing.assert_allclose(adaptive_avg_pool(x, (3, 2)), avg_pool(x, (2, 4)), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(adaptive_max_pool(x, (3, 2)), max_pool(x, (2, 4)))


INDEXED = [c for c in CASES if c.rule == "max_pool" and c.options.get("layout") is None]


@pytest.mark.parametrize("case", INDEXED, ids=str)
def test_indices_are_the_row_major_places_of_the_first_maxima(case, x64):
    (x,) = arrays_of(case)
    y, indices = jax.jit(lambda x: max_pool_with_indices(x, **case.options))(x)
    expected = naive.max_pool_with_indices(np.asarray(x), **case.options)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(indices, expected[1])
    assert indices.dtype == np.int32


def test_indices_and_unpooling_channels_first():
    x = jax.random.normal(jax.random.key(0), (2, 3, 5, 4))
    y, indices = max_pool_with_indices(x, 2, layout="NCHW")
    last = max_pool_with_indices(jnp.moveaxis(x, 1, -1), 2)
    np.testing.assert_array_equal(y, jnp.moveaxis(last[0], -1, 1))
    np.testing.assert_array_equal(indices, jnp.moveaxis(last[1], -1, 1))
    back = max_unpool(y, indices, (5, 4), layout="NCHW")
    np.testing.assert_array_equal(back, jnp.moveaxis(max_unpool(*last, (5, 4)), -1, 1))


def test_max_pool_with_indices_has_the_gradient_of_max_pool():
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    got = grad(lambda x: (max_pool_with_indices(x, 2)[0] ** 2).sum())(x)
    np.testing.assert_array_equal(got, grad(lambda x: (max_pool(x, 2) ** 2).sum())(x))


@pytest.mark.parametrize("case", [c for c in CASES if c.rule == "adaptive_max_pool"], ids=str)
def test_adaptive_indices_are_those_of_the_loops(case, x64):
    (x,) = arrays_of(case)
    y, indices = jax.jit(lambda x: adaptive_max_pool_with_indices(x, **case.options))(x)
    if case.options.get("layout") == "NCHW":
        x, y, indices = (np.moveaxis(a, 1, -1) for a in (x, y, indices))
    expected = naive.adaptive_max_pool_with_indices(np.asarray(x), sizes=case.options["sizes"])
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_array_equal(indices, expected[1])
    assert indices.dtype == np.int32


def test_unpooling_puts_the_maxima_back():
    x = image([[1, 3, 2, 0], [4, 2, 1, 5]])
    y = max_unpool(*max_pool_with_indices(x, 2), (2, 4))
    np.testing.assert_array_equal(y, image([[0, 0, 0, 0], [4, 0, 0, 5]]))


def test_of_entries_with_one_index_the_last_stands_and_gets_the_gradient():
    x, indices = jnp.array([1.0, 2.0, 3.0])[None, :, None], jnp.array([1, 1, 0])[None, :, None]
    y, pull = jax.vjp(lambda x: max_unpool(x, indices, 3), x)
    np.testing.assert_array_equal(y[0, :, 0], [3, 2, 0])
    np.testing.assert_array_equal(pull(jnp.array([5.0, 7.0, 9.0])[None, :, None])[0][0, :, 0], [0, 7, 5])


def test_an_index_outside_of_the_image_is_nan_under_jit():
    x, indices = jnp.ones((1, 3, 1)), jnp.array([0, 7, 1])[None, :, None]
    y = jax.jit(lambda x, indices: max_unpool(x, indices, 4))(x, indices)
    np.testing.assert_array_equal(y[0, :, 0], [1, 1, 0, np.nan])


def test_the_winner_is_told_where_the_image_is_computed_twice():
    """XLA may compute the image for the maximum and again for the winner, rounded otherwise: none would equal it."""
    x, kernel = jax.random.normal(jax.random.key(0), (16, 6, 5, 4)), jax.random.normal(jax.random.key(1), (3, 3, 4, 8))

    def squares(kernel, x):
        x = batch_norm(conv(x, kernel), kernel[0, 0, 0], kernel[0, 0, 1])[0]
        x = max_unpool(*max_pool_with_indices(x, 2), x.shape[1:-1])
        return jnp.square(dense(flatten(x), jnp.sin(jnp.arange(720.0)).reshape(240, 3))).mean()

    for gradient in (jax.value_and_grad(squares), jax.value_and_grad(squares, 1)):
        for got, expected in zip(jax.jit(gradient)(kernel, x), gradient(kernel, x), strict=True):
            np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
