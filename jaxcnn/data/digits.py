"""Scikit-learn's 1,797 handwritten digits of 8 × 8 pixels: real images that need no download.

They are the test part of E. Alpaydin and C. Kaynak's "Optical recognition of handwritten digits" (UCI Machine
Learning Repository, 1998), written by 13 people. A pixel counts the black dots in a 4 × 4 block of the scan, 0 to 16.
"""

import gzip
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from jaxcnn.data.dataset import Dataset
from jaxcnn.data.pictures import Fit, resize
from jaxcnn.data.split import in_parts

SIZED = Fit(16)


def load(fit: Fit = SIZED, *, split: str | None = None, seed: int = 0) -> Dataset:
    """The digits as (n, fit.size, fit.size, 1): 1,437 to train on and 360 to test, unless `split` says otherwise.

    A pixel v of 0 to 16 becomes round(v · 255 / 16), which round(p · 16 / 255) takes back. They are then enlarged
    by `fit`, as two 2 × 2 poolings leave little of 8 pixels; 8 pixels give the originals.
    """
    counts, labels = _read()
    originals = np.rint(counts * (255 / 16)).astype(np.uint8)
    images = np.stack([resize(image, fit) for image in originals])[..., None]
    classes = tuple("0123456789")
    rows, how = in_parts(labels, classes, split, seed)
    parts = {part: (images[chosen], labels[chosen]) for part, chosen in rows.items()}
    return Dataset.of("digits", parts, classes, f"scikit-learn's digits; {how}")


def _read() -> tuple[np.ndarray, np.ndarray]:
    """The counts (n, 8, 8), and the labels, int32, from scikit-learn's file: to import it takes a second."""
    spec = find_spec("sklearn")
    assert spec is not None and spec.origin is not None
    with gzip.open(Path(spec.origin).parent / "datasets" / "data" / "digits.csv.gz", "rt") as file:
        table = np.loadtxt(file, np.int32, delimiter=",")
    return table[:, :-1].reshape(-1, 8, 8), table[:, -1]
