"""What a run's page shows beyond the run's own records: the network, and what it makes of the test images."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxcnn.data import Images
from jaxcnn.report.page.activity import Activity, look
from jaxcnn.train.evaluate import evaluate, examples_of
from jaxcnn.train.evaluation import Evaluation
from jaxcnn.train.gradients import GradientCheck, check_model, is_large
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

    @property
    def probabilities(self) -> Float[np.ndarray, "n classes"]:
        """Of each class."""
        return self.evaluation.probabilities

    @property
    def said(self) -> Int[np.ndarray, " n"]:
        """The class that each is taken for."""
        return self.probabilities.argmax(-1)

    @property
    def confidence(self) -> Float[np.ndarray, " n"]:
        """The probability of that class."""
        return self.probabilities.max(-1)

    @functools.cached_property
    def surest(self) -> Int[np.ndarray, " n"]:
        """The numbers of all images, those first whose class the network is most sure of."""
        return np.argsort(-self.confidence, kind="stable")

    @property
    def mistakes(self) -> Int[np.ndarray, " k"]:
        """The numbers of those that are taken for another class, the most confident mistake first."""
        return self.surest[(self.said != self.labels)[self.surest]]

    def pixels(self, images: Sequence[int] | Int[np.ndarray, " k"]) -> UInt8[np.ndarray, "k h w c"]:
        """These images as pictures, of 1 or 3 channels; of another number of channels their mean, as grey."""
        found = np.asarray(self.images[np.asarray(images, np.intp)])
        return found if found.shape[-1] in (1, 3) else found.mean(-1, keepdims=True).round().astype(np.uint8)

    def some(self, most: int = 8) -> list[int]:
        """A few images to look at: mistakes, then right ones, of as many classes as there is room for."""
        right = self.surest[(self.said == self.labels)[self.surest]]
        wrong = self._one_of_each(self.mistakes)[: most // 2]
        return [*wrong, *self._one_of_each(right)[: most - len(wrong)]]

    def _one_of_each(self, images: Int[np.ndarray, " k"]) -> list[int]:
        """The images, the first of each true class before all others."""
        _, first = np.unique(self.labels[images], return_index=True)
        return [int(i) for i in images[np.sort(first)]] + [int(i) for i in np.delete(images, first)]


@dataclass(frozen=True, eq=False)
class Trained:
    """A run's network as its last checkpoint has it; what can't be had is None, and `missing` says why in sentences.

    Its layers may be timed for so many `seconds`, and no longer.
    """

    model: Model | None = None
    tested: Tested | None = None
    gradients: GradientCheck | None = None
    missing: tuple[str, ...] = ()
    seconds: float = 10.0

    @functools.cached_property
    def activity(self) -> Activity:
        """What all layers make of test images."""
        assert self.model is not None and self.tested is not None
        return look(self.model, self.tested.images, self.tested.some())


def of_result(result: Result, gradients: GradientCheck | None = None) -> Trained:
    """Of a run that has just ended: nothing is computed again. Its layers are timed for a twentieth of its own time.

    Raises: as `load_model`.
    """
    dataset = result.experiment.dataset
    tested = result.evaluation and Tested(dataset.test_images, dataset.test_labels, result.evaluation)
    taken = sum(epoch["seconds"] for epoch in result.run.metrics())
    return Trained(load_model(result.run.path), tested, gradients, seconds=min(max(taken / 20, 3.0), 10.0))


def of_run(run: RunFolder) -> Trained:
    """Of a run on disk: its data are loaded, its network is evaluated and unless it is large its gradients checked.

    That is as far as all are there.
    """
    missing = []
    model, tested, gradients = None, None, None
    try:
        model = load_model(run.path)
        dataset = run.config.load()
        images, labels = examples_of(model, dataset)
        tested = Tested(images, labels, evaluate(model, images, labels))
        if not is_large(model.network, model.image_shape):
            gradients = check_model(model, images, labels, tested.evaluation)
    except (ValueError, OSError) as error:
        missing.append(str(error))
    return Trained(model, tested, gradients, tuple(missing))
