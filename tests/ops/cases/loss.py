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


def _weighted(arrays):
    """Logits and labels, and a weight for each class."""

    def with_weights(rng):
        logits, labels = arrays(rng)
        return logits, labels, rng.uniform(0.5, 2, logits.shape[-1])

    return with_weights


def _some_ignored(label, k=3):
    """Classes, every other one of them replaced."""

    def arrays(rng):
        labels = rng.integers(0, k, 5)
        labels[::2] = label
        return rng.standard_normal((5, k)), labels

    return arrays


def _hard(*shape):
    return lambda rng: (rng.standard_normal(shape), rng.integers(0, 2, shape).astype(float))


def _signs(*shape):
    """Scores none of which keeps a margin of 1 just so, and labels 1 and -1."""
    return lambda rng: (rng.permutation(np.prod(shape)).reshape(shape) / 5 - 1.55, rng.choice([-1.0, 1.0], shape))


def _targets(*shape):
    """Logarithms of probabilities, and probabilities: some 0."""

    def arrays(rng):
        q = rng.uniform(0.1, 1, shape)
        q.flat[::3] = 0
        return -rng.exponential(1, shape), q

    return arrays


def _same_as_anchor(rng):
    anchor, negative = rng.standard_normal((2, 3, 4))
    return anchor, anchor, negative


def _equally_far(rng):
    """Differences of which several are the largest."""
    anchor = rng.integers(-4, 5, (3, 4)) / 2
    return anchor, anchor + rng.choice([-2.0, 2.0, 0.0], anchor.shape), anchor + rng.choice([-1.0, 1.0, 0.0], (3, 4))


FAR = np.array([[-700.0, -90.0, -40.0, 0.0, 9.0, 40.0, 90.0, 700.0]])


def _cases():
    for name, options in [("", {}), ("-smoothed", {"label_smoothing": 0.1}), ("-uniform", {"label_smoothing": 1.0})]:
        for kind, arrays in [("classes", _classes(4, 5)), ("one-hot", _one_hot(4, 5)), ("weights", _weights(3, 4))]:
            yield Case("softmax_cross_entropy", f"{kind}{name}", arrays, options)
            yield Case("softmax_cross_entropy", f"{kind}{name}-class-weights", _weighted(arrays), options)
    for kind, arrays in [("classes", _classes(4, 5)), ("one-hot", _one_hot(4, 5)), ("weights", _weights(3, 4))]:
        yield Case("nll", kind, arrays)
        yield Case("nll", f"{kind}-class-weights", _weighted(arrays))
    yield Case("nll", "one-class", _classes(3, 1))
    for label in (-100, 255, 1):
        yield Case("nll", f"ignored-{label}", _some_ignored(label), {"ignore_index": label})
        yield Case("nll", f"ignored-{label}-weighted", _weighted(_some_ignored(label)), {"ignore_index": label})
        options = {"ignore_index": label, "label_smoothing": 0.1}
        yield Case("softmax_cross_entropy", f"ignored-{label}", _some_ignored(label), {"ignore_index": label})
        yield Case("softmax_cross_entropy", f"ignored-{label}-weighted", _weighted(_some_ignored(label)), options)
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
    yield Case("sigmoid_cross_entropy", "weight", lambda rng: (*_weights(4, 3)(rng), np.array(2.5)))
    yield Case("sigmoid_cross_entropy", "weight-per-entry", lambda rng: (*_hard(2, 4, 3)(rng), rng.uniform(0.5, 3, 3)))
    for name, arrays in [("hard", _hard(3, 4)), ("soft", _weights(3, 4)), ("images", _hard(2, 3, 2, 2))]:
        yield Case("focal", name, arrays)
    for gamma in (0, 0.5, 1):
        yield Case("focal", f"gamma-{gamma}", _hard(3, 4), {"gamma": gamma, "alpha": None})
        for label in (0, 1):
            yield Case(
                "focal",
                f"far-{label}-gamma-{gamma}",
                lambda rng, t=label: (FAR, np.full(FAR.shape, t + 0.0)),
                {"gamma": gamma},
            )

    yield Case("mse", "2d", normal((4, 3), (4, 3)))
    yield Case("mse", "vector", normal((5,), (5,)))
    yield Case("mse", "images", normal((2, 3, 2, 2), (2, 3, 2, 2)))
    for rule, options in [("l1", {}), ("huber", {}), ("huber", {"delta": 0.5}), ("huber", {"delta": 3})]:
        suffix = "".join(f"-{k}-{v}" for k, v in options.items())
        yield Case(rule, f"2d{suffix}", normal((4, 3), (4, 3)), options)
        yield Case(rule, f"images{suffix}", normal((2, 3, 2, 2), (2, 3, 2, 2)), options)
        yield Case(
            rule,
            f"kinks{suffix}",
            lambda rng: (np.array([[0, 0.5, 1, 3, -3, -1]]), np.zeros((1, 6))),
            options,
            smooth=False,
        )
    yield Case("kl_divergence", "2d", lambda rng: (-rng.exponential(1, (3, 4)), rng.uniform(0.1, 1, (3, 4))))
    yield Case("kl_divergence", "zeros", _targets(3, 4), smooth=False)
    yield Case("kl_divergence", "images", _targets(2, 2, 3, 2), smooth=False)

    yield Case("hinge", "2d", _signs(4, 4))
    yield Case("hinge", "vector", _signs(5))
    yield Case("hinge", "integers", lambda rng: (_signs(3, 4)(rng)[0], rng.choice([-1, 1], (3, 4))))
    yield Case("hinge", "kinks", lambda rng: (np.array([[1.0, -1, 0, 2]]), np.array([[1.0, -1, 1, -1]])), smooth=False)
    for options in ({}, {"margin": 0.4}, {"p": 2}, {"margin": 2, "p": 2}, {"margin": -0.5, "p": 2}, {"margin": 0}):
        suffix = "".join(f"-{k}-{v}" for k, v in options.items())
        yield Case("multi_margin", f"classes{suffix}", _classes(4, 5), options)
        yield Case(
            "multi_margin", f"kinks{suffix}", lambda rng: (np.eye(3) * 2, np.array([0, 0, 1])), options, smooth=False
        )
    yield Case("multi_margin", "one-class", _classes(3, 1))
    for options in (
        {},
        {"margin": 0.2},
        {"margin": 5, "epsilon": 0.1},
        {"p": 1},
        {"p": 3, "margin": 2},
        {"p": 1.5, "epsilon": 0},
        {"p": 0.5, "margin": 9},
        {"p": np.inf, "swap": True},
        {"swap": True, "margin": 3},
        {"swap": True, "p": 1, "margin": 5},
    ):
        suffix = "".join(f"-{k}-{v}" for k, v in options.items())
        yield Case("triplet", f"2d{suffix}", normal((4, 3), (4, 3), (4, 3)), options)
    yield Case("triplet", "one-axis", normal((5, 1), (5, 1), (5, 1)))
    yield Case("triplet", "same", _same_as_anchor, {"margin": 9}, smooth=False)
    yield Case(
        "triplet", "same-cubed", _same_as_anchor, {"margin": 9, "epsilon": 0, "p": 3, "swap": True}, smooth=False
    )
    for p in (0.5, np.inf):
        yield Case("triplet", f"same-p-{p}", _same_as_anchor, {"margin": 9, "epsilon": 0, "p": p}, smooth=False)
    yield Case("triplet", "equally-far", _equally_far, {"epsilon": 0, "p": np.inf}, smooth=False)
    yield Case("triplet", "same-without-epsilon", _same_as_anchor, {"margin": 9, "epsilon": 0}, smooth=False)


CASES = list(_cases())
