"""What a run's page shows beyond the run's own records: the network, and what it makes of the test images."""

from dataclasses import dataclass

import numpy as np

from jaxcnn.data import Images
from jaxcnn.train.evaluate import evaluate, examples_of
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.gradients import GradientCheck
from jaxcnn.train.model import Model
from jaxcnn.train.model_folder import load_model
from jaxcnn.train.run import Result
from jaxcnn.train.run_folder import RunFolder


@dataclass(frozen=True, eq=False)
class Tested:
    """The test images, uint8 (n, h, w, c), their labels as places in the network's classes, and what came out."""

    images: Images
    labels: np.ndarray
    evaluation: Evaluation


@dataclass(frozen=True, eq=False)
class Trained:
    """A run's network as its last checkpoint has it; what can't be had is None, and `missing` says why in sentences."""

    model: Model | None = None
    tested: Tested | None = None
    gradients: GradientCheck | None = None
    missing: tuple[str, ...] = ()


def of_result(result: Result, gradients: GradientCheck | None = None) -> Trained:
    """Of a run that has just ended: nothing is computed again.

    Raises: as `load_model`.
    """
    dataset = result.experiment.dataset
    tested = result.evaluation and Tested(dataset.test_images, dataset.test_labels, result.evaluation)
    return Trained(load_model(result.run.path), tested, gradients)


def of_run(run: RunFolder) -> Trained:
    """Of a run on disk: its data are loaded and its network is evaluated, as far as they are there."""
    missing = []
    model, tested = None, None
    try:
        model = load_model(run.path)
        dataset = run.config.load()
        images, labels = examples_of(model, dataset)
        tested = Tested(images, labels, evaluate(model, images, labels))
    except (ValueError, OSError) as error:
        missing.append(str(error))
    return Trained(model, tested, None, tuple(missing))
