import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcnn.data import cutout, flip, shift

# Pixels 1 .. 30, so that a 0 can only have been filled in.
IMAGE = np.arange(1, 31, dtype=np.uint8).reshape(5, 6, 1)


def moved(image, down, right):
    """The image moved by a loop over its pixels, with zeros where nothing comes from."""
    out = np.zeros_like(image)
    height, width, _ = image.shape
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[i, j] = image[i - down, j - right]
    return out


def test_each_image_is_moved_by_an_offset_of_its_own_and_every_offset_occurs():
    n, pixels = 500, 2
    out = np.asarray(jax.jit(shift, static_argnums=2)(jax.random.key(0), np.stack([IMAGE] * n), pixels))
    assert out.dtype == np.uint8
    possible = {moved(IMAGE, down, right).tobytes(): (down, right) for down in range(-2, 3) for right in range(-2, 3)}
    offsets = [possible[image.tobytes()] for image in out]  # KeyError if one is anything else
    assert set(offsets) == set(possible.values())


def test_the_key_decides():
    images = np.stack([IMAGE] * 50)
    for change in (jax.jit(lambda key: shift(key, images, 2)), jax.jit(lambda key: flip(key, images))):
        first, again, other = (np.asarray(change(jax.random.key(k))) for k in (1, 1, 2))
        np.testing.assert_array_equal(first, again)
        assert (first != other).any()


def test_a_shift_of_zero_changes_nothing():
    out = jax.jit(shift, static_argnums=2)(jax.random.key(0), IMAGE[None], 0)
    np.testing.assert_array_equal(out[0], IMAGE)


def test_about_half_the_images_are_mirrored():
    n = 1000
    out = np.asarray(jax.jit(flip)(jax.random.key(0), np.stack([IMAGE] * n)))
    mirrored = (out == IMAGE[:, ::-1]).all((1, 2, 3))
    assert ((out == IMAGE).all((1, 2, 3)) == ~mirrored).all()
    assert abs(mirrored.sum() - n / 2) < 4 * np.sqrt(n / 4)  # four standard deviations of the binomial
    assert out.dtype == np.uint8


def test_bad_images_and_shifts():
    key = jax.random.key(0)
    with pytest.raises(ValueError, match=r"shift: images has shape \(5, 6, 1\); expected a batch .* images\[None\]"):
        shift(key, IMAGE, 1)
    with pytest.raises(ValueError, match=r"flip: images has shape \(5, 6, 1\)"):
        flip(key, IMAGE)
    for pixels in (-1, 5):
        with pytest.raises(ValueError, match=f"shift: pixels is {pixels}; expected 0 to 4 for images of 5 × 6"):
            shift(key, IMAGE[None], pixels)


@pytest.mark.parametrize("side", [1, 4, 5])
def test_cutout_blackens_one_square_that_the_border_may_cut(side):
    images = jnp.full((2000, 9, 12, 2), 7, jnp.uint8)
    holes = np.asarray(cutout(jax.random.key(0), images, side)) == 0
    assert (holes[..., 0] == holes[..., 1]).all()
    centres = set()
    for hole in holes[..., 0]:
        rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
        assert hole.sum() == len(rows) * len(columns), "not a rectangle"
        for found, length in ((rows, 9), (columns, 12)):
            assert np.ptp(found) == len(found) - 1
            assert len(found) == side or (len(found) < side and (found[0] == 0 or found[-1] == length - 1))
        centres.add((rows[0], rows[-1], columns[0], columns[-1]))
    assert len(centres) == 9 * 12, "each pixel is a centre"


def test_a_square_of_no_pixels():
    with pytest.raises(ValueError, match="cutout: side is 0; expected 1 pixel or more"):
        cutout(jax.random.key(0), IMAGE[None], 0)
