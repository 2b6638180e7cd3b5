import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from jaxcnn.data import cutout, flip, shift
from jaxcnn.data.augment import alternating_flip, crop, random_erasing, random_resized_crop
from jaxcnn.data.augment.boxes import random_boxes

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
    with pytest.raises(ValueError, match=r"shift: pixels is -1; expected a whole number of pixels, 0 or more\."):
        shift(key, IMAGE[None], -1)
    for change in (shift, crop):
        with pytest.raises(ValueError, match=f"{change.__name__}: pixels is 5; expected 0 to 4 for images of 5 × 6"):
            change(key, IMAGE[None], 5)


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


MODES = {
    "constant": "constant",
    "reflect": "reflect",
    "symmetric": "symmetric",
    "replicate": "edge",
    "circular": "wrap",
}


@pytest.mark.parametrize("mode", MODES)
def test_a_crop_is_cut_out_of_what_numpy_pads_and_every_place_is_equally_frequent(mode):
    n, pixels = 500, 2
    image = IMAGE + np.random.default_rng(0).integers(0, 200, IMAGE.shape, np.uint8)
    out = np.asarray(crop(jax.random.key(4), np.stack([image] * n), pixels, mode))
    padded = np.pad(image, ((pixels, pixels), (pixels, pixels), (0, 0)), MODES[mode])
    places = {padded[i : i + 5, j : j + 6].tobytes(): (i, j) for i in range(5) for j in range(5)}
    assert len(places) == 25
    seen = [places[one.tobytes()] for one in out]  # KeyError if one is anything else
    assert stats.chisquare([seen.count(place) for place in places.values()]).pvalue > 1e-3


def test_modes_have_numpys_names_too():
    key, images = jax.random.key(0), np.stack([IMAGE] * 3)
    for name, other in (("zeros", "constant"), ("edge", "replicate"), ("wrap", "circular")):
        np.testing.assert_array_equal(crop(key, images, 2, name), crop(key, images, 2, other))
    with pytest.raises(ValueError, match="crop: mode is 'mirror'; expected one of constant, reflect, symmetric, "):
        crop(key, images, 2, "mirror")


def test_a_shift_of_no_named_size_is_an_eighth_of_the_side():
    images = np.random.default_rng(0).integers(1, 256, (20, 17, 30, 1), np.uint8)
    key = jax.random.key(0)
    np.testing.assert_array_equal(shift(key, images), shift(key, images, 2))


def test_the_share_of_flips_is_the_probability():
    n = 1000
    for probability in (0.0, 0.2, 1.0):
        out = np.asarray(flip(jax.random.key(1), np.stack([IMAGE] * n), probability))
        mirrored = (out == IMAGE[:, ::-1]).all((1, 2, 3)).sum()
        assert abs(mirrored - n * probability) <= 4 * np.sqrt(n * probability * (1 - probability))


def test_two_epochs_of_alternating_flips_show_every_image_both_ways():
    n, key = 1000, jax.random.key(0)
    images, index = np.stack([IMAGE] * n), np.random.default_rng(0).permutation(5000)[:n]
    alternate = jax.jit(alternating_flip)
    first, second, third = (np.asarray(alternate(key, images, index, epoch)) for epoch in range(3))
    np.testing.assert_array_equal(second, first[:, :, ::-1])
    np.testing.assert_array_equal(third, first)
    mirrored = (first == IMAGE[:, ::-1]).all((1, 2, 3))
    assert ((first == IMAGE).all((1, 2, 3)) == ~mirrored).all()
    assert abs(mirrored.sum() - n / 2) < 4 * np.sqrt(n / 4)
    # An image is mirrored or not wherever it stands in a batch.
    np.testing.assert_array_equal(alternate(key, images, index[::-1], 0), first[::-1])
    assert (np.asarray(alternate(jax.random.key(1), images, index, 0)) != first).any()


def test_an_alternating_flip_wants_an_index_for_each_image():
    with pytest.raises(ValueError, match=r"index has shape \(\); expected one for each image, \(1,\)"):
        alternating_flip(jax.random.key(0), IMAGE[None], 0, 0)


def test_random_boxes_have_uniform_areas_and_places_and_log_uniform_ratios():
    n, side = 4000, 1000
    boxes, found = random_boxes(jax.random.key(0), n, side, side, (0.1, 0.4), (0.5, 2.0))
    top, left, height, width = (np.asarray(b, float) for b in boxes)
    assert np.asarray(found).all()
    assert (np.minimum(top, left) >= 0).all() and (np.maximum(top + height, left + width) <= side).all()
    uniform = [
        (height * width / side**2 - 0.1) / 0.3,
        (np.log(width / height) / np.log(2) + 1) / 2,
        top / (side - height),
        left / (side - width),
    ]
    assert [stats.kstest(values, "uniform").pvalue > 1e-3 for values in uniform] == [True] * 4


def test_random_boxes_stand_at_every_place_that_there_is():
    boxes, found = random_boxes(jax.random.key(0), 2000, 4, 6, (0.25, 0.25), (0.9, 1.1))  # 6 pixels: 2 × 2 or 2 × 3
    top, left, height, width = map(np.asarray, boxes)
    assert np.asarray(found).all() and set(zip(height, width, strict=True)) <= {(2, 2), (2, 3), (3, 2)}
    for size in set(zip(height, width, strict=True)):
        chosen = (height == size[0]) & (width == size[1])
        places = np.ravel_multi_index((top[chosen], left[chosen]), (5 - size[0], 7 - size[1]))
        assert stats.chisquare(np.bincount(places, minlength=(5 - size[0]) * (7 - size[1]))).pvalue > 1e-3


def test_boxes_that_never_fit_are_none_and_nothing_is_erased():
    _, found = random_boxes(jax.random.key(0), 5, 4, 400, (0.9, 1.0), (1.0, 1.0))
    assert not np.asarray(found).any()
    images = np.full((5, 4, 400, 1), 9, np.uint8)
    np.testing.assert_array_equal(random_erasing(jax.random.key(0), images, 1.0, (0.9, 1.0), (1.0, 1.0)), images)


def parts(n, height, width, **options):
    """Random resized crops of coordinates and a picture, the boxes that they are of, and the picture."""
    picture = np.random.default_rng(0).uniform(0, 255, (height, width)).astype(np.float32)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    images = np.stack([np.stack([rows, columns, picture], -1)] * n)
    out = np.asarray(random_resized_crop(jax.random.key(0), images, **options))
    top, left = out[:, 0, 0, 0], out[:, 0, 0, 1]
    return out, np.stack([top, left, out[:, -1, 0, 0] - top + 1, out[:, 0, -1, 1] - left + 1], -1), picture


def test_a_random_resized_crop_is_what_pillow_makes_of_that_part():
    out, boxes, picture = parts(60, 12, 15)
    assert (boxes == np.round(boxes)).all() and len({tuple(box) for box in boxes}) > 40
    for image, (top, left, height, width) in zip(out, boxes, strict=True):
        part = Image.fromarray(picture).crop((left, top, left + width, top + height))
        expected = np.asarray(part.resize((15, 12), Image.Resampling.BILINEAR))
        np.testing.assert_allclose(image[..., 2], expected, atol=1e-3)


@pytest.mark.parametrize(("height", "width", "box"), [(4, 40, (0, 17, 4, 5)), (40, 4, (17, 0, 5, 4))])
def test_where_no_part_fits_it_is_the_largest_in_the_middle(height, width, box):
    _, boxes, _ = parts(3, height, width, scale=(1.0, 1.0))
    np.testing.assert_array_equal(boxes, [box] * 3)


def test_random_erasing_overwrites_one_rectangle_of_the_right_area_in_its_share_of_images():
    n, images = 1000, np.full((1000, 20, 24, 1), 300.0, np.float32)
    out = np.asarray(random_erasing(jax.random.key(0), images, 0.4, (0.1, 0.2), (0.5, 2.0)))[..., 0]
    erased = out != 300
    hit = erased.any((1, 2))
    assert abs(hit.sum() - 0.4 * n) < 4 * np.sqrt(n * 0.4 * 0.6)
    for one in erased[hit]:
        rows, columns = np.flatnonzero(one.any(1)), np.flatnonzero(one.any(0))
        assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
        assert one.sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
        assert 0.1 - 0.02 < one.mean() < 0.2 + 0.02  # sides are whole pixels
        assert 0.4 < (np.ptp(columns) + 1) / (np.ptp(rows) + 1) < 2.4
    assert stats.chisquare(np.bincount(out[erased].astype(int), minlength=256)).pvalue > 1e-3
    np.testing.assert_array_equal(out[erased], np.round(out[erased]))


def test_random_erasing_with_one_value():
    out = np.asarray(random_erasing(jax.random.key(0), np.zeros((9, 9, 9, 3), np.uint8), 1.0, fill=7))
    assert set(np.unique(out)) == {0, 7} and (out == 7).any((1, 2, 3)).all()
    with pytest.raises(ValueError, match="fill is 'red'; expected one of random, or a pixel's value, 0 to 255"):
        random_erasing(jax.random.key(0), np.zeros((1, 9, 9, 3), np.uint8), fill="red")
