"""Cut a dataset that comes in one piece into parts: for training, for validation where it is asked for, for testing."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.intp]

# Of each part, in the order in which they are named: what it is called in a sentence, and what it is for.
PARTS = {"train": "training", "valid": "validation", "test": "test"}
USES = {"train": "to train on", "valid": "to choose by", "test": "to test on"}


def every_fifth(labels: NDArray[np.integer]) -> tuple[Indices, Indices]:
    """The indices of the training images (four fifths) and of the test images (one fifth), both ascending.

    The images are put in order of their class, keeping their own order within a class; of this row the 1st, 6th,
    11th, ... are for testing. So every class gives a fifth of its images, to within one image, and nothing random
    is in it: the split is the same for every training seed, every machine and every version of NumPy.
    """
    row = np.argsort(labels, kind="stable")
    test = np.sort(row[::5])
    return np.setdiff1d(row, test), test


def by_shares(labels: NDArray[np.integer], shares: Sequence[Fraction], seed: int) -> list[Indices]:
    """The indices of each part, ascending: parts as large as `shares` of the images, which `seed` draws at random.

    Every class gives each part its share to within one image, and training at least one. What a class can't divide
    goes to the parts that are owed the most by the classes before it, so that many small classes fill all parts.
    """
    row = np.argsort(labels, kind="stable")
    rng = np.random.default_rng(seed)
    parts: list[list[Indices]] = [[] for _ in shares]
    owed = [Fraction(0) for _ in shares]
    for of_class in np.split(row, np.flatnonzero(np.diff(labels[row])) + 1):
        n = len(of_class)
        owed = [before + share * n for before, share in zip(owed, shares, strict=True)]
        counts = [math.floor(share * n) for share in shares]
        counts[0] = max(counts[0], 1)
        for most_owed in sorted(range(len(shares)), key=lambda p: counts[p] - owed[p])[: n - sum(counts)]:
            counts[most_owed] += 1
        owed = [before - count for before, count in zip(owed, counts, strict=True)]
        drawn = of_class[np.argsort(rng.random(n), kind="stable")]
        for part, piece in zip(parts, np.split(drawn, np.cumsum(counts)[:-1]), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def in_parts(
    labels: NDArray[np.integer], classes: Sequence[str], split: str | None, seed: int
) -> tuple[dict[str, Indices], str]:
    """The indices of each part, by `every_fifth` or as `split` and `seed` say, and how that was done, in words.

    Raises: ValueError for a part without images, and a class without any for training.
    """
    if split is None:
        parts = dict(zip(("train", "test"), every_fifth(labels), strict=True))
        how = "every fifth picture of each class is for testing"
    else:
        shares = parsed(split)
        parts = dict(zip(shares, by_shares(labels, tuple(shares.values()), seed), strict=True))
        how = f"split {split} ({'/'.join(PARTS[part] for part in shares)}) of each class by seed {seed}"
    for part, chosen in parts.items():
        if not len(chosen):
            cut = "every fifth picture is" if split is None else f"split is {split!r} and every class trains on one"
            raise ValueError(f"load: of {len(labels)} pictures none is in the {PARTS[part]} part, as {cut}.")
    without = np.setdiff1d(labels, labels[parts["train"]])
    if len(without):
        raise ValueError(
            f"load: class {classes[without[0]]!r} has one picture, which is for testing as every fifth is; expected 2 "
            "or more, or a split that you choose, such as split=0.8/0.2."
        )
    return parts, how


def uses(names: Mapping[str, str]) -> str:
    """What each part is for, by its name in the dataset: "train/ to train on, val/ to test on"."""
    return ", ".join(f"{names[part]} {use}" for part, use in USES.items() if part in names)


def parsed(split: str) -> dict[str, Fraction]:
    """The share of each part. Raises ValueError unless they are two or three, positive, of the sum 1."""
    names = {2: ("train", "test"), 3: ("train", "valid", "test")}
    try:
        shares = [Fraction(share.strip()) for share in split.split("/")]  # exact: 0.1 of 10 images is one
    except (ValueError, AttributeError, ZeroDivisionError):
        shares = []
    if len(shares) not in names or min(shares) <= 0 or sum(shares) != 1:
        raise ValueError(
            f"load: split is {split!r}; expected the shares of training, validation and test pictures, such as "
            "0.8/0.1/0.1, or those of training and test, such as 0.8/0.2: above 0, and 1 in all."
        )
    return dict(zip(names[len(shares)], shares, strict=True))


def refuse(split: str | None, what: str, parts: Sequence[str]) -> None:
    """Raise ValueError if there is a split for a dataset that comes in parts."""
    if split is not None:
        raise ValueError(
            f"load: split is {split!r}, but {what} has parts of its own, {' and '.join(parts)}; leave the split out."
        )
