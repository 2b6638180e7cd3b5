"""Local response normalisation by numbers worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxcnn.ops import local_response_norm

X = jnp.array([1.0, 2, 3, 4]).reshape(1, 1, 4)


def test_an_odd_window_reaches_as_far_to_both_sides():
    y = local_response_norm(X, 3, alpha=3.0, beta=1.0, k=1.0)
    np.testing.assert_allclose(y.ravel(), [1 / (1 + 5), 2 / (1 + 14), 3 / (1 + 29), 4 / (1 + 25)], rtol=1e-6)


def test_an_even_window_reaches_one_further_back():
    """torch.nn.functional.local_response_norm(x, 2, 2.0, 1.0, 1.0) pads size // 2 before and (size - 1) // 2 after."""
    y = local_response_norm(X, 2, alpha=2.0, beta=1.0, k=1.0)
    np.testing.assert_allclose(y.ravel(), [1 / (1 + 1), 2 / (1 + 5), 3 / (1 + 13), 4 / (1 + 25)], rtol=1e-6)


def test_places_and_examples_do_not_see_each_other():
    x = jnp.stack([jnp.ones((2, 2, 4)), 100 * jnp.ones((2, 2, 4))])
    np.testing.assert_array_equal(local_response_norm(x)[:1], local_response_norm(x[:1]))


def test_half_precision_squares_do_not_overflow():
    y = local_response_norm(jnp.full((1, 1, 4), 300.0, jnp.float16), alpha=1.0)
    assert y.dtype == jnp.float16 and np.isfinite(y).all() and (y > 0).all()


def test_a_window_of_many_channels_is_a_short_program():
    """Written out, it would be 1001 additions, which XLA takes long to compile."""
    program = jax.make_jaxpr(jax.grad(lambda x: local_response_norm(x, 1001).sum()))(jnp.ones((2, 2, 2048)))
    assert str(program).count(" add ") < 100
