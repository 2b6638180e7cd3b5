"""The mistakes that the network is most sure of."""

from dataclasses import dataclass

from jaxcnn.report.page import pictures
from jaxcnn.report.page.section import Missing, section
from jaxcnn.report.page.trained import Trained

SHOWN = 24


@dataclass(frozen=True)
class Mistake:
    """A test image by its number, its class, what it was taken for, and the probabilities of both."""

    image: int
    true: str
    said: str
    probability: float
    of_truth: float
    picture: str


@dataclass(frozen=True)
class Mistakes:
    """The first of `count` mistakes in `images` test images, the most confident one first.

    Attributes:
      fine: whether the images are photographs.
    """

    shown: list[Mistake]
    count: int
    images: int
    fine: bool


@section("mistakes", "The most confident mistakes")
def mistakes(trained: Trained) -> Mistakes:
    """Raises: Missing where there is no mistake."""
    model, tested = trained.model, trained.tested
    assert model is not None and tested is not None
    wrong = tested.mistakes
    if not len(wrong):
        raise Missing(f"There are none: the network is right about all {len(tested.labels):,} test images.")
    chosen = [int(image) for image in wrong[:SHOWN]]
    thumbs = pictures.shrunk(tested.pixels(chosen), pictures.LARGE)
    shown = []
    for image, pixels in zip(chosen, thumbs, strict=True):
        true, said = int(tested.labels[image]), int(tested.said[image])
        p = tested.probabilities[image]
        names = model.classes[true], model.classes[said]
        shown.append(Mistake(image, *names, float(p[said]), float(p[true]), pictures.photograph(pixels)))
    return Mistakes(shown, len(wrong), len(tested.labels), pictures.is_fine(tested.images.shape[1:]))
