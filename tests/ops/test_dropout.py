"""Facts about dropout that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops import dropout

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
