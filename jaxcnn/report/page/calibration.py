"""Whether the network is as sure as it is often right: reliability diagram and histogram (Guo et al. 2017)."""

from dataclasses import dataclass

import numpy as np

from jaxcnn.report.page.section import section
from jaxcnn.report.page.trained import Trained
from jaxcnn.train import measures


@dataclass(frozen=True)
class Bin:
    """Images whose confidence lies in (low, high].

    Attributes:
      confidence, accuracy: means over these images; None where there are none.
    """

    low: float
    high: float
    images: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Calibration:
    """Attributes:
    error: the expected calibration error.
    confidence, accuracy: means over all images.
    temperature: what logits are divided by, 1 where the network was not calibrated.
    """

    bins: list[Bin]
    error: float
    confidence: float
    accuracy: float
    images: int
    temperature: float

    @property
    def most(self) -> int:
        """The images of the fullest bin."""
        return max(part.images for part in self.bins)


@section("calibration", "Is it as sure as it is right?")
def calibration(trained: Trained) -> Calibration:
    """By the bins of `measures.calibration_error`."""
    model, tested = trained.model, trained.tested
    assert model is not None and tested is not None
    confidence = tested.confidence.astype(np.float64)
    right = tested.said == tested.labels
    edges = np.arange(measures.BINS + 1) / measures.BINS
    place = measures.bin_of(confidence)
    bins = []
    for number in range(measures.BINS):
        inside = place == number
        images = int(inside.sum())
        means = (float(confidence[inside].mean()), float(right[inside].mean())) if images else (None, None)
        bins.append(Bin(float(edges[number]), float(edges[number + 1]), images, *means))
    return Calibration(
        bins,
        measures.calibration_error(tested.probabilities, tested.labels),
        float(confidence.mean()),
        float(right.mean()),
        len(right),
        model.card.temperature,
    )
