"""The hand-designed kernels against SciPy's and against what they are meant to measure."""

import numpy as np
import pytest
from scipy import ndimage, signal

from jaxcnn.ops import conv, filters
from jaxcnn.ops.conv.filters import depthwise

KERNELS = {name: value for name, value in vars(filters).items() if name.isupper()}
IMAGE = np.random.default_rng(0).standard_normal((7, 9)).astype(np.float32)


def slide(image, taps):
    """`conv` without padding on one image without channels."""
    return np.asarray(conv(image[None, :, :, None], depthwise(taps, 1), padding="VALID"))[0, :, :, 0]


def test_there_are_ten_and_all_are_read_only_float32_matrices():
    assert len(KERNELS) == 10
    for taps in KERNELS.values():
        assert (taps.dtype, taps.ndim) == (np.float32, 2)
        with pytest.raises(ValueError, match="read-only"):
            taps[0, 0] = 5


@pytest.mark.parametrize("name", KERNELS)
def test_blurs_keep_brightness_and_derivatives_remove_it(name):
    keeps = name in ("IDENTITY", "BOX_BLUR", "GAUSSIAN_BLUR", "SHARPEN")
    assert KERNELS[name].sum() == pytest.approx(1 if keeps else 0, abs=1e-6)


@pytest.mark.parametrize("name", KERNELS)
def test_a_turn_by_180_degrees_changes_the_sign_of_sobel_and_prewitt_only(name):
    sign = -1 if name.startswith(("SOBEL", "PREWITT")) else 1
    np.testing.assert_array_equal(np.rot90(KERNELS[name], 2), sign * KERNELS[name])


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("SOBEL_X", lambda image: ndimage.sobel(image, axis=1)),
        ("SOBEL_Y", lambda image: ndimage.sobel(image, axis=0)),
        ("PREWITT_X", lambda image: ndimage.prewitt(image, axis=1)),
        ("PREWITT_Y", lambda image: ndimage.prewitt(image, axis=0)),
        ("LAPLACIAN_4", ndimage.laplace),
        ("BOX_BLUR", lambda image: ndimage.uniform_filter(image, 5)),
    ],
)
def test_agrees_with_scipy_away_from_the_border(name, reference):
    edge = len(KERNELS[name]) // 2
    expected = reference(IMAGE)[edge:-edge, edge:-edge]
    np.testing.assert_allclose(slide(IMAGE, KERNELS[name]), expected, rtol=0, atol=2e-6)


def test_slopes_are_positive_to_the_right_and_downwards():
    rows, columns = np.mgrid[:5, :5].astype(np.float32)
    ramp = 2 * columns + 3 * rows
    for name, slope in (("SOBEL_X", 2 * 8), ("SOBEL_Y", 3 * 8), ("PREWITT_X", 2 * 6), ("PREWITT_Y", 3 * 6)):
        np.testing.assert_array_equal(slide(ramp, KERNELS[name]), np.full((3, 3), slope))


def test_laplacians_of_a_paraboloid():
    rows, columns = np.mgrid[:5, :5].astype(np.float32)
    bowl = rows**2 + columns**2  # its Laplacian is 4 everywhere
    np.testing.assert_array_equal(slide(bowl, filters.LAPLACIAN_4), np.full((3, 3), 4))
    np.testing.assert_array_equal(slide(bowl, filters.LAPLACIAN_8), np.full((3, 3), 3 * 4))
    np.testing.assert_array_equal(slide(bowl, filters.SHARPEN), bowl[1:-1, 1:-1] - 4)


def test_the_gaussian_has_a_deviation_of_one_pixel():
    along = filters.GAUSSIAN_BLUR.sum(0)
    assert along @ np.arange(-2, 3) == 0
    assert along @ np.arange(-2, 3) ** 2 == 1


def test_depthwise_treats_every_channel_alone():
    x = np.random.default_rng(1).standard_normal((2, 6, 5, 3)).astype(np.float32)
    kernel = depthwise(filters.SOBEL_X, 3)
    assert (kernel.shape, kernel.dtype) == ((3, 3, 1, 3), np.float32)
    y = conv(x, kernel, groups=3)
    for n in range(2):
        for c in range(3):
            expected = signal.correlate2d(x[n, :, :, c], filters.SOBEL_X, mode="same")
            np.testing.assert_allclose(y[n, :, :, c], expected, rtol=0, atol=1e-5)


def test_depthwise_refuses_what_is_no_matrix_and_no_number_of_channels():
    with pytest.raises(ValueError, match=r"depthwise: taps has shape \(3, 3, 1\); expected \(kh, kw\)"):
        depthwise(np.ones((3, 3, 1)), 3)
    with pytest.raises(ValueError, match="depthwise: channels is 0; expected positive ints"):
        depthwise(filters.SOBEL_X, 0)
