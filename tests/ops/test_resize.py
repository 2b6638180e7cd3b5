"""Facts about resizing that the table of cases does not say."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.ops import (
    affine_grid,
    conv,
    dense,
    fold,
    grid_sample,
    pixel_shuffle,
    pixel_unshuffle,
    resize_bicubic,
    resize_bilinear,
    resize_nearest,
    unfold,
)
from jaxcnn.verify.catalog.resize import naive as loops


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


@pytest.mark.parametrize("sizes", [(7, 10), (3, 2), (5, 4), (2, 9)])
@pytest.mark.parametrize("method, options", [("linear", {}), ("cubic", {"a": -0.5, "exclude_outside": True})])
@pytest.mark.parametrize("antialias", [False, True])
def test_it_is_what_jax_image_gives(sizes, method, options, antialias, x64):
    x = np.random.default_rng(0).standard_normal((2, 5, 4, 3))
    resize = resize_bilinear if method == "linear" else resize_bicubic
    expected = jax.image.resize(x, (2, *sizes, 3), method, antialias=antialias)
    np.testing.assert_allclose(resize(x, sizes, antialias=antialias, **options), expected, rtol=0, atol=2e-7)


def test_nearest_exact_is_what_jax_image_gives():
    x = jax.random.normal(jax.random.key(0), (2, 5, 4, 3))
    for sizes in [(7, 10), (3, 2), (2, 9)]:
        y = resize_nearest(x, sizes, coordinates="half_pixel", rounding="round_prefer_ceil")
        np.testing.assert_array_equal(y, jax.image.resize(x, (2, *sizes, 3), "nearest"))


@pytest.mark.parametrize("coordinates", ["half_pixel_symmetric", "pytorch_half_pixel"])
@pytest.mark.parametrize("words", [{"scale": 0.6}, {"scale": (0.3, 1.7)}, {"sizes": (1, 3)}])
def test_onnx_s_further_coordinates(coordinates, words, x64):
    x = np.random.default_rng(0).standard_normal((1, 4, 3, 2))
    for resize, naive in ((resize_nearest, loops.resize_nearest), (resize_bilinear, loops.resize_bilinear)):
        expected = naive(x, coordinates=coordinates, **words)
        np.testing.assert_allclose(resize(x, coordinates=coordinates, **words), expected, rtol=1e-12)


def test_a_scale_is_not_what_the_sizes_say():
    x = line(0, 1, 2, 3)
    np.testing.assert_allclose(resize_bilinear(x, scale=0.6, coordinates="asymmetric"), line(0, 1 / 0.6), rtol=1e-6)
    np.testing.assert_allclose(resize_bilinear(x, 2, coordinates="asymmetric"), line(0, 2))


def test_cubic_curves_reproduce_parabolas_inside():
    """Keys's theorem, for a = -1/2 alone."""
    x = line(*(v * v for v in range(9)))
    at = np.arange(2, 6, 0.5)
    inside = slice(4, 12)
    y = resize_bicubic(x, scale=2, coordinates="asymmetric", a=-0.5)
    np.testing.assert_allclose(y[0, inside, 0], at * at, rtol=1e-5)
    assert abs(resize_bicubic(x, scale=2, coordinates="asymmetric")[0, inside, 0] - at * at).max() > 0.05


def test_antialiasing_of_whole_multiples_weighs_by_a_tent():
    x = line(0, 0, 8, 0, 0, 0)
    np.testing.assert_allclose(resize_bilinear(x, 3, antialias=True)[0, 1], 3, rtol=1e-6)  # 3/8, and 1/8 next to it
    np.testing.assert_allclose(resize_bilinear(x, 3)[0, 1], 4)


def test_what_is_not_read_is_not_seen():
    x = line(0, 1, np.nan, np.inf, 4, 5)
    assert np.isfinite(resize_bilinear(x, 6)[0, [0, 1, 4, 5]]).all()
    grid = jnp.array([[[-1.0], [1.0]]])
    np.testing.assert_array_equal(grid_sample(x, grid, align_corners=True), line(0, 5))


def test_shuffled_channels_come_back_and_lie_as_pytorch_has_them():
    x = jnp.arange(1.0, 17).reshape(1, 1, 2, 8)
    y = pixel_shuffle(x, 2)
    np.testing.assert_array_equal(y[0, :, :, 0], [[1, 2, 9, 10], [3, 4, 11, 12]])
    np.testing.assert_array_equal(y[0, :, :, 1], [[5, 6, 13, 14], [7, 8, 15, 16]])
    np.testing.assert_array_equal(pixel_unshuffle(y, 2), x)


@pytest.mark.parametrize("corners", [False, True])
def test_the_identitys_grid_reads_the_image_itself(corners):
    x = jax.random.normal(jax.random.key(0), (2, 4, 5, 3))
    theta = jnp.array([[[1.0, 0, 0], [0, 1, 0]]] * 2)
    y = grid_sample(x, affine_grid(theta, (4, 5), align_corners=corners), align_corners=corners)
    np.testing.assert_allclose(y, x, rtol=1e-5, atol=1e-5)
    y = grid_sample(x, affine_grid(-theta, (4, 5), align_corners=corners), align_corners=corners, mode="nearest")
    np.testing.assert_array_equal(y, x[:, ::-1, ::-1])


def test_a_place_that_is_not_a_number_gives_none_and_one_far_off_zero():
    x = line(1, 2, 3)
    grid = jnp.array([[[jnp.nan], [jnp.inf], [-1e30]]])
    for mode in ("bilinear", "nearest"):
        np.testing.assert_array_equal(grid_sample(x, grid, mode=mode), line(np.nan, 0, 0))
        np.testing.assert_array_equal(grid_sample(x, grid, mode=mode, padding_mode="border"), line(np.nan, 3, 1))


def test_half_precision_is_placed_in_float32():
    """256 pixels have no numbers of their own in bfloat16."""
    x = jnp.arange(300, dtype=jnp.bfloat16)[None, :, None]
    grid = affine_grid(jnp.array([[[1.0, 0.0]]]), 300)
    np.testing.assert_array_equal(grid_sample(x, grid, mode="nearest"), x)


def test_a_convolution_is_a_dense_layer_of_the_windows(x64):
    rng = np.random.default_rng(0)
    x, kernel = rng.standard_normal((2, 6, 5, 3)), rng.standard_normal((3, 2, 3, 4))
    options = {"stride": (2, 1), "padding": ((1, 0), (2, 1)), "dilation": (1, 2)}
    rows = unfold(x, (3, 2), **options)
    expected = conv(x, kernel, **options)
    y = dense(rows, np.moveaxis(kernel, -2, 0).reshape(-1, 4))
    np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=0, atol=1e-13)
    counts = fold(np.ones(rows.shape), (6, 5), (3, 2), **options)
    np.testing.assert_allclose(fold(rows, (6, 5), (3, 2), **options), x * counts, rtol=0, atol=1e-13)


def test_patches_side_by_side_are_not_gathered():
    jaxpr = str(
        jax.make_jaxpr(
            lambda x: unfold.forward(x, window=(4, 4), stride=(4, 4), padding=((0, 0),) * 2, dilation=(1, 1))[0]
        )(jnp.ones((1, 8, 8, 3)))
    )
    assert "gather" not in jaxpr


@pytest.mark.parametrize("sizes", [(3, 3), (9, 7), (15, 5), (21, 21)])
def test_places_on_pixels_are_read_from_one_pixel_with_its_weight(sizes):
    """XLA may compute a place for the pixel and for its weight apart, and round it another way."""
    x = 255 * jax.random.uniform(jax.random.key(0), (1, *sizes, 1))
    along = [(2 * np.arange(n) + 1 - n) / n for n in sizes]
    grid = np.stack(np.meshgrid(*along[::-1]), -1)[None].astype(np.float32)
    np.testing.assert_allclose(jax.jit(grid_sample)(x, grid), x, rtol=1e-5, atol=1e-3)
