"""A network on images with labels: mean loss, accuracy, and other figures of its probabilities."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from jaxcnn.data import Images, eval_batches
from jaxcnn.layers import Params, State
from jaxcnn.train import measures
from jaxcnn.train.placement import ONE_DEVICE, Placement
from jaxcnn.train.state import Metrics
from jaxcnn.train.step import EvalStep

EVAL_BATCH = 128


class Evaluation(NamedTuple):
    """Mean loss and accuracy over the test images, each one's probabilities (n, classes), and other figures of these.

    The loss is the one that training minimises, label smoothing included, but without class weights. `top5` and the
    rest are defined in `measures`.
    """

    loss: float
    accuracy: float
    probabilities: np.ndarray
    top5: float
    balanced_accuracy: float
    calibration_error: float

    def hardest(self, labels: np.ndarray) -> np.ndarray:
        """Indices of the test images: the mistakes, then the rest; in each the least probable true class first."""
        right = self.probabilities.argmax(-1) == labels
        return np.lexsort((self.probabilities[np.arange(len(labels)), labels], right))


def evaluation(
    step: EvalStep,
    params: Params,
    state: State,
    images: Images,
    labels: np.ndarray,
    placement: Placement = ONE_DEVICE,
) -> Evaluation:
    """What the step comes to over all the images, batch by batch."""
    metrics, parts = placement.whole(Metrics.zero()), []
    for batch in placed_batches(images, labels, min(EVAL_BATCH, len(images)), placement):
        part, p = step(params, state, *batch)
        metrics = metrics.plus(part)
        parts.append(np.asarray(p))
    probabilities = np.concatenate(parts)[: len(images)]
    return Evaluation(
        *metrics.means(),
        probabilities,
        top5=measures.top_k_accuracy(probabilities, labels, 5),
        balanced_accuracy=measures.balanced_accuracy(measures.confusion_matrix(probabilities, labels)),
        calibration_error=measures.calibration_error(probabilities, labels),
    )


def placed_batches(images: Images, labels: np.ndarray, size: int, placement: Placement) -> Iterator[Any]:
    """`eval_batches` of that many images, or a few more that the devices divide, on these."""
    for batch in eval_batches(images, labels, math.ceil(size / placement.devices) * placement.devices):
        yield placement.batch([placement.part(a) for a in batch])
