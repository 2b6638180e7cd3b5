"""What a classifier is measured by, against loops that follow the definitions word by word."""

import math

import numpy as np
import pytest
from sklearn import metrics

from jaxcnn.train import measures


def drawn(n, classes, seed=0, dtype=np.float32, ties=False):
    """Probabilities and labels; with `ties` of eighths, so that many are equal or lie at the edge of a bin."""
    rng = np.random.default_rng(seed)
    if ties:
        probabilities = rng.multinomial(8, np.ones(classes) / classes, n) / 8
    else:
        probabilities = rng.dirichlet(np.ones(classes) / 3, n)
    return probabilities.astype(dtype), rng.integers(0, classes - 1, n)  # the last class has no examples


CASES = [drawn(500, 10), drawn(300, 3, 1), drawn(400, 7, 2, ties=True), drawn(50, 2, 3, np.float64), drawn(1, 5, 4)]


@pytest.mark.parametrize(("probabilities", "labels"), CASES)
def test_top_k_counts_the_classes_that_come_before_the_true_one(probabilities, labels):
    for k in (1, 2, 5):
        among = [
            label in sorted(range(len(p)), key=lambda c: -p[c])[:k]  # stable: of equals the first one first
            for p, label in zip(probabilities, labels, strict=True)
        ]
        assert measures.top_k_accuracy(probabilities, labels, k) == sum(among) / len(among)
    assert measures.top_k_accuracy(probabilities, labels, 1) == (probabilities.argmax(1) == labels).mean()
    assert measures.top_k_accuracy(probabilities, labels, probabilities.shape[1]) == 1


@pytest.mark.parametrize(("probabilities", "labels"), CASES)
def test_classes_are_measured_as_scikit_learn_does(probabilities, labels):
    said, classes = probabilities.argmax(1), np.arange(probabilities.shape[1])
    confusion = measures.confusion_matrix(probabilities, labels)
    np.testing.assert_array_equal(confusion, metrics.confusion_matrix(labels, said, labels=classes))
    options = {"labels": classes, "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(measures.recall(confusion), metrics.recall_score(labels, said, **options))
    np.testing.assert_allclose(measures.precision(confusion), metrics.precision_score(labels, said, **options))
    present = np.unique(labels)
    recalls = metrics.recall_score(labels, said, labels=present, average=None)
    assert measures.balanced_accuracy(confusion) == pytest.approx(recalls.mean())


@pytest.mark.parametrize("bins", [1, 4, 15])
@pytest.mark.parametrize(("probabilities", "labels"), CASES)
def test_the_calibration_error_is_that_of_guo_et_al(probabilities, labels, bins):
    error = 0.0
    for m in range(1, bins + 1):
        inside = [
            (float(max(p)), float(p.argmax() == label))
            for p, label in zip(probabilities, labels, strict=True)
            if (m - 1) / bins < float(max(p)) <= m / bins
        ]
        if inside:
            confidence, right = map(math.fsum, zip(*inside, strict=True))
            error += len(inside) / len(labels) * abs(right - confidence) / len(inside)
    assert measures.calibration_error(probabilities, labels, bins) == pytest.approx(error, rel=1e-12)


def test_calibration_by_hand():
    """Four examples of confidence 0.9, three of them right, and one of 1, rounded up, wrong."""
    confidence = np.array([0.9, 0.9, 0.9, 0.9, np.nextafter(np.float32(1), 2)], np.float32)
    probabilities = np.stack([confidence, 1 - confidence], 1)
    labels = np.array([0, 0, 0, 1, 1])
    assert measures.calibration_error(probabilities, labels) == pytest.approx((4 * 0.15 + 1) / 5, rel=1e-6)


def test_a_figure_of_nothing_is_nan():
    probabilities, labels = np.zeros((0, 3)), np.zeros(0, int)
    confusion = measures.confusion_matrix(probabilities, labels)
    assert confusion.tolist() == [[0] * 3] * 3
    assert np.isnan(measures.top_k_accuracy(probabilities, labels, 5))
    assert np.isnan(measures.balanced_accuracy(confusion)) and np.isnan(measures.recall(confusion)).all()
    assert np.isnan(measures.calibration_error(probabilities, labels))


def test_the_most_confused_pairs_are_the_most_frequent_mistakes():
    confusion = np.array([[9, 2, 0], [5, 1, 2], [0, 0, 7]])
    assert measures.most_confused(confusion) == [(1, 0, 5), (0, 1, 2), (1, 2, 2)]
    assert measures.most_confused(confusion, 1) == [(1, 0, 5)]
    assert measures.most_confused(np.diag([3, 4])) == []
