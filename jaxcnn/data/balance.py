"""For classes of different sizes: weights for the loss, or an order of the images, in which each counts alike."""

import numpy as np
from jaxtyping import Float32, Int


def class_weights(labels: Int[np.ndarray, " n"], classes: int) -> Float32[np.ndarray, " k"]:
    """n / (k n_c) for each class c, which has n_c of the n labels; k is the number of classes that occur.

    So every class has the same share of a weighted loss, and the mean weight of the labels is 1. A class that does not
    occur has weight 0. Source: King & Zeng 2001, "Logistic regression in rare events data"; scikit-learn's "balanced".

    Raises: ValueError unless there are labels, each of them 0 to `classes` - 1.
    """
    counts = _counts("class_weights", labels, classes)
    occurring = np.count_nonzero(counts)
    return np.where(counts, len(labels) / (occurring * np.maximum(counts, 1)), 0).astype(np.float32)


def balanced_order(labels: Int[np.ndarray, " n"], seed: int, epoch: int) -> Int[np.ndarray, " n"]:
    """The indices of the n images that `epoch` visits, as many as there are, of every class alike to within one.

    Classes come in random order. Those of a class are in random order, too, and all of them are seen before one is
    seen again: of a large class an epoch leaves some out, a small one it repeats. Seed and epoch alone decide, as for
    `epoch_order`.

    Raises: ValueError unless there are labels, all of them 0 or more.
    """
    counts = _counts("balanced_order", labels, None)
    rng = np.random.default_rng((seed, epoch))
    n = len(labels)
    drawn = rng.permutation(rng.permutation(np.flatnonzero(counts))[np.arange(n) % np.count_nonzero(counts)])
    order = np.empty(n, np.intp)
    for label in np.unique(drawn):
        places, images = np.flatnonzero(drawn == label), np.flatnonzero(labels == label)
        rounds = [rng.permutation(images) for _ in range(-(-len(places) // len(images)))]
        order[places] = np.concatenate(rounds)[: len(places)]
    return order


def _counts(caller: str, labels: np.ndarray, classes: int | None) -> np.ndarray:
    """How often each class occurs, as far as the largest label if there is no number of classes."""
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not labels.size:
        raise ValueError(
            f"{caller}: labels has shape {labels.shape} and dtype {labels.dtype}; expected (n,) integers, 1 or more."
        )
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or (classes is not None and high >= classes):
        expected = "0 or more" if classes is None else f"0 to {classes - 1}, indices into the {classes} classes"
        raise ValueError(f"{caller}: labels has values from {low} to {high}; expected {expected}.")
    return np.bincount(labels, minlength=classes or 0)
