"""How good a classifier is, from its probabilities (n, classes) and the true classes, `labels` (n,): pure NumPy.

Where two classes are equally probable the one with the lower number is taken first, as `argmax` does. A figure of no
example at all is NaN.
"""

import numpy as np

BINS = 15  # of the calibration error, as in Guo et al. 2017


def top_k_accuracy(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """The share of examples whose true class is among the k most probable (Russakovsky et al. 2015, section 4.1).

    With k = 1 it is the accuracy, and 1 where there are no more than k classes.
    """
    of_truth = probabilities[np.arange(len(labels)), labels][:, None]
    lower = np.arange(probabilities.shape[-1]) < labels[:, None]
    before = (probabilities > of_truth) | ((probabilities == of_truth) & lower)
    return _mean(before.sum(-1) < k)


def confusion_matrix(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """int (classes, classes): how many examples of the class in that row were taken for the class in that column."""
    classes = probabilities.shape[-1]
    pairs = labels.astype(np.int64) * classes + probabilities.argmax(-1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def recall(confusion: np.ndarray) -> np.ndarray:
    """(classes,): of the examples of a class, the share that was recognised; NaN for a class without examples."""
    return _shares(confusion.diagonal(), confusion.sum(1))


def precision(confusion: np.ndarray) -> np.ndarray:
    """(classes,): of the examples that were taken for a class, the share that is of it; NaN where none were."""
    return _shares(confusion.diagonal(), confusion.sum(0))


def balanced_accuracy(confusion: np.ndarray) -> float:
    """The mean recall of the classes that have examples (Brodersen et al. 2010), so that small ones count alike."""
    return _mean(recall(confusion)[confusion.sum(1) > 0])


def calibration_error(probabilities: np.ndarray, labels: np.ndarray, bins: int = BINS) -> float:
    """The expected calibration error: how far confidence is from accuracy (Guo et al. 2017, equation 3).

    An example's confidence is the probability of the class that it is taken for. Examples are put into bins, see
    `bin_of`; of each the distance of mean confidence and accuracy is
    taken, and of these the mean, weighted by the bins' examples.
    """
    confidence = probabilities.max(-1).astype(np.float64)
    right = probabilities.argmax(-1) == labels
    distance = np.bincount(bin_of(confidence, bins), right - confidence, minlength=bins)
    return float(np.abs(distance).sum() / len(labels)) if len(labels) else float("nan")


def bin_of(confidence: np.ndarray, bins: int = BINS) -> np.ndarray:
    """The number of each confidence's bin, from 0: they have equal width, and (m / bins, (m + 1) / bins] is m."""
    return np.searchsorted(np.arange(1, bins) / bins, confidence)


def most_confused(confusion: np.ndarray, most: int = 10) -> list[tuple[int, int, int]]:
    """(true class, class that it was taken for, how often), the most frequent mistakes first."""
    mistakes = confusion - np.diag(confusion.diagonal())
    order = np.argsort(-mistakes, axis=None, kind="stable")[:most]
    pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
    return [(int(true), int(said), int(mistakes[true, said])) for true, said in pairs if mistakes[true, said]]


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else float("nan")
