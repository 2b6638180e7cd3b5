"""Facts about resizing that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import resize_bilinear, resize_nearest


def line(*values):
    return jnp.array(values, jnp.float32)[None, :, None]


def test_the_nearest_neighbour_is_the_one_below():
    x = line(1, 2, 3)
    np.testing.assert_array_equal(resize_nearest(x, 6), line(1, 1, 2, 2, 3, 3))
    np.testing.assert_array_equal(resize_nearest(x, 5), line(1, 1, 2, 2, 3))
    np.testing.assert_array_equal(resize_nearest(x, 2), line(1, 2))


def test_between_neighbours_values_go_along_a_line():
    x = line(0, 4)
    np.testing.assert_allclose(resize_bilinear(x, 4), line(0, 1, 3, 4))
    np.testing.assert_allclose(resize_bilinear(x, 5, align_corners=True), line(0, 1, 2, 3, 4))
    np.testing.assert_allclose(resize_bilinear(line(0, 1, 2, 3), 2), line(0.5, 2.5))
    np.testing.assert_allclose(resize_bilinear(line(5, 6, 7), 1, align_corners=True), line(5))


def test_a_gradient_of_ones_counts_the_readers():
    dx = jax.grad(lambda x: resize_nearest(x, 5).sum())(line(0, 0, 0))
    np.testing.assert_array_equal(dx, line(2, 2, 1))
    dx = jax.grad(lambda x: resize_nearest(x, 2).sum())(line(0, 0, 0))
    np.testing.assert_array_equal(dx, line(1, 1, 0))


@pytest.mark.parametrize("sizes", [(7, 10), (3, 2), (5, 4)])
def test_without_aligned_corners_it_is_what_jax_image_gives(sizes):
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    expected = jax.image.resize(x, (2, *sizes, 3), "linear", antialias=False)
    np.testing.assert_allclose(resize_bilinear(x, sizes), expected, rtol=1e-5, atol=1e-5)


def test_half_precision_keeps_a_constant():
    x = jnp.full((1, 3, 1), 3.140625, jnp.bfloat16)
    assert (resize_bilinear(x, 7) == x[0, 0, 0]).all()


def test_what_is_resized_to_its_own_size_is_unchanged():
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    for y in (resize_nearest(x, (5, 4)), resize_bilinear(x, (5, 4)), resize_bilinear(x, (5, 4), align_corners=True)):
        np.testing.assert_array_equal(y, x)
