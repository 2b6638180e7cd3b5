import jax
import numpy as np
import pytest
from scipy import stats

from jaxcnn.data.augment import cutmix, mixup

N, CLASSES = 1500, 5


def batch(height=8, width=10):
    """Images of one value each, their number in the batch times 1/16, and probabilities to which that holds, too."""
    values = np.arange(N, dtype=np.float32) / 16
    targets = np.random.default_rng(0).dirichlet(np.ones(CLASSES), N).astype(np.float32)
    return np.broadcast_to(values[:, None, None, None], (N, height, width, 1)), targets


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_mixup_takes_the_same_beta_share_of_images_and_targets(alpha):
    values = np.random.default_rng(1).uniform(0, 255, (N, 1, 1, 2)).astype(np.float32)
    _, targets = batch()
    images, mixed = map(np.asarray, jax.jit(mixup, static_argnums=3)(jax.random.key(0), values, targets, alpha))
    x, partner = values[:, 0, 0], np.roll(values, 1, 0)[:, 0, 0]
    share = ((images[:, 0, 0] - partner) * (x - partner)).sum(-1) / ((x - partner) ** 2).sum(-1)
    expected = share[:, None] * targets + (1 - share[:, None]) * np.roll(targets, 1, 0)
    np.testing.assert_allclose(images[:, 0, 0], share[:, None] * x + (1 - share[:, None]) * partner, atol=1e-3)
    far = abs(x - partner).max(-1) > 1  # where the share can be told from the pixels
    np.testing.assert_allclose(mixed[far], expected[far], atol=1e-3)
    np.testing.assert_allclose(mixed.sum(-1), 1, atol=1e-5)
    assert far.mean() > 0.95
    assert stats.kstest(share[far].clip(0, 1), stats.beta(alpha, alpha).cdf).pvalue > 1e-3
    assert abs(share[far].var() - 1 / (4 * (2 * alpha + 1))) < 0.02, "the variance of Beta(α, α)"


def test_cutmix_counts_the_pixels_of_each():
    images, targets = batch()
    out, mixed = map(np.asarray, jax.jit(cutmix, static_argnums=3)(jax.random.key(0), images, targets, 1.0))
    own, other = out == images, out == np.roll(images, 1, 0)
    assert (own | other).all()
    kept = own.mean((1, 2, 3))
    expected = kept[:, None] * targets + (1 - kept[:, None]) * np.roll(targets, 1, 0)
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    for rectangle in other[..., 0]:
        rows, columns = np.flatnonzero(rectangle.any(1)), np.flatnonzero(rectangle.any(0))
        assert rectangle.sum() == len(rows) * len(columns)
        assert not len(rows) or (np.ptp(rows) + 1 == len(rows) and np.ptp(columns) + 1 == len(columns))


def test_cutmix_draws_sides_by_beta_and_middles_uniformly():
    side = 64
    images, targets = batch(side, side)
    images, targets = images[:600], targets[:600]
    out = np.asarray(cutmix(jax.random.key(1), images, targets, 1.0)[0])[..., 0]
    cut = out != images[..., 0]
    # A rectangle that touches no border is whole: its side is √(1 - λ) of the image's, and even.
    inner = cut.any((1, 2)) & ~(cut[:, 0].any(1) | cut[:, -1].any(1) | cut[:, :, 0].any(1) | cut[:, :, -1].any(1))
    sides = cut.any(2).sum(1)[inner]
    np.testing.assert_array_equal(sides, cut.any(1).sum(1)[inner])
    # P(side < s and both middles inside) ~ 2 s (1 - s)² for α = 1, where λ is uniform: with s = √(1 - λ), density 2 s.
    s = np.linspace(0, 1, 1001)
    density = 2 * s * (1 - s) ** 2
    cdf = np.cumsum(density) / density.sum()
    jittered = (sides + 2 * np.random.default_rng(0).random(len(sides))) / side  # whole pixels, two at a time
    assert stats.kstest(jittered, lambda v: np.interp(v, s, cdf)).pvalue > 1e-3
    # As many rectangles are cut at each border.
    counts = [cut[:, 0].any(1).sum(), cut[:, -1].any(1).sum(), cut[:, :, 0].any(1).sum(), cut[:, :, -1].any(1).sum()]
    assert stats.chisquare(counts).pvalue > 1e-3


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_the_share_of_mixed_images_is_the_probability(mix):
    images, targets = batch()
    out, mixed = map(np.asarray, mix(jax.random.key(0), images, targets, 5.0, 0.3))  # 5: hardly a λ is near 1
    same = (out == images).all((1, 2, 3))
    np.testing.assert_array_equal(mixed[same], targets[same])
    assert abs(same.sum() - 0.7 * N) < 4 * np.sqrt(N * 0.7 * 0.3) + 0.02 * N


def test_which_images_are_mixed_says_nothing_of_their_shares():
    values, (_, targets) = np.zeros((N, 1, 1, 1), np.float32), batch()
    values[::2] = 1  # so the pixel, or what it lacks of 1, is the share
    out = np.asarray(mixup(jax.random.key(0), values, targets, 1.0, 0.5)[0]).ravel()
    share = np.where(values.ravel() == 1, out, 1 - out)
    assert stats.kstest(share[share < 1], "uniform").pvalue > 1e-3


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_mixing_keeps_bytes_and_the_dtype_of_targets(mix):
    images = np.random.default_rng(0).integers(0, 256, (6, 7, 8, 3), np.uint8)
    out, mixed = mix(jax.random.key(3), images, np.eye(6, dtype=np.float16), 1.0)
    exact, shares = mix(jax.random.key(3), images.astype(np.float32), np.eye(6, dtype=np.float32), 1.0)
    assert out.dtype == np.uint8 and mixed.dtype == np.float16 and shares.dtype == np.float32
    np.testing.assert_array_equal(out, np.round(exact))
    assert (np.asarray(out) != images).any() and ((np.asarray(shares) > 0).sum(1) == 2).any()


def test_a_batch_of_one_is_mixed_with_itself():
    image, target = np.full((1, 4, 4, 1), 9, np.uint8), np.float32([[0, 1]])
    for mix in (mixup, cutmix):
        out, mixed = mix(jax.random.key(0), image, target, 1.0)
        np.testing.assert_array_equal(out, image)
        np.testing.assert_allclose(mixed, target, atol=1e-6)


@pytest.mark.parametrize("mix", [mixup, cutmix])
def test_what_is_no_batch_of_probabilities_is_refused(mix):
    images, key, name = np.zeros((3, 4, 4, 1), np.uint8), jax.random.key(0), mix.__name__
    with pytest.raises(ValueError, match=rf"{name}: targets has shape \(3,\) and dtype int.*jax\.nn\.one_hot"):
        mix(key, images, np.zeros(3, np.int32), 1.0)
    with pytest.raises(
        ValueError, match=rf"{name}: targets has shape \(2, 5\).*expected probabilities, \(3, classes\)"
    ):
        mix(key, images, np.zeros((2, 5), np.float32), 1.0)
    for alpha in (0, -1, float("inf"), float("nan"), "a", None):
        with pytest.raises(ValueError, match=rf"{name}: alpha is {alpha!r}; expected a number above 0"):
            mix(key, images, np.zeros((3, 5), np.float32), alpha)
