"""The reliability diagram against scikit-learn's calibration curve."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.report.page.calibration import calibration
from tests.report.pages import Page
from tests.report.subjects import content, html, images, probabilities, trained

NETWORK = chain(flatten=Flatten(), head=Dense(3))


def subject(n=200, **card):
    labels = np.random.default_rng(0).integers(0, 3, n)
    return trained(NETWORK, images(n), labels, probabilities(labels, 3), **card)


def test_bins_are_scikit_learns_and_their_distances_the_error():
    given = subject()
    shown, tested = content(calibration, given), given.tested
    right = tested.said == tested.labels
    accuracy, confidence = calibration_curve(right, tested.confidence.astype(float), n_bins=15)
    filled = [part for part in shown.bins if part.images]
    np.testing.assert_allclose([part.accuracy for part in filled], accuracy)
    np.testing.assert_allclose([part.confidence for part in filled], confidence)
    distance = sum(part.images * abs(part.accuracy - part.confidence) for part in filled)
    assert shown.error == pytest.approx(distance / 200)
    assert sum(part.images for part in shown.bins) == 200 == shown.images
    assert shown.accuracy == right.mean() and shown.confidence == pytest.approx(tested.confidence.mean())
    for part in filled:
        assert part.low < part.confidence <= part.high


def test_the_diagram_has_a_bar_for_each_bin_with_images():
    given = subject()
    shown, page = content(calibration, given), Page(html(given, calibration))
    told = [text for text in page.text if " right, mean confidence " in text]
    assert len(told) == sum(part.images > 0 for part in shown.bins)
    assert "after calibration" not in " ".join(page.text)


def test_a_calibrated_network_says_so():
    assert "after calibration, with the temperature 1.7" in html(subject(temperature=1.7), calibration)


def test_a_single_image():
    shown = content(calibration, subject(1))
    assert [part.images for part in shown.bins if part.images] == [1] and shown.most == 1
