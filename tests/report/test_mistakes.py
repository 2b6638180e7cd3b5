"""The most confident mistakes."""

import numpy as np
import pytest

from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.report.page import mistakes as module
from jaxcnn.report.page.mistakes import mistakes
from tests.report.subjects import content, decoded, html, images, missing, probabilities, trained

NETWORK = chain(flatten=Flatten(), head=Dense(5))


@pytest.mark.parametrize("channels", [1, 3])
def test_they_come_by_confidence_with_their_own_pixels(channels):
    labels = np.random.default_rng(3).integers(0, 5, 80)
    given = trained(NETWORK, images(80, channels=channels), labels, probabilities(labels, 5))
    shown, p = content(mistakes, given), given.tested.probabilities
    wrong = [i for i in range(80) if p[i].argmax() != labels[i]]
    assert [one.image for one in shown.shown] == sorted(wrong, key=lambda i: -p[i].max())[: module.SHOWN]
    assert (shown.count, shown.images) == (len(wrong), 80) and len(wrong) > module.SHOWN
    for one in shown.shown:
        assert one.true == f"class {labels[one.image]}" and one.said == f"class {p[one.image].argmax()}"
        assert (one.probability, one.of_truth) == (p[one.image].max(), p[one.image, labels[one.image]])
        np.testing.assert_array_equal(decoded(one.picture), given.tested.images[one.image])


def test_there_may_be_none():
    labels = np.zeros(7, int)
    given = trained(NETWORK, images(7), labels, probabilities(labels, 5, sure=100.0))
    assert missing(mistakes, given) == "There are none: the network is right about all 7 test images."
    assert "There are none" in html(given, mistakes)


def test_a_photograph_is_made_smaller():
    labels = np.zeros(2, int)
    given = trained(NETWORK, np.full((2, 300, 200, 3), 99, np.uint8), labels, np.eye(5, dtype=np.float32)[[1, 2]])
    shown = content(mistakes, given)
    pixels = decoded(shown.shown[0].picture)
    assert shown.fine and pixels.shape == (128, 85, 3)
    assert abs(pixels.astype(int) - 99).max() <= 2
