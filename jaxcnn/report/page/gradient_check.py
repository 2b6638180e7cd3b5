"""The handwritten gradients of the trained network against those that JAX derives."""

from dataclasses import dataclass

from jaxcnn.report.page.section import Missing, section
from jaxcnn.report.page.trained import Trained
from jaxcnn.train.gradients import SMALL, TOLERANCE, GradientCheck


@dataclass(frozen=True)
class Checked:
    """The check, and what it holds a difference to."""

    check: GradientCheck
    tolerance: float = TOLERANCE
    small: float = SMALL


@section("gradient_check", "The gradient check")
def gradient_check(trained: Trained) -> Checked:
    """Raises: Missing where it was not made."""
    if trained.gradients is None:
        raise Missing(
            "The handwritten gradients were not compared with those that JAX derives, which takes minutes where a "
            "network is large; jaxcnn check, with the run's folder, does it."
        )
    return Checked(trained.gradients)
