"""RandAugment and TrivialAugment: the operations by Pillow, their strengths as published, and what is drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from jaxcnn.data.augment import rand_augment, trivial_augment
from jaxcnn.data.augment.policies import OPERATIONS, RAND_AUGMENT, TRIVIAL_AUGMENT, applied

# Cubuk et al. 2020, section 3, and Müller & Hutter 2021, table 1.
PUBLISHED = {
    "identity", "autocontrast", "equalize", "rotate", "solarize", "color", "posterize", "contrast", "brightness",
    "sharpness", "shear_x", "shear_y", "translate_x", "translate_y",
}  # fmt: skip
HEIGHT, WIDTH = 40, 33


def shifted(image, *numbers):
    return image.transform(image.size, Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR)


def by_pillow(name, image, s, sign, wide):
    """The operation at strength s, as the authors' code and torchvision have it."""
    shear, degrees, enhance, bits = (0.99, 135, 0.99, 6) if wide else (0.3, 30, 0.9, 4)
    across, down = (32, 32) if wide else (150 / 331 * WIDTH, 150 / 331 * HEIGHT)
    factor = 1 + sign * s * enhance
    return {
        "identity": lambda: image,
        "autocontrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
        "rotate": lambda: image.rotate(sign * s * degrees, Image.Resampling.BILINEAR),
        "solarize": lambda: ImageOps.solarize(image, 256 - int(s * 256)),
        "posterize": lambda: ImageOps.posterize(image, 8 - round(s * bits)),
        "color": lambda: ImageEnhance.Color(image).enhance(factor),
        "contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
        "brightness": lambda: ImageEnhance.Brightness(image).enhance(factor),
        "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
        "shear_x": lambda: shifted(image, 1, sign * s * shear, 0, 0, 1, 0),
        "shear_y": lambda: shifted(image, 1, 0, 0, sign * s * shear, 1, 0),
        "translate_x": lambda: shifted(image, 1, 0, int(sign * s * across), 0, 1, 0),
        "translate_y": lambda: shifted(image, 1, 0, 0, 0, 1, int(sign * s * down)),
    }[name]()


def smooth_picture():
    """A picture without noise, so that what happens at borders between pixels does not decide."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return (128 + 100 * np.stack([np.sin(x / 5), np.cos(y / 7 + x / 9), np.sin((x - y) / 8)], -1)).astype(np.uint8)


@pytest.mark.parametrize("wide", [False, True], ids=["rand_augment", "trivial_augment"])
def test_operations_are_pillows_at_published_strengths(wide):
    ranges = TRIVIAL_AUGMENT if wide else RAND_AUGMENT
    cases = [(name, s, sign) for name in OPERATIONS for s in (0.0, 9 / 30, 1.0) for sign in (1, -1)]
    picture = smooth_picture()
    operation, strength, sign = map(np.array, zip(*[(OPERATIONS.index(c[0]), *c[1:]) for c in cases], strict=True))
    x = jnp.float32(np.stack([picture] * len(cases)))
    run = jax.jit(applied, static_argnums=(4, 5))
    out = np.asarray(run(x, jnp.asarray(operation), jnp.float32(strength), jnp.float32(sign), ranges, 0.0))
    for (name, s, direction), one in zip(cases, out, strict=True):
        expected = np.asarray(by_pillow(name, Image.fromarray(picture), s, direction, wide), float)
        difference = abs(np.round(one) - expected).max(-1)
        # At the border Pillow repeats what is on it, and here it fades into what is beyond.
        border = (
            ((one == 0).all(-1) | (expected == 0).all(-1))
            if name in OPERATIONS[1:6]
            else np.zeros_like(difference, bool)
        )
        near = border.copy()
        for axis in (0, 1):
            near |= np.roll(border, 1, axis) | np.roll(border, -1, axis)
        if name in OPERATIONS[1:6]:
            near[[0, -1]] = near[:, [0, -1]] = True
        allowed = 1 if name not in ("contrast", "sharpness", "color") else 2  # Pillow rounds before and after
        assert (difference[~near] <= allowed).all(), (name, s, direction, difference[~near].max())
        assert (~near).mean() > 0.2 or s == 1.0


def test_the_list_is_the_published_one():
    assert set(OPERATIONS) == PUBLISHED and len(OPERATIONS) == 14


def classes_of(outputs, candidates):
    """For each output the number of the distinct candidate that it is, and how often that occurs among them all."""
    pixels = np.round(candidates).astype(np.int16).reshape(len(candidates), -1)
    distinct, of_candidate = np.unique(pixels, axis=0, return_inverse=True)
    flat = outputs.reshape(len(outputs), -1).astype(np.int16)
    nearest = np.empty(len(flat), int)
    for i, one in enumerate(flat):
        distance = abs(distinct - one).max(1)
        nearest[i] = distance.argmin()
        assert distance[nearest[i]] <= 1, "none of the published operations makes this"
    return nearest, of_candidate.ravel()


def frequencies(outputs, candidates):
    """p of a χ² test that each candidate is equally likely; those that look alike, and rare ones, are one bin."""
    nearest, of_candidate = classes_of(outputs, candidates)
    expected = np.bincount(of_candidate) * len(outputs) / len(candidates)
    seen = np.bincount(nearest, minlength=len(expected))
    bins = np.arange(len(expected)) % max(2, int(expected.sum() / 20))
    return stats.chisquare(np.bincount(bins, seen), np.bincount(bins, expected)).pvalue


IMAGE = np.random.default_rng(3).integers(20, 200, (6, 7, 3), np.uint8)
IMAGES = np.stack([IMAGE] * 1000)


def candidates(strengths, ranges, images=IMAGE[None]):
    """What each operation, at each strength and in each direction, makes of each image; in floats."""
    cases = [(x, o, s, sign) for x in images for o in range(14) for s in strengths for sign in (1, -1)]
    x, operation, strength, sign = map(np.array, zip(*cases, strict=True))
    run = jax.jit(applied, static_argnums=(4, 5))
    return np.asarray(
        run(jnp.float32(x), jnp.asarray(operation), jnp.float32(strength), jnp.float32(sign), ranges, 0.0)
    )


def test_rand_augment_draws_operations_and_directions_uniformly_for_each_image():
    out = np.asarray(rand_augment(jax.random.key(0), IMAGES, 1, 15))
    assert frequencies(out, candidates([0.5], RAND_AUGMENT)) > 1e-3


def test_two_operations_are_one_after_the_other_and_drawn_apart():
    out = np.asarray(rand_augment(jax.random.key(0), IMAGES, 2, 15))
    assert frequencies(out, candidates([0.5], RAND_AUGMENT, candidates([0.5], RAND_AUGMENT))) > 1e-3


def test_trivial_augment_draws_operations_strengths_and_directions_uniformly_for_each_image():
    out = np.asarray(trivial_augment(jax.random.key(0), IMAGES))
    assert frequencies(out, candidates(np.arange(31) / 30, TRIVIAL_AUGMENT)) > 1e-3


def test_fill_is_what_moves_in():
    out = np.asarray(rand_augment(jax.random.key(1), np.full((200, 9, 9, 1), 100, np.uint8), 1, 30.0, 250))
    assert (out == 250).any((1, 2, 3)).mean() > 0.2


def test_grayscale_goes_and_other_channels_are_refused():
    for policy in (rand_augment, trivial_augment):
        assert policy(jax.random.key(0), IMAGE[None, ..., :1]).shape == (1, 6, 7, 1)
        with pytest.raises(
            ValueError, match=rf"{policy.__name__}: images has shape \(1, 6, 7, 2\); expected 1 channel"
        ):
            policy(jax.random.key(0), IMAGE[None, ..., :2])
