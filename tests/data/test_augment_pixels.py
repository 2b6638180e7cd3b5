"""Colours, tones and warps: Pillow's and NumPy's values, and what is drawn."""

import colorsys
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps
from scipy import stats

from jaxcnn.data.augment import affine, color, color_jitter, grayscale, rotate, tone
from jaxcnn.data.augment.warp import rotation, warp

RNG = np.random.default_rng(0)
N = 4
IMAGES = RNG.integers(0, 256, (N, 11, 14, 3), np.uint8)
IMAGES[0] = IMAGES[0] // 3 + 50  # of little contrast
IMAGES[1] = RNG.integers(0, 2, (11, 14, 3)) * 255
IMAGES[2, :, :, 1:] = 90  # channels of one value
LUMA = np.array([0.299, 0.587, 0.114])


def grays(x):
    return np.repeat((x * LUMA).sum(-1, keepdims=True), 3, -1)


def smooth(x):
    out = x.copy()
    for i, j in itertools.product(range(1, x.shape[0] - 1), range(1, x.shape[1] - 1)):
        out[i, j] = (x[i - 1 : i + 2, j - 1 : j + 2].sum((0, 1)) + 4 * x[i, j]) / 13
    return out


# Of an enhancement: ours, Pillow's, and what lies at the factor 0, by NumPy in float64.
ENHANCEMENTS = {
    "brightness": (color.with_brightness, ImageEnhance.Brightness, np.zeros_like),
    "contrast": (color.with_contrast, ImageEnhance.Contrast, lambda x: np.full_like(x, grays(x).mean())),
    "saturation": (color.with_saturation, ImageEnhance.Color, grays),
    "sharpness": (color.with_sharpness, ImageEnhance.Sharpness, smooth),
}


@pytest.mark.parametrize(("ours", "pillows", "zero"), ENHANCEMENTS.values(), ids=ENHANCEMENTS)
def test_enhancements_are_the_definition_and_pillows(ours, pillows, zero):
    factors = np.array([0.0, 0.3, 1.0, 1.8], np.float32)
    for roll in range(N):
        seen = np.asarray(jax.jit(ours)(IMAGES.astype(np.float32), jnp.asarray(np.roll(factors, roll))))
        for image, factor, one in zip(IMAGES, np.roll(factors, roll).tolist(), seen, strict=True):
            x = image.astype(float)
            expected = np.clip(zero(x) + factor * (x - zero(x)), 0, 255)
            np.testing.assert_allclose(one, expected, atol=1e-3)
            pillow = np.asarray(pillows(Image.fromarray(image)).enhance(factor), float)
            # Pillow cuts decimals off, and rounds what lies at 0 before: up to 1/2 times |1 - factor| more.
            assert abs(one - pillow).max() <= 1 + abs(1 - factor) / 2 + 1e-3


def test_hues_turn_as_those_of_colorsys():
    turns = np.array([0.0, 0.2, -0.5, 1 / 3], np.float32)
    seen = np.asarray(color.with_hue(jnp.float32(IMAGES), jnp.asarray(turns)))
    for image, turn, one in zip(IMAGES, turns.tolist(), seen, strict=True):
        for rgb, got in zip(image.reshape(-1, 3) / 255, one.reshape(-1, 3), strict=True):
            hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
            np.testing.assert_allclose(
                got, 255 * np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value)), atol=1e-3
            )


def test_a_third_of_a_turn_makes_red_green():
    red = jnp.zeros((1, 1, 1, 3)).at[..., 0].set(200.0)
    np.testing.assert_allclose(color.with_hue(red, jnp.array([1 / 3]))[0, 0, 0], [0, 200, 0], atol=1e-3)


def test_grayscale_is_pillows_and_hits_its_share():
    out = np.asarray(grayscale(jax.random.key(0), IMAGES, 1.0))
    for image, one in zip(IMAGES, out, strict=True):
        expected = np.asarray(Image.fromarray(image).convert("L"), int)
        assert abs(one - expected[..., None]).max() <= 1  # Pillow's weights have 16 bits
        np.testing.assert_array_equal(one, np.round(grays(image.astype(float))))
    n = 1000
    out = np.asarray(grayscale(jax.random.key(0), np.repeat(IMAGES[3:, :1, :1], n, 0), 0.3))
    hit = (out[..., 0] == out[..., 1]).all((1, 2)).sum()
    assert abs(hit - 0.3 * n) < 4 * np.sqrt(n * 0.3 * 0.7)


@pytest.mark.parametrize(
    ("ours", "pillows", "numbers"),
    [
        (tone.posterize, ImageOps.posterize, [1, 3, 7, 8]),
        (tone.solarize, ImageOps.solarize, [0, 90, 255, 256]),
        (lambda x, _: tone.equalize(x), lambda image, _: ImageOps.equalize(image), [0] * 4),
    ],
    ids=["posterize", "solarize", "equalize"],
)
def test_tones_are_pillows(ours, pillows, numbers):
    # 11 × 14 pixels are too few for a step of equalize; 30 × 30 are some steps of 3 pixels.
    images = np.concatenate(
        [IMAGES, np.random.default_rng(1).normal(128, 60, (N, 30, 30, 3)).clip(0, 255)[:, :11, :14]]
    )
    large = np.random.default_rng(1).normal(100, 60, (N, 40, 40, 3)).clip(0, 255).astype(np.uint8)
    large[1, ..., 0], large[2] = 8, large[2] // 64 * 64
    for images in (IMAGES, large):
        seen = np.asarray(jax.jit(ours)(images.astype(np.float32), jnp.float32(numbers)))
        for image, number, one in zip(images, numbers, seen, strict=True):
            np.testing.assert_array_equal(one, np.asarray(pillows(Image.fromarray(image), number)))


def test_autocontrast_stretches_each_channel_as_pillow_does():
    seen = np.asarray(tone.autocontrast(jnp.float32(IMAGES)))
    for image, one in zip(IMAGES, seen, strict=True):
        x = image.astype(float)
        low, high = x.min((0, 1)), x.max((0, 1))
        expected = np.where(high > low, (x - low) * 255 / np.maximum(high - low, 1), x)
        np.testing.assert_allclose(one, expected, atol=1e-3)
        assert abs(one - np.asarray(ImageOps.autocontrast(Image.fromarray(image)), float)).max() <= 1 + 1e-3


def coordinates(n, height, width):
    """Images whose two channels are x and y, in pixels from the middle."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([np.stack([x - (width - 1) / 2, y - (height - 1) / 2], -1)] * n)


def maps_of(out, height, width, middle):
    """(n, 2, 3): the affine maps that warped `coordinates`, by least squares over the middle."""
    inside = (slice(height // 2 - middle, height // 2 + middle), slice(width // 2 - middle, width // 2 + middle))
    base = coordinates(1, height, width)[0][inside].reshape(-1, 2)
    design = np.concatenate([base, np.ones((len(base), 1))], -1)
    maps = np.stack([np.linalg.lstsq(design, one[inside].reshape(-1, 2), rcond=None)[0].T for one in out])
    np.testing.assert_allclose(design @ maps[0].T, out[0][inside].reshape(-1, 2), atol=1e-3)
    return maps


def test_a_quarter_turn_is_numpys():
    images = IMAGES[:, :, :11]
    np.testing.assert_array_equal(
        warp(images, jnp.round(rotation(jnp.full(N, np.pi / 2))), 0), np.rot90(images, axes=(1, 2))
    )


def test_a_rotation_by_nothing_changes_nothing():
    np.testing.assert_array_equal(rotate(jax.random.key(0), IMAGES, 0), IMAGES)


def test_a_warp_is_pillows_inside_and_fill_beyond():
    maps = np.array([[[0.9, -0.3, 1.5], [0.2, 1.1, -0.7]], [[1.3, 0.4, -2.0], [0.0, 0.8, 0.3]]], np.float32)
    height, width = 20, 26
    pictures = np.random.default_rng(2).uniform(0, 255, (2, height, width)).astype(np.float32)
    seen = np.asarray(warp(jnp.asarray(pictures[..., None]), jnp.asarray(maps), 60.0))[..., 0]
    places = np.einsum(
        "nak,ijk->nija", maps, np.concatenate([coordinates(1, height, width)[0], np.ones((height, width, 1))], -1)
    )
    limits = np.array([(width - 1) / 2, (height - 1) / 2])
    inside, beyond = (abs(places) <= limits).all(-1), (abs(places) >= limits + 1).any(-1)
    assert inside.sum() > 500 and beyond.sum() > 50
    np.testing.assert_allclose(seen[beyond], 60, atol=1e-4)
    for picture, (row_x, row_y), one, where in zip(pictures, maps, seen, inside, strict=True):
        # Pillow counts from the upper left corner of the image.
        middle = np.array([width / 2, height / 2])
        data = [(*row[:2], row[2] + m - row[:2] @ middle) for row, m in ((row_x, middle[0]), (row_y, middle[1]))]
        numbers = [float(v) for row in data for v in row]
        pillow = Image.fromarray(picture).transform(
            (width, height), Image.Transform.AFFINE, numbers, Image.Resampling.BILINEAR
        )
        np.testing.assert_allclose(one[where], np.asarray(pillow)[where], atol=5e-3)


def test_between_the_border_and_what_lies_beyond_it_is_linear():
    moved = np.float32([[[1, 0, -0.25], [0, 1, 0]]])
    out = np.asarray(warp(jnp.full((1, 3, 3, 1), 200.0), jnp.asarray(moved), 100.0))[0, ..., 0]
    np.testing.assert_allclose(out, [[175, 200, 200]] * 3, atol=1e-3)


def test_angles_are_uniform():
    n, side = 400, 21
    maps = maps_of(np.asarray(rotate(jax.random.key(0), coordinates(n, side, side), 40)), side, side, 5)
    angles = np.degrees(np.arctan2(maps[:, 1, 0], maps[:, 0, 0]))
    np.testing.assert_allclose(maps[:, 0], np.stack([maps[:, 1, 1], -maps[:, 1, 0], 0 * angles], -1), atol=1e-4)
    assert stats.kstest(angles, stats.uniform(-40, 80).cdf).pvalue > 1e-3


def test_affine_draws_all_its_numbers_uniformly_and_apart():
    n, height, width = 400, 25, 31
    out = affine(jax.random.key(0), coordinates(n, height, width), 30, 0.1, (0.8, 1.2), 20)
    maps = maps_of(np.asarray(out), height, width, 4)
    forward = np.linalg.inv(maps[..., :2])  # factor · turn · shear: (1, 0) goes to factor · (cos, sin), y down
    factor = np.sqrt(np.linalg.det(forward))
    angle = -np.degrees(np.arctan2(forward[:, 1, 0], forward[:, 0, 0]))
    np.testing.assert_allclose(np.hypot(forward[:, 0, 0], forward[:, 1, 0]), factor, rtol=1e-3)
    turned = np.stack(
        [
            np.stack([np.cos(np.radians(angle)), -np.sin(np.radians(angle))], -1),
            np.stack([np.sin(np.radians(angle)), np.cos(np.radians(angle))], -1),
        ],
        -2,
    )
    sheared = turned @ forward / factor[:, None, None]
    shear = np.degrees(np.arctan(sheared[:, 0, 1]))
    moved = (-forward @ maps[..., 2:])[..., 0]
    drawn = {
        "angle": angle / 30,
        "shear": shear / 20,
        "factor": (factor - 1) / 0.2,
        "x": moved[:, 0] / (0.1 * width),
        "y": moved[:, 1] / (0.1 * height),
    }
    assert {k: stats.kstest(v, stats.uniform(-1, 2).cdf).pvalue > 1e-3 for k, v in drawn.items()} == dict.fromkeys(
        drawn, True
    )
    assert max(abs(v).max() for v in drawn.values()) < 1 + 1e-3
    correlations = np.corrcoef(np.stack(list(drawn.values()))) - np.eye(5)
    assert abs(correlations).max() < 4 / np.sqrt(n)


def test_jitter_draws_factors_uniformly_for_each_image():
    n = 1000
    images = np.full((n, 1, 1, 1), 100.0, np.float32)
    out = np.asarray(color_jitter(jax.random.key(0), images, brightness=0.4))[:, 0, 0, 0] / 100
    assert stats.kstest(out, stats.uniform(0.6, 0.8).cdf).pvalue > 1e-3
    out = np.asarray(color_jitter(jax.random.key(0), images, brightness=1.5))[:, 0, 0, 0] / 100
    assert stats.kstest(out, stats.uniform(0, 2.5).cdf).pvalue > 1e-3, "factors begin at 0"


def test_jitter_makes_its_changes_in_any_order():
    """Of two images, by brightness and contrast: each is one of the two orders' results, and both occur."""
    n = 200
    x = np.float32([[[[40], [80]]]] * n)
    out = np.asarray(color_jitter(jax.random.key(0), x, brightness=0.9, contrast=0.9), float)[:, 0, :, 0]
    # Unclipped, both orders have the mean 60 b and the distance 40 b c: only what is cut off tells them apart.
    bright = np.float32([[[[200], [250]]]] * n)
    cut = np.asarray(color_jitter(jax.random.key(0), bright, brightness=0.9, contrast=0.9), float)[:, 0, :, 0]
    b = out.mean(1) / 60
    c = (out[:, 1] - out[:, 0]) / 40 / b

    def brighter(p):
        return np.clip(p * b[:, None], 0, 255)

    def contrasted(p):
        return np.clip(p.mean(1, keepdims=True) + c[:, None] * (p - p.mean(1, keepdims=True)), 0, 255)

    pixels = np.repeat([[200.0, 250.0]], n, 0)
    orders = [contrasted(brighter(pixels)), brighter(contrasted(pixels))]
    assert (abs(out) < 254).all()
    apart = abs(orders[0] - orders[1]).max(1) > 1
    near = [abs(cut - order).max(1) < 0.1 for order in orders]
    assert (near[0] | near[1]).all()
    shares = [(one & apart).sum() / apart.sum() for one in near]
    assert apart.sum() > 40 and sum(shares) == 1 and min(shares) > 0.3


def test_jitter_of_grayscale_has_no_hue_and_other_channels_are_refused():
    gray = IMAGES[..., :1]
    np.testing.assert_array_equal(color_jitter(jax.random.key(0), gray, saturation=0.9, hue=0.5), gray)
    for change in (color_jitter, grayscale):
        with pytest.raises(ValueError, match=r"images has shape \(4, 11, 14, 2\); expected 1 channel .* or 3 \(RGB\)"):
            change(jax.random.key(0), IMAGES[..., :2])


def test_wrong_numbers_are_named():
    key = jax.random.key(0)
    for call, message in [
        (lambda: rotate(key, IMAGES, 200), "rotate: degrees is 200; expected degrees, 0 to 180"),
        (lambda: affine(key, IMAGES, shear=90), "affine: shear is 90; expected degrees, 0 or more and less than 90"),
        (lambda: affine(key, IMAGES, scale=(1.2, 0.8)), r"affine: scale is \(1.2, 0.8\); expected two factors above 0"),
        (lambda: affine(key, IMAGES, scale=2), "affine: scale is 2; expected two factors"),
        (lambda: color_jitter(key, IMAGES, hue=0.6), "color_jitter: hue is 0.6; expected a share of the colour wheel"),
        (lambda: color_jitter(key, IMAGES, -0.1), "color_jitter: brightness is -0.1; expected 0 or more"),
        (lambda: grayscale(key, IMAGES, True), "grayscale: probability is True; expected a probability, 0 to 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
