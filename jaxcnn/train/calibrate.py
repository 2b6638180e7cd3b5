"""The temperature at which a network is as sure as it is often right.

Guo, Pleiss, Sun & Weinberger 2017, "On Calibration of Modern Neural Networks", section 4.2: logits are divided by one
number T > 0, chosen so that the negative log-likelihood of images that were not trained on is smallest. Which class is
the most probable, and so the accuracy, stays as it was.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcnn.data import Dataset
from jaxcnn.train import measures
from jaxcnn.train.evaluate import examples_of, logits_of
from jaxcnn.train.model import Model

LARGEST = 100.0  # a temperature beyond it, or below one over it, is none that images can tell
Activation = Literal["softmax", "sigmoid"]


class Calibration(NamedTuple):
    """A temperature, and what it does to images by which it was not fitted.

    Attributes:
      temperature: what the logits are to be divided by.
      fitted, measured: the images that it was fitted by, and those that the rest is of, in words.
      likelihood: their mean negative log-likelihood before and after.
      error: their expected calibration error before and after, see `measures`.
    """

    temperature: float
    fitted: str
    measured: str
    likelihood: tuple[float, float]
    error: tuple[float, float]


def calibrate(model: Model, dataset: Dataset) -> Calibration:
    """The model's temperature by the dataset's validation part, measured by its test images.

    Where there is no such part it is fitted by every second of the test images, and measured by the others.

    Raises: ValueError as `evaluate.examples_of` and `temperature`.
    """
    logits, labels = _answers(model, dataset, "test")
    if dataset.valid_images is None:
        logits, labels, fit_logits, fit_labels = logits[1::2], labels[1::2], logits[::2], labels[::2]
        fitted = f"{len(fit_labels):,} of the test images, every second, as there is no validation part"
        measured = f"the other {len(labels):,}"
    else:
        fit_logits, fit_labels = _answers(model, dataset, "valid")
        fitted, measured = f"{len(fit_labels):,} validation images", f"{len(labels):,} test images"
    kind, before = model.card.loss, model.card.temperature
    after = temperature(fit_logits, fit_labels, kind)
    of = [probabilities(logits / t, kind) for t in (before, after)]
    likelihood = [negative_log_likelihood(p, labels, kind) for p in of]
    error = [measures.calibration_error(p, labels) for p in of]
    return Calibration(after, fitted, measured, (likelihood[0], likelihood[1]), (error[0], error[1]))


def temperature(logits: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], kind: Activation) -> float:
    """The T for which the negative log-likelihood of `labels`, with the logits z divided by T, is smallest.

    In β = 1 / T it is convex, so that Newton's method finds its one minimum, with bounds that a step can't leave. With
    p the probabilities of βz, and y the labels as 0 and 1, its derivatives are the means over the images of

        softmax   Σ p z - Σ y z    and   Σ p z² - (Σ p z)²
        sigmoid   Σ (p - y) z      and   Σ p (1 - p) z²       each sum over the classes.

    Raises: ValueError for logits that are not finite, and where there is no minimum from 1 / LARGEST to LARGEST: where
      each image is right, or the network knows nothing.
    """
    z = np.asarray(logits, np.float64)
    if not np.isfinite(z).all():
        raise ValueError("the network's logits are not finite, so that nothing can be calibrated.")
    rows = np.arange(len(z))
    if kind == "softmax":
        z = z - z[rows, labels][:, None]  # then Σ y z is 0

    def derivatives(beta: float) -> tuple[float, float]:
        p = probabilities(beta * z, kind)
        if kind == "softmax":
            mean = (p * z).sum(-1)
            return mean.mean(), (p * (z - mean[:, None]) ** 2).sum(-1).mean()
        return ((p * z).sum(-1) - z[rows, labels]).mean(), (p * (1 - p) * z**2).sum(-1).mean()

    low, high, beta = 1 / LARGEST, LARGEST, 1.0
    if derivatives(low)[0] >= 0 or derivatives(high)[0] <= 0:
        right = (z.argmax(-1) == labels).mean()
        raise ValueError(
            f"no temperature from {low} to {high:.0f} is the best one for {len(z):,} images of which {right:.0%} are "
            "right: take more of them, or a network that knows some of them and errs in others."
        )
    for _ in range(100):
        slope, curvature = derivatives(beta)
        low, high = (beta, high) if slope < 0 else (low, beta)
        new = beta - slope / curvature if curvature > 0 else low
        new = new if low < new < high else (low * high) ** 0.5
        if abs(new - beta) <= 1e-12 * beta:
            break
        beta = new
    return 1 / beta


def probabilities(logits: Float[np.ndarray, "n classes"], kind: Activation) -> Float[np.ndarray, "n classes"]:
    """In float64."""
    z = np.asarray(logits, np.float64)
    if kind == "sigmoid":
        return np.exp(-np.logaddexp(0, -z))
    exponentials = np.exp(z - z.max(-1, keepdims=True))
    return exponentials / exponentials.sum(-1, keepdims=True)


def negative_log_likelihood(
    p: Float[np.ndarray, "n classes"], labels: Int[np.ndarray, " n"], kind: Activation
) -> float:
    """The mean over the images; of sigmoid's probabilities the sum over the classes, each true or not."""
    rows, tiny = np.arange(len(p)), np.finfo(np.float64).tiny
    likelihood = np.log(np.maximum(p[rows, labels], tiny))
    if kind == "sigmoid":
        others = np.log(np.maximum(1 - p, tiny))
        likelihood = likelihood + others.sum(-1) - others[rows, labels]
    return float(-likelihood.mean())


def _answers(model: Model, dataset: Dataset, part: Literal["valid", "test"]) -> tuple[np.ndarray, np.ndarray]:
    images, labels = examples_of(model, dataset, part)
    return logits_of(model, images, labels), labels
