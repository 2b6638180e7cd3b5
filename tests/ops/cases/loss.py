"""Losses, with integer, one-hot and soft labels."""

import numpy as np

from tests.ops.cases.case import Case, normal


def _classes(n, k):
    return lambda rng: (rng.standard_normal((n, k)), rng.integers(0, k, n))


def _one_hot(n, k):
    return lambda rng: (rng.standard_normal((n, k)), np.eye(k)[rng.integers(0, k, n)])


def _weights(n, k):
    """Labels that are no distribution: they sum to anything."""
    return lambda rng: (rng.standard_normal((n, k)), rng.uniform(0, 1, (n, k)))


def _far(rng):
    logits = 40 * rng.standard_normal((4, 3))
    return logits, logits.argmin(1)


def _cases():
    for name, options in [("", {}), ("-smoothed", {"label_smoothing": 0.1}), ("-uniform", {"label_smoothing": 1.0})]:
        yield Case("softmax_cross_entropy", f"classes{name}", _classes(4, 5), options)
        yield Case("softmax_cross_entropy", f"one-hot{name}", _one_hot(4, 5), options)
        yield Case("softmax_cross_entropy", f"weights{name}", _weights(3, 4), options)
    yield Case("softmax_cross_entropy", "one-class", _classes(3, 1))
    yield Case("softmax_cross_entropy", "batch-1", _classes(1, 4))
    yield Case("softmax_cross_entropy", "far", _far)

    yield Case("sigmoid_cross_entropy", "2d", _weights(4, 3))
    yield Case("sigmoid_cross_entropy", "vector", lambda rng: (rng.standard_normal(5), rng.uniform(0, 1, 5)))
    yield Case(
        "sigmoid_cross_entropy", "integers", lambda rng: (rng.standard_normal((3, 2)), rng.integers(0, 2, (3, 2)))
    )
    yield Case("sigmoid_cross_entropy", "zeros", lambda rng: (np.zeros((2, 3)), np.array([[0, 0.3, 1], [1, 0.5, 0]])))
    yield Case("sigmoid_cross_entropy", "far", lambda rng: (np.array([[40.0, -40.0, 9.0]]), np.array([[0.0, 1, 1]])))
    yield Case("mse", "2d", normal((4, 3), (4, 3)))
    yield Case("mse", "vector", normal((5,), (5,)))
    yield Case("mse", "images", normal((2, 3, 2, 2), (2, 3, 2, 2)))


CASES = list(_cases())
