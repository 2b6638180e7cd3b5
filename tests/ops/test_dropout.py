"""Facts about dropout that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops import dropout, spatial_dropout, stochastic_depth

KEY = jax.random.key(3)


def test_entries_are_dropped_at_the_rate_and_the_mean_stays():
    y = dropout(jnp.ones(100_000), KEY, rate=0.3)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    assert abs(float((y == 0).mean()) - 0.3) < 0.005  # 3.4 standard deviations
    assert abs(float(y.mean()) - 1) < 0.01


def test_the_gradient_passes_where_the_entry_was_kept():
    x = jnp.ones(1000)
    dx = jax.grad(lambda x: dropout(x, KEY, rate=0.5).sum())(x)
    np.testing.assert_array_equal(dx, dropout(x, KEY, rate=0.5))


def test_a_key_decides_the_mask_and_its_raw_form_is_the_same_key():
    x = jnp.ones(1000)
    y = dropout(x, KEY, rate=0.5)
    np.testing.assert_array_equal(y, dropout(x, KEY, rate=0.5))
    np.testing.assert_array_equal(y, dropout(x, jax.random.key_data(KEY), rate=0.5))
    assert (y != dropout(x, jax.random.key(4), rate=0.5)).any()


def test_rate_0_is_the_identity():
    x = jnp.array([0.1, -jnp.inf, 3e38])
    np.testing.assert_array_equal(dropout(x, KEY, rate=0.0), x)


def test_whole_channels_of_an_example_are_dropped_at_the_rate():
    y = np.asarray(spatial_dropout(jnp.ones((50, 3, 2, 400)), KEY, rate=0.3))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.7)}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    assert abs(float((y[:, 0, 0] == 0).mean()) - 0.3) < 0.01  # 3 standard deviations
    assert (y[0] != y[1]).any()


def test_channels_first_drops_channels_too():
    y = np.asarray(spatial_dropout(jnp.ones((4, 8, 3, 2)), KEY, rate=0.5, layout="NCHW"))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :, :1, :1], y.shape))
    assert len(np.unique(y)) == 2


def test_whole_examples_are_dropped_at_the_rate():
    y = np.asarray(stochastic_depth(jnp.ones((20_000, 2, 3)), KEY, rate=0.2))
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.8)}
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    assert abs(float((y[:, 0, 0] == 0).mean()) - 0.2) < 0.01  # 3.5 standard deviations


def test_where_there_is_one_entry_to_draw_for_the_three_are_the_same():
    x = jnp.ones((100, 1, 1, 1))
    one = dropout(x, KEY, rate=0.5)
    np.testing.assert_array_equal(spatial_dropout(x, KEY, rate=0.5), one)
    np.testing.assert_array_equal(stochastic_depth(x, KEY, rate=0.5), one)
