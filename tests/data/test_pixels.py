import tracemalloc

import jax
import numpy as np
import pytest

from jaxcnn.data import normalise, statistics


def test_statistics_are_those_of_the_scaled_pixels():
    images = np.random.default_rng(0).integers(0, 256, (300, 70, 60, 3), dtype=np.uint8)  # more than one block
    images[..., 1] //= 3
    mean, std = statistics(images)
    scaled = images.astype(np.float64) / 255
    np.testing.assert_allclose(mean, scaled.mean((0, 1, 2)), rtol=1e-7)
    np.testing.assert_allclose(std, scaled.std((0, 1, 2)), rtol=1e-7)
    assert (mean.dtype, std.dtype) == (np.float32, np.float32)


def test_statistics_of_large_images_take_little_memory():
    images = np.random.default_rng(0).integers(0, 256, (8, 1000, 1000, 3), dtype=np.uint8)
    tracemalloc.start()
    mean, _ = statistics(images)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_allclose(mean, images.mean((0, 1, 2)) / 255, rtol=1e-6)
    assert peak < images.nbytes / 2


def test_normalised_training_images_have_mean_0_and_deviation_1():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 2), dtype=np.uint8)
    x = jax.jit(normalise)(images, *statistics(images))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std((0, 1, 2)), 1, atol=1e-6)


def test_normalise_by_hand():
    image = np.uint8([[[[0, 255]]]])
    x = normalise(image, np.float32([0.5, 0.5]), np.float32([0.25, 0.5]))
    np.testing.assert_array_equal(x, [[[[-2, 1]]]])


def test_a_constant_channel_becomes_zero():
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 4, 2), dtype=np.uint8)
    images[..., 1] = 77
    mean, std = statistics(images)
    assert std[1] == 1
    np.testing.assert_allclose(normalise(images, mean, std)[..., 1], 0, atol=1e-7)


@pytest.mark.parametrize(
    ("images", "seen"),
    [
        (np.zeros((2, 3, 3, 1)), r"shape \(2, 3, 3, 1\) and dtype float64"),
        (np.zeros((3, 3, 1), np.uint8), r"shape \(3, 3, 1\)"),
        (np.zeros((0, 3, 3, 1), np.uint8), r"shape \(0, 3, 3, 1\)"),
    ],
)
def test_statistics_of_something_else(images, seen):
    with pytest.raises(ValueError, match=f"statistics: images has {seen}.*; expected a non-empty"):
        statistics(images)
