"""Which classes the network takes for which: the confusion matrix, with the pictures behind each cell."""

from dataclasses import dataclass

import numpy as np

from jaxcnn.report.page import pictures
from jaxcnn.report.page.section import section
from jaxcnn.report.page.trained import Tested, Trained
from jaxcnn.train import measures

LARGE = 20  # classes: of more, the matrix is a picture, and only the pairs that are confused most have cells
PAIRS = 30  # of these
WORDY = 4  # letters of a name: longer ones stand upright over their columns
SHOWN = 12  # pictures behind a cell, of all cells together no more than
ALL_SHOWN = 800


@dataclass(frozen=True)
class Thumb:
    """A test image on the album, and the probability of the class that it was taken for."""

    image: int
    probability: float


@dataclass(frozen=True)
class Cell:
    """How many images of one class were taken for another, or the same.

    Attributes:
      share: of the images of the true class.
      thumbs: some of them, those first that the network is most sure of.
    """

    true: int
    said: int
    count: int
    share: float
    thumbs: tuple[Thumb, ...]


@dataclass(frozen=True)
class ClassMeasures:
    """How well one class is recognised; None for a share of no images.

    Attributes:
      images: how many of the test images are of it.
      f1: the harmonic mean of precision and recall.
    """

    name: str
    images: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, eq=False)
class Confusion:
    """Attributes:
    rows: of the whole matrix, a row for each true class; empty where there are too many classes.
    pairs: the most frequent mistakes, first the most frequent one.
    picture: a data URI of the matrix, a pixel for each cell, where `rows` is empty.
    """

    classes: tuple[str, ...]
    images: int
    mistakes: int
    rows: list[list[Cell]]
    pairs: list[Cell]
    picture: str | None
    measures: list[ClassMeasures]
    album: pictures.Album | None

    @property
    def wordy(self) -> bool:
        """Whether the names of classes are longer than numbers."""
        return max(map(len, self.classes)) > WORDY


@section("confusion", "What it confuses")
def confusion(trained: Trained) -> Confusion:
    """The matrix, its cells' pictures, and precision, recall and F1 of each class."""
    model, tested = trained.model, trained.tested
    assert model is not None and tested is not None
    classes = model.classes
    matrix = measures.confusion_matrix(tested.probabilities, tested.labels)
    large = len(classes) > LARGE
    wrong = measures.most_confused(matrix, PAIRS)
    asked = [(true, said) for true, said, _ in wrong] if large else list(np.ndindex(*matrix.shape))
    cells = _cells(tested, matrix, asked)
    thumbs = [thumb.image for cell in cells.values() for thumb in cell.thumbs]
    return Confusion(
        classes,
        len(tested.labels),
        len(tested.mistakes),
        [] if large else [[cells[true, said] for said in range(len(classes))] for true in range(len(classes))],
        [cells[true, said] for true, said, _ in wrong],
        pictures.uri(_drawn(matrix)) if large else None,
        class_measures(classes, matrix),
        pictures.album(tested, thumbs) if thumbs else None,
    )


def class_measures(classes: tuple[str, ...], matrix: np.ndarray) -> list[ClassMeasures]:
    """Of each class, in the order of the network's outputs."""
    precision, recall = measures.precision(matrix), measures.recall(matrix)
    # 2 / (1 / precision + 1 / recall), in counts: 0 where nothing is right.
    both = matrix.sum(0) + matrix.sum(1)
    f1 = np.divide(2 * matrix.diagonal(), both, out=np.full(len(both), np.nan), where=both > 0)
    return [
        ClassMeasures(name, int(images), *(None if np.isnan(share) else float(share) for share in shares))
        for name, images, *shares in zip(classes, matrix.sum(1), precision, recall, f1, strict=True)
    ]


def _cells(tested: Tested, matrix: np.ndarray, asked: list[tuple[int, int]]) -> dict[tuple[int, int], Cell]:
    """By true class and class that was said; of all cells the same number of pictures at most."""
    counts = np.array([matrix[pair] for pair in asked])
    most = next((n for n in range(SHOWN, 1, -1) if np.minimum(counts, n).sum() <= ALL_SHOWN), 1)
    thumbs: dict[tuple[int, int], list[Thumb]] = {pair: [] for pair in asked}
    said, confidence = tested.said, tested.confidence
    for image in tested.surest.tolist():
        place = thumbs.get((int(tested.labels[image]), int(said[image])))
        if place is not None and len(place) < most:
            place.append(Thumb(image, float(confidence[image])))
    of_class = matrix.sum(1)
    return {
        (true, said): Cell(
            true,
            said,
            count := int(matrix[true, said]),
            count / int(of_class[true]) if count else 0.0,
            tuple(thumbs[true, said]),
        )
        for true, said in asked
    }


def _drawn(matrix: np.ndarray) -> np.ndarray:
    """(classes, classes, 1): each row's shares from white, none, to black, all; the root, so that a few can be seen."""
    of_class = np.maximum(matrix.sum(1, keepdims=True), 1)
    return pictures.grey(-np.sqrt(matrix / of_class), -1.0, 0.0)[..., None]
