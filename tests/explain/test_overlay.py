"""Maps drawn over their pictures."""

import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib import colormaps

from jaxcnn import explain

RNG = np.random.default_rng(0)


def test_heat_of_a_map_is_what_speaks_for_the_class_over_the_largest():
    """At twice the size, linearly: at a quarter between two values."""
    attributions = np.array([[[4.0, 2.0], [-1.0, 0.0]], [[-1.0, -2.0], [0.0, -3.0]]], np.float32)
    heat = explain.heat(attributions, (4, 4))
    np.testing.assert_allclose(heat[0, 0], [1, 0.875, 0.625, 0.5], rtol=1e-6)
    np.testing.assert_allclose(heat[0, :, 0], [1, 0.75, 0.25, 0], rtol=1e-6)
    np.testing.assert_array_equal(heat[1], 0)
    np.testing.assert_array_equal(explain.heat(7 * attributions, (4, 4)), heat)


def test_heat_of_attributions_is_the_largest_channels_over_the_99th_percentile():
    attributions = RNG.standard_normal((2, 20, 30, 3)).astype(np.float32)
    attributions[1] *= 1000
    largest = np.abs(attributions).max(-1)
    expected = [np.minimum(picture / np.percentile(picture, 99), 1) for picture in largest]
    np.testing.assert_allclose(explain.heat(attributions, (20, 30)), expected, rtol=1e-5)
    np.testing.assert_array_equal(explain.heat(jnp.zeros((1, 2, 2, 1)), (3, 3)), np.zeros((1, 3, 3)))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_overlay_is_gray_where_it_is_cold_and_coloured_where_it_is_hot(channels):
    pixels = RNG.integers(0, 256, (5, 4, channels), np.uint8)
    heat = np.zeros((5, 4), np.float32)
    heat[0, 0], heat[1, 1] = 1, 0.25
    drawn = explain.overlay(pixels, heat, opacity=0.8)
    gray = pixels @ np.array([0.299, 0.587, 0.114] if channels == 3 else [1])
    np.testing.assert_allclose(drawn[2:], np.repeat(gray[2:, :, None], 3, -1), atol=0.5)
    for place, share in (((0, 0), 0.8), ((1, 1), 0.4)):
        colour = 255 * np.array(colormaps["inferno"](heat[place])[:3])
        np.testing.assert_allclose(drawn[place], (1 - share) * gray[place] + share * colour, atol=0.51)
    assert drawn.dtype == np.uint8 and drawn.shape == (5, 4, 3)


def test_what_is_wrong_is_named():
    with pytest.raises(ValueError, match=r"^overlay: pixels has shape \(5, 4, 2\) and dtype uint8; expected uint8, "):
        explain.overlay(np.zeros((5, 4, 2), np.uint8), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"^overlay: pixels has shape \(5, 4, 3\) and dtype float64; expected uint8"):
        explain.overlay(np.zeros((5, 4, 3)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"^overlay: heat has shape \(4, 5\); expected the picture's, \(5, 4\)"):
        explain.overlay(np.zeros((5, 4, 3), np.uint8), np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"^overlay: opacity is 2; expected a share, 0 to 1"):
        explain.overlay(np.zeros((5, 4, 3), np.uint8), np.zeros((5, 4)), opacity=2)
    with pytest.raises(ValueError, match=r"^heat: attributions has shape \(4, 5\); expected \(n, h, w\) or"):
        explain.heat(np.zeros((4, 5)), (4, 5))
    with pytest.raises(ValueError, match=r"^heat: size is 4; expected \(h, w\), of 1 or more"):
        explain.heat(np.zeros((1, 4, 5)), 4)
