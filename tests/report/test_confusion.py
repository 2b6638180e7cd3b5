"""The confusion matrix against scikit-learn's, and the pictures behind its cells."""

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from jaxcnn.layers import Dense, Flatten, chain
from jaxcnn.report.page import confusion as module
from jaxcnn.report.page.confusion import confusion
from tests.report.pages import Page
from tests.report.subjects import content, decoded, html, images, probabilities, thumbnail, trained


def subject(classes=4, n=60, sure=1.0, labels=None, **options):
    labels = np.random.default_rng(1).integers(0, classes, n) if labels is None else labels
    network = chain(flatten=Flatten(), head=Dense(classes))
    return trained(network, images(len(labels), **options), labels, probabilities(labels, classes, sure))


def test_the_matrix_is_scikit_learns():
    given = subject()
    shown = content(confusion, given)
    expected = confusion_matrix(given.tested.labels, given.tested.said)
    np.testing.assert_array_equal([[cell.count for cell in row] for row in shown.rows], expected)
    shares = confusion_matrix(given.tested.labels, given.tested.said, normalize="true")
    np.testing.assert_allclose([[cell.share for cell in row] for row in shown.rows], shares)
    assert (shown.images, shown.mistakes) == (60, 60 - expected.trace())
    worst = shown.pairs[0]
    assert worst.true != worst.said and worst.count == (expected - np.diag(expected.diagonal())).max()


def test_precision_recall_and_f1_are_scikit_learns():
    labels = np.random.default_rng(2).integers(0, 3, 50)  # of the classes 3 and 4 there is no image
    given = subject(5, labels=labels)
    given.tested.probabilities[:, 4] = 0  # and no image is taken for the last
    found = content(confusion, given).measures
    expected = precision_recall_fscore_support(labels, given.tested.said, labels=range(5), zero_division=np.nan)
    for name, numbers in zip(("precision", "recall", "f1", "images"), expected, strict=True):
        ours = np.array([getattr(one, name) for one in found], float)
        np.testing.assert_allclose(ours, numbers)
    assert found[4].precision is None and found[4].recall is None and found[3].recall is None


def test_behind_a_cell_are_its_surest_pictures(monkeypatch):
    monkeypatch.setattr(module, "SHOWN", 3)
    given = subject(channels=3)
    shown, tested = content(confusion, given), given.tested
    for cell in (cell for row in shown.rows for cell in row):
        there = np.flatnonzero((tested.labels == cell.true) & (tested.said == cell.said))
        surest = sorted(there, key=lambda image: -tested.confidence[image])[:3]
        assert [thumb.image for thumb in cell.thumbs] == surest
        assert [thumb.probability for thumb in cell.thumbs] == [tested.confidence[image] for image in surest]
        for image in surest:
            np.testing.assert_array_equal(thumbnail(shown.album, image), tested.images[image])


def test_pictures_are_shared_out_among_many_cells(monkeypatch):
    monkeypatch.setattr(module, "ALL_SHOWN", 32)
    given = subject(n=300)
    shown = content(confusion, given)
    counts = [len(cell.thumbs) for row in shown.rows for cell in row if cell.count]
    assert counts == [2] * 16 and len(shown.album.places) == 32


def test_of_many_classes_the_matrix_is_a_picture():
    given = subject(30, 400, sure=3.0)
    shown, tested = content(confusion, given), given.tested
    expected = confusion_matrix(tested.labels, tested.said, labels=range(30))
    assert not shown.rows
    drawn = 255 - decoded(shown.picture)[..., 0].astype(float)  # white is 0
    share = expected / np.maximum(expected.sum(1, keepdims=True), 1)
    np.testing.assert_allclose((drawn / 255) ** 2, share, atol=0.005)
    off = expected - np.diag(expected.diagonal())
    assert [pair.count for pair in shown.pairs] == sorted(off[off > 0], reverse=True)[: module.PAIRS]
    assert all(expected[pair.true, pair.said] == pair.count for pair in shown.pairs)


@pytest.mark.parametrize("classes", [2, 1000])
def test_without_a_mistake_all_is_recognised(classes):
    given = subject(classes, sure=100.0)
    shown = content(confusion, given)
    assert (shown.mistakes, shown.pairs) == (0, [])
    assert "60 of 60 test images (100.00 %) are recognised" in " ".join(html(given, confusion).split())


def test_the_page_has_a_button_for_each_cell_and_what_it_opens():
    labels = np.array([0, 0, 0, 1, 1, 0])
    p = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.6, 0.4]], np.float32)
    given = trained(chain(flatten=Flatten(), head=Dense(2)), images(6), labels, p, classes=("<ant>", "bee & wasp"))
    page = Page(html(given, confusion))
    assert [name for name in page.ids if name.startswith("cell-")] == ["cell-0-0", "cell-0-1", "cell-1-1"]
    assert "<ant> taken for bee & wasp: 1, 25.00 % of the class. Show pictures." in page.text
    assert "test image 2" in page.text
